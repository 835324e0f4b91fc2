"""Tracks of a video, and their score."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pipelines.evaluate.errors import EvaluationError, MissingExtraError
from pipelines.evaluate.mot import MotBoxes
from pipelines.evaluate.tracking import detections_from, score_tracks, track_frames
from vision.track.ocsort import OcSort
from vision.types import Detections, Frame

BLACK = np.zeros((8, 8, 3), np.uint8)


def person(
    frames: range, track_id: int = 1, left: float = 10.0, class_id: int = -1, flag: float = 1
) -> list[tuple[float, ...]]:
    """One who stands still."""
    return [(frame, track_id, left, 10.0, 40.0, 100.0, flag, class_id) for frame in frames]


def boxes(*people: list[tuple[float, ...]]) -> MotBoxes:
    return MotBoxes.of_rows([row for rows in people for row in rows])


def test_perfect_tracks_score_one() -> None:
    truth = boxes(person(range(1, 21)), person(range(1, 21), 2, left=300))
    score = score_tracks(truth, truth, 20)
    assert (score.hota, score.idf1, score.mota, score.switches) == (1.0, 1.0, 1.0, 0)
    assert (score.ground_truth_boxes, score.ground_truth_tracks, score.tracks, score.frames) == (40, 2, 2, 20)


def test_a_new_id_half_way_is_a_switch() -> None:
    truth = boxes(person(range(1, 21)))
    score = score_tracks(truth, boxes(person(range(1, 11), 5), person(range(11, 21), 6)), 20)
    assert (score.switches, score.mota, score.idf1) == (1, 0.95, 0.5)


def test_ground_truth_marked_to_be_ignored_does_not_count() -> None:
    truth = boxes(person(range(1, 21)), person(range(1, 21), 2, left=300, flag=0))
    assert score_tracks(truth, boxes(person(range(1, 21))), 20).misses == 0


def test_frames_without_tracks_count_as_missed() -> None:
    truth = boxes(person(range(1, 21)))
    score = score_tracks(truth, boxes(person(range(1, 11))), 10)
    assert (score.frames, score.misses) == (20, 10)


def test_no_tracks() -> None:
    score = score_tracks(boxes(person(range(1, 5))), boxes(), 4)
    assert (score.hota, score.idf1, score.mota) == (0.0, 0.0, 0.0)


def test_a_ground_truth_without_people_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no box that counts"):
        score_tracks(boxes(person(range(1, 5), flag=0)), boxes(), 4)


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    truth = boxes(person(range(1, 5)))
    score_tracks(truth, truth, 4)
    assert capsys.readouterr().out == ""


def test_without_trackeval_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackeval", None)
    with pytest.raises(MissingExtraError, match=r"aiqyn\[evaluate\]"):
        score_tracks(boxes(person(range(1, 5))), boxes(), 4)


def test_frames_are_counted_from_one() -> None:
    found = boxes(person(range(1, 11)))
    frames = [Frame(BLACK, index / 25, index) for index in range(10)]
    video = track_frames(frames, detections_from(found, 10), OcSort())
    assert video.tracks.frame.tolist() == list(range(1, 11))
    assert set(video.tracks.track_id.tolist()) == {1}
    assert (video.frames, video.updates) == (10, 10)
    assert video.update_ms > 0


def test_a_lost_frame_keeps_the_count() -> None:
    frames = [Frame(BLACK, index / 25, index) for index in range(10) if index != 4]
    video = track_frames(frames, detections_from(boxes(person(range(1, 11))), 10), OcSort())
    assert video.tracks.frame.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10]


def test_no_frames() -> None:
    video = track_frames([], lambda _: Detections.empty(), OcSort())
    assert (len(video.tracks), video.update_ms) == (0, 0.0)


def test_detections_of_a_file_beyond_the_video_are_none() -> None:
    find = detections_from(boxes(person(range(1, 3))), 2)
    assert len(find(Frame(BLACK, 0.0, 1))) == 1
    assert len(find(Frame(BLACK, 0.0, 7))) == 0
