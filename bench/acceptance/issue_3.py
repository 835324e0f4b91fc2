"""Issue 3, live cameras that survive: its numbered lines."""

from __future__ import annotations

from bench.acceptance import live, stolen
from bench.acceptance.lines import Line
from bench.live import broken_streams, rtsp_kills

LINES = (
    Line(1, "A camera's server killed and restarted", rtsp_kills.measure),
    Line(2, "Workers, Redis and service killed", live.killed),
    Line(3, "The motion gate beside no gate", live.gate),
    Line(4, "Eight streams on two cores", live.streams),
    Line(5, "`analyze` beside its own decoding and models", live.pipeline),
    Line(6, "A revoked deployment", live.revoked),
    Line(7, "A stolen worker", stolen.measure),
    Line(8, "Broken streams beside good ones", broken_streams.measure),
)
