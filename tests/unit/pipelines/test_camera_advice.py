"""What is said of settings that are valid and disappoint."""

from __future__ import annotations

import pytest

from pipelines.calibrations import load_calibration
from pipelines.camera_advice import advise, longest_list_for_one_look
from pipelines.config import Config
from pipelines.face_tracks import FaceTrackOptions

CALIBRATION = load_calibration("mobilefacenet-faceplugin")
SLOWEST = 1 / FaceTrackOptions().forget_after_seconds


def config(inference_fps: float, **settings: float) -> Config:
    return Config.model_validate(
        {"cameras": {"gate": {"source": "a.mp4", "inference_fps": inference_fps, **settings}}}
    )


@pytest.mark.parametrize(
    ("fps", "warned"),
    [(0.1, True), (1.0, True), (SLOWEST, True), (SLOWEST + 0.01, False), (5.0, False)],
)
def test_cameras_slower_than_the_memory_of_a_track_are_named(fps: float, warned: bool) -> None:
    assert bool(advise(config(fps), CALIBRATION)) is warned


def test_what_is_said_holds_figures_of_the_code_and_the_calibration() -> None:
    most = longest_list_for_one_look(CALIBRATION, 1.0)
    (line,) = advise(config(1.0), CALIBRATION)
    assert line.startswith("camera gate: inference_fps is 1, but a face is forgotten after 0.8 s: ")
    assert f"lists of up to {most} pictures only" in line
    assert line.endswith("set more than 1.25")
    (without,) = advise(config(1.0), None)
    assert "lists" not in without


@pytest.mark.parametrize("rate", [0.02, 0.5, 1.0, 10.0, 1000.0])
def test_the_longest_list_is_the_longest(rate: float) -> None:
    most = longest_list_for_one_look(CALIBRATION, rate)
    for templates, decides in ((most, True), (most + 1, False)):
        if not 1 <= templates <= 1_000_000:
            continue
        point = CALIBRATION.operating_point(
            gallery_templates=templates, gallery_subjects=templates, false_alerts_per_1000_faces=rate
        )
        assert (point.single_look_threshold is not None) is decides


def test_the_stricter_rate_holds() -> None:
    assert advise(config(1.0, false_alerts_per_1000_faces=0.001), CALIBRATION)[0].count("no list at all") == 1
