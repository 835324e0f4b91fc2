"""How well tracks keep to the people of a MOTChallenge ground truth: HOTA, IDF1, MOTA, switches.

The figures are computed by TrackEval's own metric classes (Luiten et al. 2020, "HOTA"); here the
boxes are brought into the shape they want, by the rules of its `MotChallenge2DBox`.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipelines.evaluate.errors import EvaluationError, MissingExtraError
from pipelines.evaluate.mot import NO_CLASS, Float64, MotBoxes
from vision import boxes
from vision.track.base import Tracker
from vision.types import Bool, Detections, Frame

PERSON_LABEL = "person"

_PEDESTRIAN = 1
_DISTRACTORS = (2, 7, 8, 12)
"""MOT16/17/20 classes that count neither for nor against: person on vehicle, static person, distractor,
reflection."""

_MIN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class TrackingScore:
    """The field's figures for one sequence; shares of 1 where not said otherwise.

    Attributes:
        hota: mean over the overlaps 0.05 to 0.95.
        idf1: F1 of identities at IoU 0.5.
        mota: at IoU 0.5; negative where there are more errors than boxes.
        switches: identity switches, a count.
        detection_accuracy: DetA, the detection part of HOTA.
        association_accuracy: AssA, the association part of HOTA.
        false_positives: boxes of tracks that match nobody, a count.
        misses: ground truth boxes that no track matches, a count.
        fragmentations: how often a tracked person was lost and found again, a count.
        ground_truth_boxes: scored, a count.
        ground_truth_tracks: scored, a count.
        tracks: reported, a count.
        frames: scored, a count.
    """

    hota: float
    idf1: float
    mota: float
    switches: int
    detection_accuracy: float
    association_accuracy: float
    false_positives: int
    misses: int
    fragmentations: int
    ground_truth_boxes: int
    ground_truth_tracks: int
    tracks: int
    frames: int


@dataclass(slots=True)
class TrackedVideo:
    """What a tracker said of a video.

    Attributes:
        rows: (frame from 1, track id, left, top, width, height, confidence, class).
        frames: read, undecodable ones included.
        update_seconds: spent in the tracker alone, all frames together.
        updates: of the tracker.
    """

    rows: list[tuple[float, ...]] = field(default_factory=list)
    frames: int = 0
    update_seconds: float = 0.0
    updates: int = 0

    @property
    def tracks(self) -> MotBoxes:
        """The rows as arrays."""
        return MotBoxes.of_rows(self.rows)

    @property
    def update_ms(self) -> float:
        """Mean time of an update."""
        return 1000.0 * self.update_seconds / self.updates if self.updates else 0.0


def track_frames(
    frames: Iterable[Frame], find: Callable[[Frame], Detections], tracker: Tracker
) -> TrackedVideo:
    """Runs a tracker over frames.

    Args:
        frames: in order; their `frame_index` ties them to the ground truth.
        find: the detections of a frame.
        tracker: fresh.

    Returns:
        Every row the tracker reported, with frames counted from 1.
    """
    video = TrackedVideo()
    for frame in frames:
        detections = find(frame)
        started = time.perf_counter()
        tracks = tracker.update(detections, frame.pts_seconds)
        video.update_seconds += time.perf_counter() - started
        video.updates += 1
        video.frames = frame.frame_index + 1
        boxes_xywh = boxes.xyxy_to_xywh(tracks.xyxy.astype(np.float64))
        video.rows += [
            (video.frames, int(track_id), *map(float, xywh), float(confidence), NO_CLASS)
            for track_id, xywh, confidence in zip(tracks.track_id, boxes_xywh, tracks.confidence, strict=True)
        ]
    return video


def detections_from(found: MotBoxes, frame_count: int) -> Callable[[Frame], Detections]:
    """The detections of a MOTChallenge `det.txt` instead of a detector's, all of class 0."""
    per_frame = found.by_frame(frame_count)

    def find(frame: Frame) -> Detections:
        if frame.frame_index >= len(per_frame):
            return Detections.empty()
        rows = per_frame[frame.frame_index]
        confidence = np.clip(rows.confidence, 0.0, 1.0)
        return Detections(
            rows.xyxy.astype(np.float32), confidence.astype(np.float32), np.zeros(len(rows), np.int32)
        )

    return find


def score_tracks(ground_truth: MotBoxes, tracks: MotBoxes, frame_count: int) -> TrackingScore:
    """TrackEval's figures.

    Ground truth with classes (MOT16 and later) is scored by their rules: pedestrians only, and a track's
    box on a distractor counts neither way. Ground truth without (MOT15) is all people.

    Args:
        ground_truth: in the pixels of the video.
        tracks: in the same.
        frame_count: of the video; ground truth beyond it counts as missed.

    Returns:
        The figures of the whole sequence.

    Raises:
        EvaluationError: no ground truth to score.
        MissingExtraError: TrackEval is not installed.
    """
    metrics = _trackeval_metrics()
    frames = max(frame_count, int(ground_truth.frame.max(initial=0)))
    classed = bool((ground_truth.class_id >= 0).any())
    pairs = [
        _scored(truth, reported, classed)
        for truth, reported in zip(ground_truth.by_frame(frames), tracks.by_frame(frames), strict=True)
    ]
    data = _sequence([truth for truth, _ in pairs], [reported for _, reported in pairs])
    if not data["num_gt_dets"]:
        raise EvaluationError("the ground truth holds no box that counts")
    with contextlib.redirect_stdout(io.StringIO()):  # the metrics print their settings
        hota = metrics.HOTA().eval_sequence(data)
        clear = metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
        identity = metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    return TrackingScore(
        hota=float(np.mean(hota["HOTA"])),
        idf1=float(identity["IDF1"]),
        mota=float(clear["MOTA"]),
        switches=int(clear["IDSW"]),
        detection_accuracy=float(np.mean(hota["DetA"])),
        association_accuracy=float(np.mean(hota["AssA"])),
        false_positives=int(clear["CLR_FP"]),
        misses=int(clear["CLR_FN"]),
        fragmentations=int(clear["Frag"]),
        ground_truth_boxes=int(data["num_gt_dets"]),
        ground_truth_tracks=int(data["num_gt_ids"]),
        tracks=int(data["num_tracker_ids"]),
        frames=frames,
    )


def _trackeval_metrics() -> Any:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what else it would like to have
            import trackeval
    except ImportError as error:
        raise MissingExtraError("trackeval") from error
    return trackeval.metrics


def _scored(truth: MotBoxes, reported: MotBoxes, classed: bool) -> tuple[MotBoxes, MotBoxes]:
    """The boxes of one frame that count."""
    counts: Bool = truth.confidence != 0
    if classed:
        reported = reported[~_on_distractors(truth, reported)]
        counts = counts & (truth.class_id == _PEDESTRIAN)
    return truth[counts], reported


def _on_distractors(truth: MotBoxes, reported: MotBoxes) -> Bool:
    """(reported,): boxes whose best partner in the ground truth is a distractor."""
    iou = boxes.iou(truth.xyxy, reported.xyxy)
    iou = np.where(iou < _MIN_IOU - np.finfo(np.float64).eps, 0.0, iou)
    rows, columns = linear_sum_assignment(iou, maximize=True)
    matched = iou[rows, columns] > 0.0
    distractor = np.isin(truth.class_id[rows], _DISTRACTORS)
    hit = np.zeros(len(reported), np.bool_)
    hit[columns[matched & distractor]] = True
    return hit


def _sequence(truth: list[MotBoxes], reported: list[MotBoxes]) -> dict[str, Any]:
    """One sequence as TrackEval's metrics take it: ids counted from 0 without gaps."""
    truth_ids, truth_rows = _renumbered(truth)
    track_ids, track_rows = _renumbered(reported)
    return {
        "num_timesteps": len(truth),
        "num_gt_ids": truth_ids,
        "num_tracker_ids": track_ids,
        "num_gt_dets": sum(map(len, truth)),
        "num_tracker_dets": sum(map(len, reported)),
        "gt_ids": truth_rows,
        "tracker_ids": track_rows,
        "similarity_scores": [_iou(t, r) for t, r in zip(truth, reported, strict=True)],
    }


def _renumbered(frames: list[MotBoxes]) -> tuple[int, list[Any]]:
    known = np.unique(np.concatenate([rows.track_id for rows in frames]))
    return len(known), [np.searchsorted(known, rows.track_id) for rows in frames]


def _iou(truth: MotBoxes, reported: MotBoxes) -> Float64:
    return np.asarray(boxes.iou(truth.xyxy, reported.xyxy), np.float64)
