"""Labelled pictures: YOLO text files, or one JSON file of face boxes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.evaluate.errors import EvaluationError
from vision.boxes import centred_to_xyxy
from vision.folder import files_below
from vision.images import IMAGE_SUFFIXES
from vision.types import Int64

Float64: TypeAlias = npt.NDArray[np.float64]
LabelFormat: TypeAlias = Literal["yolo", "wider-json"]

_YOLO_VALUES = 5
_LARGEST_CLASS = 1_000_000
_FARTHEST_PX = 1_000_000


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One picture and what is in it.

    Attributes:
        path: of the picture.
        boxes: (N, 4) float64 xyxy; shares of width and height where `normalised`, else pixels.
        class_id: (N,) int64.
        normalised: whether the boxes are shares.
    """

    path: Path
    boxes: Float64
    class_id: Int64
    normalised: bool

    def xyxy(self, size_wh: tuple[int, int]) -> Float64:
        """The boxes in pixels of a picture of this size."""
        return self.boxes * np.array([*size_wh, *size_wh]) if self.normalised else self.boxes


def read_labels(images: Path, labels: Path, label_format: LabelFormat) -> list[LabelledImage]:
    """The labelled pictures of a set.

    Args:
        images: folder of the pictures.
        labels: `yolo`: a folder of text files; `wider-json`: one JSON file.
        label_format: which of the two.

    Returns:
        `yolo`: every picture in the folder and its sub-folders, by name, one without a text file having no
        objects. `wider-json`: every picture the file names, in its order.

    Raises:
        EvaluationError: nothing there, or not in the format; names file and line or entry.
    """
    if not images.is_dir():
        raise EvaluationError(f"{images}: is not a folder of pictures")
    return READERS[label_format](images, labels)


def read_yolo(images: Path, labels: Path) -> list[LabelledImage]:
    """`class cx cy w h` a line, shares of the picture; see `read_labels`."""
    if not labels.is_dir():
        raise EvaluationError(f"{labels}: is not a folder of label files")
    pictures = files_below(images, IMAGE_SUFFIXES)
    if not pictures:
        raise EvaluationError(f"{images}: holds no pictures")
    files = [(labels / path.relative_to(images)).with_suffix(".txt") for path in pictures]
    if not any(file.is_file() for file in files):
        raise EvaluationError(
            f"{labels}: has a label file for none of the {len(pictures)} pictures in {images}"
        )
    return [_yolo_image(picture, file) for picture, file in zip(pictures, files, strict=True)]


def _yolo_image(picture: Path, file: Path) -> LabelledImage:
    rows = _yolo_rows(file) if file.is_file() else []
    table = np.array(rows, np.float64).reshape(-1, _YOLO_VALUES)
    boxes = np.asarray(centred_to_xyxy(table[:, 1:]), np.float64)
    return LabelledImage(picture, boxes, table[:, 0].astype(np.int64), normalised=True)


def _yolo_rows(file: Path) -> list[list[float]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{file}: cannot be read as text") from error
    rows = []
    for number, line in enumerate(lines, 1):
        values = line.split()
        if values:
            rows.append(_yolo_row(values, f"{file}:{number}"))
    return rows


def _yolo_row(values: list[str], where: str) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except ValueError as error:
        raise EvaluationError(f"{where}: {error}") from error
    if len(numbers) != _YOLO_VALUES or not all(map(math.isfinite, numbers)):
        raise EvaluationError(f"{where}: needs five numbers: class cx cy w h")
    if not 0 <= numbers[0] <= _LARGEST_CLASS or numbers[0] != int(numbers[0]):
        raise EvaluationError(f"{where}: class {values[0]} is not a whole number from 0 to {_LARGEST_CLASS}")
    if not all(-0.01 <= number <= 1.01 for number in numbers[1:]):
        raise EvaluationError(f"{where}: boxes must be shares of the picture, 0 to 1")
    return numbers


def read_wider_json(images: Path, labels: Path) -> list[LabelledImage]:
    """`{"file": [[x1, y1, x2, y2], …], …}` in pixels, all faces; see `read_labels`."""
    try:
        document = json.loads(labels.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{labels}: cannot be read as text") from error
    except json.JSONDecodeError as error:
        raise EvaluationError(f"{labels}:{error.lineno}: is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise EvaluationError(
            f"{labels}: is nested too deeply; file names with lists of boxes are wanted"
        ) from error
    if not isinstance(document, dict) or not document:
        raise EvaluationError(f"{labels}: must be an object of file names, each with a list of boxes")
    if any("\0" in name for name in document):
        raise EvaluationError(f"{labels}: names a file that no file can be called")
    return [
        LabelledImage(
            images / name, found := _boxes(value, f"{labels}: {name}"), np.zeros(len(found), np.int64), False
        )
        for name, value in document.items()
    ]


def _boxes(value: Any, where: str) -> Float64:
    try:
        boxes = np.array(value, np.float64).reshape(-1, 4)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{where}: boxes must be lists of four numbers") from error
    if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
        raise EvaluationError(f"{where}: boxes must be finite [x1, y1, x2, y2] with x1 ≤ x2 and y1 ≤ y2")
    if (np.abs(boxes) > _FARTHEST_PX).any():
        raise EvaluationError(
            f"{where}: a box reaches beyond {_FARTHEST_PX} pixels; pixels of the picture are wanted"
        )
    return boxes


READERS: Mapping[str, Callable[[Path, Path], list[LabelledImage]]] = MappingProxyType(
    {"yolo": read_yolo, "wider-json": read_wider_json}
)
