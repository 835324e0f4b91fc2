"""Small models in the layouts of YuNet and SCRFD, answering with the faces a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.onnx_builders import Axes, answering
from vision.runtime import InferenceSession, Tensor
from vision.types import Float32

STRIDES = (8, 16, 32)
POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
"""Landmarks of `Wanted` faces, as shares of the box."""


@dataclass(frozen=True)
class Wanted:
    """A face to be found: its box on the canvas, how sure, and at which stride."""

    xyxy: tuple[float, float, float, float]
    confidence: float = 0.9
    stride: int = 8

    @property
    def landmarks(self) -> Float32:
        """(5, 2) pixels of the canvas."""
        x1, y1, x2, y2 = self.xyxy
        return (np.array([x1, y1]) + POINTS * (x2 - x1, y2 - y1)).astype(np.float32)

    def cell(self, columns: int) -> tuple[int, int, int]:
        """Column, row and number of the cell that holds the centre."""
        x1, y1, x2, y2 = self.xyxy
        column, row = int((x1 + x2) / 2 // self.stride), int((y1 + y2) / 2 // self.stride)
        return column, row, row * columns + column


def yunet_outputs(faces: Sequence[Wanted], size_wh: tuple[int, int]) -> dict[str, Tensor]:
    """YuNet's twelve tensors for a canvas of that size."""
    outputs: dict[str, Tensor] = {}
    for stride in STRIDES:
        columns, rows = size_wh[0] // stride, size_wh[1] // stride
        values = {kind: np.zeros((1, columns * rows, count), np.float32) for kind, count in KINDS.items()}
        for face in (each for each in faces if each.stride == stride):
            column, row, index = face.cell(columns)
            x1, y1, x2, y2 = face.xyxy
            centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) / stride - (column, row)
            # The geometric mean of the two is the confidence.
            values["cls"][0, index] = face.confidence**2 / 0.95
            values["obj"][0, index] = 0.95
            values["bbox"][0, index] = [*centre, *np.log(np.array([x2 - x1, y2 - y1]) / stride)]
            values["kps"][0, index] = (face.landmarks / stride - (column, row)).ravel()
        outputs |= {f"{kind}_{stride}": tensor for kind, tensor in values.items()}
    return outputs


KINDS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def scrfd_outputs(
    faces: Sequence[Wanted], size_wh: tuple[int, int], *, anchor: int = 1, batched: bool = False
) -> dict[str, Tensor]:
    """SCRFD's nine tensors for a canvas of that size, in insightface's order.

    Args:
        faces: to be found.
        size_wh: of the canvas.
        anchor: which of a cell's two finds the face.
        batched: with a batch axis before the rows.
    """
    levels = []
    for stride in STRIDES:
        columns, rows = size_wh[0] // stride, size_wh[1] // stride
        score, box, points = (np.zeros((columns * rows * 2, count), np.float32) for count in (1, 4, 10))
        for face in (each for each in faces if each.stride == stride):
            column, row, index = face.cell(columns)
            corner = np.array([column, row]) * stride
            score[index * 2 + anchor] = face.confidence
            box[index * 2 + anchor] = (
                np.concatenate([corner - face.xyxy[:2], face.xyxy[2:] - corner]) / stride
            )
            points[index * 2 + anchor] = ((face.landmarks - corner) / stride).ravel()
        levels.append([each[None] if batched else each for each in (score, box, points)])
    kinds = zip(("score", "bbox", "kps"), zip(*levels, strict=True), strict=True)
    return {
        f"{kind}_{stride}": tensor
        for kind, tensors in kinds
        for stride, tensor in zip(STRIDES, tensors, strict=True)
    }


def model_bytes(outputs: dict[str, Tensor], size: Axes = ("height", "width"), batch: int | str = 1) -> bytes:
    """A model that answers with them; the rows are declared free, as in exports of any size."""
    declared: dict[str, Axes] = {
        name: (*(["batch"] if value.ndim == 3 else []), "rows", value.shape[-1])
        for name, value in outputs.items()
    }
    return answering(("input", (batch, 3, *size)), outputs, declared)


def session(outputs: dict[str, Tensor], size: Axes = ("height", "width")) -> InferenceSession:
    """As `model_bytes`, loaded."""
    return InferenceSession(model_bytes(outputs, size))


class Recorder(InferenceSession):
    """A model that remembers what it was last given."""

    fed: Mapping[str, Tensor]

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """As `InferenceSession.run`."""
        self.fed = inputs
        return super().run(inputs)
