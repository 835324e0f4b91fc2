"""Our trackers beside the package `trackers`, on the same detections of real footage.

The detections are YOLOX-nano's, decoded here and not by our detector, so that nothing of ours but the
tracker is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnxruntime
import pytest

from pipelines.build import tracker_factory
from pipelines.evaluate.mot import MotBoxes, read_ground_truth
from pipelines.evaluate.tracking import TrackingScore, score_tracks
from vision.boxes import nms
from vision.track.base import Tracker
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort
from vision.types import Detections

pytestmark = pytest.mark.evaldata

INPUT_PX = 416
STRIDES = (8, 16, 32)
LOWEST_CONFIDENCE = 0.05


@dataclass(frozen=True, slots=True)
class Seen:
    """The people one frame's detector saw."""

    pts_seconds: float
    people: Detections


def decoded(output: Any, scale: float) -> Detections:
    """YOLOX's raw output (3549, 85) as people, in pixels of the frame."""
    cells, strides = [], []
    for stride in STRIDES:
        side = INPUT_PX // stride
        y, x = np.mgrid[:side, :side]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((side * side, 1), stride))
    stride_column = np.concatenate(strides)
    centre = (output[:, :2] + np.concatenate(cells)) * stride_column
    half = np.exp(output[:, 2:4]) * stride_column / 2
    boxes = (np.concatenate([centre - half, centre + half], axis=1) / scale).astype(np.float32)
    scores = output[:, 4:5] * output[:, 5:]
    confidence = scores.max(axis=1).astype(np.float32)
    wanted = np.flatnonzero((scores.argmax(axis=1) == 0) & (confidence > LOWEST_CONFIDENCE))
    kept = wanted[nms(boxes[wanted], confidence[wanted], 0.45)]
    return Detections(boxes[kept], confidence[kept], np.zeros(len(kept), np.int32))


@cache
def tud_campus(data: Path) -> list[Seen]:
    """What YOLOX-nano sees in the 71 frames."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data / "models" / "yolox_nano.onnx", options)
    name = session.get_inputs()[0].name
    seen = []
    with av.open(str(data / "tracking" / "TUD-Campus" / "TUD-Campus.mp4")) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="bgr24")
            scale = min(INPUT_PX / image.shape[0], INPUT_PX / image.shape[1])
            small = cv2.resize(image, (int(image.shape[1] * scale), int(image.shape[0] * scale)))
            padded = np.full((INPUT_PX, INPUT_PX, 3), 114, np.uint8)
            padded[: small.shape[0], : small.shape[1]] = small
            output = session.run(None, {name: padded.transpose(2, 0, 1)[np.newaxis].astype(np.float32)})[0][0]
            assert frame.pts is not None
            pts_seconds = frame.pts * Fraction(frame.time_base or 0)
            seen.append(Seen(float(pts_seconds), decoded(output, scale)))
    return seen


def rows_of(frame: int, track_ids: Any, xyxy: Any) -> list[tuple[float, ...]]:
    """Rows of `MotBoxes` for one frame."""
    return [
        (frame, int(track_id), x1, y1, x2 - x1, y2 - y1, 1.0, -1)
        for track_id, (x1, y1, x2, y2) in zip(track_ids, np.asarray(xyxy, np.float64).tolist(), strict=True)
    ]


def ours(tracker: Tracker, footage: list[Seen], floor: float) -> MotBoxes:
    """Tracks of one of our trackers over the detections of at least `floor` confidence."""
    rows = []
    for number, seen in enumerate(footage, 1):
        tracks = tracker.update(seen.people[seen.people.confidence >= floor], seen.pts_seconds)
        rows += rows_of(number, tracks.track_id, tracks.xyxy)
    return MotBoxes.of_rows(rows)


def theirs(name: str, footage: list[Seen], floor: float) -> MotBoxes:
    """The same of a tracker of the package `trackers`, with its defaults."""
    import supervision
    import trackers

    tracker = getattr(trackers, name)()
    rows = []
    for number, seen in enumerate(footage, 1):
        people = seen.people[seen.people.confidence >= floor]
        found = supervision.Detections(
            xyxy=np.array(people.xyxy, np.float64),
            confidence=np.array(people.confidence),
            class_id=np.array(people.class_id),
        )
        tracked = tracker.update(found)
        if len(tracked):
            known = tracked.tracker_id >= 0
            rows += rows_of(number, tracked.tracker_id[known], tracked.xyxy[known])
    return MotBoxes.of_rows(rows)


def score(data: Path, tracks: MotBoxes) -> TrackingScore:
    """TrackEval's figures on TUD-Campus."""
    return score_tracks(read_ground_truth(data / "tracking" / "TUD-Campus"), tracks, 71)


THEIRS = ("SORTTracker", "ByteTrackTracker", "OCSORTTracker")


@pytest.mark.parametrize("floor", [0.05, 0.1, 0.25, 0.4, 0.5, 0.6])
def test_oc_sort_is_at_least_as_good_as_the_best_of_theirs(eval_data: Path, floor: float) -> None:
    footage = tud_campus(eval_data)
    mine = score(eval_data, ours(OcSort(), footage, floor))
    others = [score(eval_data, theirs(name, footage, floor)) for name in THEIRS]
    assert mine.idf1 >= max(other.idf1 for other in others)
    assert mine.mota >= max(other.mota for other in others)
    assert mine.hota >= max(other.hota for other in others)


@pytest.mark.parametrize("floor", [0.2, 0.3, 0.4, 0.5])
def test_the_pipeline_sets_it_no_worse(eval_data: Path, floor: float) -> None:
    footage = tud_campus(eval_data)
    mine = score(eval_data, ours(tracker_factory("oc-sort", floor)(), footage, floor))
    assert mine.idf1 >= max(score(eval_data, theirs(name, footage, floor)).idf1 for name in THEIRS)


@pytest.mark.parametrize("floor", [0.05, 0.1, 0.25, 0.4, 0.5, 0.6])
def test_bytetrack_is_at_least_as_good(eval_data: Path, floor: float) -> None:
    footage = tud_campus(eval_data)
    mine = score(eval_data, ours(ByteTrack(), footage, floor))
    other = score(eval_data, theirs("ByteTrackTracker", footage, floor))
    assert mine.idf1 >= other.idf1
    assert mine.mota >= other.mota


def test_the_comparison_can_fail(eval_data: Path) -> None:
    """A tracker that forgets at once is worse than theirs, and is seen to be."""

    class Forgetful(OcSort):
        def update(self, detections: Detections, pts_seconds: float) -> Any:
            tracks = super().update(detections, pts_seconds)
            if round(pts_seconds * 25) % 5 == 0:
                next_id = self._life._next_id
                self._life.tracks = self._life.tracks[np.zeros(len(self._life.tracks), np.bool_)]
                self._life._next_id = next_id
            return tracks

    footage = tud_campus(eval_data)
    mine = score(eval_data, ours(Forgetful(), footage, 0.25))
    other = score(eval_data, theirs("OCSORTTracker", footage, 0.25))
    assert mine.idf1 < other.idf1
