"""Line 1 of issue 3: an RTSP server killed and restarted at random moments, and what the worker says of it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.acceptance.lines import Figure, at_most, equals
from bench.acceptance.programs import evaluation_data
from bench.live.looped import encoded, looped
from bench.live.site import Site, free_rtsp_port, rtsp_server, site
from pipelines.accounting import FrameAccounting
from pipelines.live.gap_records import GapRecord, read_gap

KILLS = 10
SEED = 20261122
CAMERA = "gate"
FPS = 10
MAX_RESUME_SECONDS = 10.0
MAX_GAP_ERROR_SECONDS = 1.0
UP_SECONDS = (3.0, 8.0)
DOWN_SECONDS = (0.5, 12.0)
LONGEST_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Outage:
    """One time the server was away, as those saw it who did it.

    Attributes:
        killed_at: Unix seconds.
        back_at: when it listened again.
        played_at: when it began to send pictures again, by its own word.
        resumed_at: when the worker was seen to have inferred a further frame.
    """

    killed_at: float
    back_at: float
    played_at: float
    resumed_at: float


def measure(kills: int = KILLS, seed: int = SEED) -> Iterator[Figure]:
    """The figures of the line.

    Args:
        kills: how often the server is killed.
        seed: of the moments.
    """
    with tempfile.TemporaryDirectory() as folder:
        outages, gaps, final = _run(Path(folder), kills, np.random.default_rng(seed))
    yield equals("times the server was killed", len(outages), kills)
    for outage in outages:
        down = f"{outage.back_at - outage.killed_at:.1f} s away"
        yield at_most(
            f"{down}: seconds from its return to a frame inferred",
            outage.resumed_at - outage.back_at,
            MAX_RESUME_SECONDS,
        )
    yield from _gap_figures(outages, gaps)
    yield from _accounting_figures(final)


def _run(
    folder: Path, kills: int, chance: np.random.Generator
) -> tuple[list[Outage], list[GapRecord], dict[str, Any]]:
    video = evaluation_data() / "videos" / "one-by-one-person-detection.mp4"
    clip = encoded(video, folder / "clip.mp4", size_wh=(768, 432), fps=FPS, seconds=30.0)
    footage = looped(clip, folder / "camera.mp4", seconds=LONGEST_SECONDS)
    references = evaluation_data() / "faces" / "hamilton" / "references"
    port = free_rtsp_port()
    camera = {"source": f"rtsp://127.0.0.1:{port}/0", "inference_fps": 2, "allow_local": True}
    outages = []
    with site(folder / "site", {CAMERA: camera}) as here, ExitStack() as serving:
        server, _ = serving.enter_context(rtsp_server([footage], port))
        here.publish(references)
        here.start_work()
        here.wait_for("the camera runs", lambda: _inferred(here) > 0)
        for _ in range(kills):
            time.sleep(chance.uniform(*UP_SECONDS))
            killed_at = time.time()
            serving.close()
            time.sleep(chance.uniform(*DOWN_SECONDS))
            server, _ = serving.enter_context(rtsp_server([footage], port))
            back_at, before = time.time(), _inferred(here)
            resumed = partial(_has_inferred_more, here, before)
            here.wait_for("the camera resumes", resumed, 3 * MAX_RESUME_SECONDS)
            resumed_at = time.time()
            outages.append(Outage(killed_at, back_at, _played_at(server.stdout), resumed_at))
        time.sleep(2.0)
        gaps = [read_gap(one) for one in json.loads(here.state(CAMERA)["gaps"])["gaps"]]
        final = here.stop_work()
    return outages, gaps, final


def _inferred(here: Site) -> int:
    return here.accounting(CAMERA).inferred if here.state(CAMERA) else 0


def _has_inferred_more(here: Site, before: int) -> bool:
    return _inferred(here) > before


def _played_at(said: Any) -> float:
    return float(said.readline().split()[1])


def _gap_figures(outages: Sequence[Outage], gaps: Sequence[GapRecord]) -> Iterator[Figure]:
    """Each outage has its gap, and no gap is without an outage."""
    left = list(gaps)
    for outage in outages:
        ended = [gap for gap in left if gap.ended_at is not None]
        if not ended:
            yield equals("gaps listed for an outage", 0, 1)
            continue
        gap = min(ended, key=lambda one: abs(one.began_at.timestamp() - outage.killed_at))
        left.remove(gap)
        began = abs(gap.began_at.timestamp() - outage.killed_at)
        end = abs(gap.ended_at.timestamp() - outage.played_at) if gap.ended_at else float("inf")
        yield at_most(
            f"gap `{gap.reason}`: seconds off the truth, beginning", round(began, 2), MAX_GAP_ERROR_SECONDS
        )
        yield at_most(f"gap `{gap.reason}`: seconds off the truth, end", round(end, 2), MAX_GAP_ERROR_SECONDS)
    yield equals(
        "gaps without an outage, but for what preceded the list", len(_unexplained(left, outages)), 0
    )


def _unexplained(left: Sequence[GapRecord], outages: Sequence[Outage]) -> list[GapRecord]:
    first = outages[0].killed_at if outages else float("inf")
    return [gap for gap in left if gap.began_at.timestamp() > first - MAX_GAP_ERROR_SECONDS]


def _accounting_figures(final: dict[str, Any]) -> Iterator[Figure]:
    counted = FrameAccounting(**final["cameras"][CAMERA]["frame_accounting"])
    yield equals("frames read not accounted for", counted.unaccounted, 0)
    dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(counted.dropped.items())) or "none"
    shares = (
        f"read {counted.read}, undecodable {counted.undecodable}, not sampled {counted.not_sampled}, "
        f"gated {counted.gated}, inferred {counted.inferred}, dropped: {dropped}"
    )
    yield Figure("frames by fate", shares, "reported", counted.read > 0)
