"""Issue 2, match quality: its numbered lines."""

from __future__ import annotations

from bench.acceptance import models, quality, tracks
from bench.acceptance.lines import Line

LINES = (
    Line(1, "Verification, and fusion of looks like CCTV", quality.verification),
    Line(2, "The Hamilton clip among 844 strangers", quality.hamilton),
    Line(3, "Small and distant people", models.small),
    Line(4, "Tracking beside the package `trackers`", tracks.beside_theirs),
    Line(5, "Thresholds hold what they say", quality.rates),
    Line(6, "A site's own models", models.own_models),
    Line(7, "Speed beside what lies under it", models.speed),
    Line(8, "References checked, tracks joined again", quality.references),
    Line(9, "Hostile input", models.hostile),
)
