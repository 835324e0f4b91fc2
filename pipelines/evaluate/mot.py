"""The MOTChallenge text format: one box a line, frames counted from 1.

`frame, id, left, top, width, height, confidence, class, visibility`, the last three optional
(https://motchallenge.net/instructions). In ground truth the confidence is a flag: 0 is to be ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.evaluate.errors import EvaluationError
from vision.boxes import xywh_to_xyxy
from vision.types import Int64

Float64: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.bool_] | npt.NDArray[np.int64]

NO_CLASS = -1
_FEWEST_COLUMNS = 6
_LARGEST = 10_000_000
"""Frames of eleven days, pixels of no picture: what is larger is a mistake, and costs all the memory there is."""
_CONFIDENCE_COLUMN, _CLASS_COLUMN = 6, 7


@dataclass(frozen=True, slots=True, repr=False)
class MotBoxes:
    """Boxes of a whole sequence, one row each.

    Attributes:
        frame: (N,) int64, from 1.
        track_id: (N,) int64; −1 in detections, which belong to no track yet.
        xyxy: (N, 4) float64 pixels.
        confidence: (N,) float64; in ground truth 0 means: to be ignored.
        class_id: (N,) int64; −1 where the file gives none.
    """

    frame: Int64
    track_id: Int64
    xyxy: Float64
    confidence: Float64
    class_id: Int64

    @classmethod
    def of_rows(cls, rows: list[tuple[float, ...]]) -> MotBoxes:
        """From (frame, id, left, top, width, height, confidence, class)."""
        table = np.array(rows, np.float64).reshape(-1, 8)
        return cls(
            frame=table[:, 0].astype(np.int64),
            track_id=table[:, 1].astype(np.int64),
            xyxy=np.asarray(xywh_to_xyxy(table[:, 2:6]), np.float64),
            confidence=table[:, 6],
            class_id=table[:, 7].astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: Rows) -> MotBoxes:
        return MotBoxes(
            self.frame[rows], self.track_id[rows], self.xyxy[rows], self.confidence[rows], self.class_id[rows]
        )

    def scaled(self, scale: float) -> MotBoxes:
        """The same boxes in a picture `scale` times as wide and high."""
        return MotBoxes(self.frame, self.track_id, self.xyxy * scale, self.confidence, self.class_id)

    def by_frame(self, frame_count: int) -> list[MotBoxes]:
        """The boxes of each frame from 1 to `frame_count`."""
        order = np.argsort(self.frame, kind="stable")
        ends = np.searchsorted(self.frame[order], np.arange(1, frame_count + 2))
        return [self[order[start:end]] for start, end in pairwise(ends)]

    def __repr__(self) -> str:
        return f"MotBoxes(n={len(self)})"


def read_mot(path: Path) -> MotBoxes:
    """The boxes of a file, in its order.

    Args:
        path: text; values between commas, semicolons, tabs or blanks.

    Raises:
        EvaluationError: not readable, not in this format, or frames that do not count from 1.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise EvaluationError(f"{path}: {reason}") from error
    return MotBoxes.of_rows([_row(values, f"{path}:{number}") for number, values in _lines(text)])


def read_ground_truth(location: Path) -> MotBoxes:
    """The ground truth of a sequence.

    Args:
        location: `gt.txt` itself, or a sequence folder with `gt/gt.txt` or `gt.txt` in it.

    Raises:
        EvaluationError: none there, not in the format, without boxes, or an id twice in a frame.
    """
    path = _ground_truth_file(location)
    boxes = read_mot(path)
    if not len(boxes):
        raise EvaluationError(f"{path}: holds no boxes")
    pairs, counts = np.unique(np.stack([boxes.frame, boxes.track_id]), axis=1, return_counts=True)
    if counts.max() > 1:
        frame, track_id = pairs[:, int(np.argmax(counts))]
        raise EvaluationError(f"{path}: id {track_id} stands twice in frame {frame}")
    return boxes


def _ground_truth_file(location: Path) -> Path:
    if not location.is_dir():
        return location
    for path in (location / "gt" / "gt.txt", location / "gt.txt"):
        if path.is_file():
            return path
    raise EvaluationError(f"{location}: has neither gt/gt.txt nor gt.txt in it")


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        values = line.replace(",", " ").replace(";", " ").split()
        if values:
            yield number, values


def _row(values: list[str], where: str) -> tuple[float, ...]:
    if len(values) < _FEWEST_COLUMNS:
        raise EvaluationError(
            f"{where}: has {len(values)} values, needs frame, id, left, top, width, height[, confidence, class]"
        )
    try:
        numbers = [float(value) for value in values]
    except ValueError as error:
        raise EvaluationError(f"{where}: {error}") from error
    if not all(math.isfinite(number) for number in numbers):
        raise EvaluationError(f"{where}: holds a value that is not finite")
    if numbers[0] < 1 or numbers[0] != int(numbers[0]):
        raise EvaluationError(f"{where}: frame {values[0]}; frames are whole numbers from 1")
    if max(map(abs, numbers)) > _LARGEST:
        raise EvaluationError(f"{where}: holds a value beyond {_LARGEST}")
    confidence = numbers[_CONFIDENCE_COLUMN] if len(numbers) > _CONFIDENCE_COLUMN else 1.0
    class_id = numbers[_CLASS_COLUMN] if len(numbers) > _CLASS_COLUMN else NO_CLASS
    return (*numbers[:_FEWEST_COLUMNS], confidence, class_id)
