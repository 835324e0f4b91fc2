"""SCRFD: faces and five landmarks from two anchors a cell at three strides (arXiv:2105.04714).

The network sees RGB, (x − 127.5) / 128, at any size that is a multiple of 32, or at the one size it was exported
with. Per stride of 8, 16 and 32 pixels it answers with the confidence, the distances from the cell's corner to the
box's left, top, right and bottom edge, and five points from that corner, in cells. This is the layout of
insightface's exports, whose outputs are called `score_8` to `kps_32` or by number, with or without a batch axis
(`python-package/insightface/model_zoo/scrfd.py`); which is which follows from the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vision.errors import ModelError
from vision.face.pyramid import STRIDES_PX, by_values, cells, fixed_size_wh
from vision.face.search import Candidates, FaceSearchOptions, Floats, place, sift, within
from vision.images import to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Faces, Image, ModelInput

ANCHORS = 2
_SCORE, _BOX, _POINTS = 1, 4, 10
_OUTPUTS = (_SCORE, _SCORE, _SCORE, _BOX, _BOX, _BOX, _POINTS, _POINTS, _POINTS)


@dataclass(frozen=True, slots=True)
class ScrfdOptions(FaceSearchOptions):
    """As `FaceSearchOptions`, with insightface's own confidence and overlap."""

    min_confidence: float = 0.5
    max_iou: float = 0.4


class Scrfd:
    """A `FaceDetector`."""

    def __init__(
        self, session: InferenceSession, model_input: ModelInput, options: ScrfdOptions | None = None
    ) -> None:
        """Takes a loaded model.

        Raises:
            ModelError: a model with other inputs or outputs than SCRFD with landmarks has.
        """
        values = sorted(info.shape[-1] or 0 if len(info.shape) in (2, 3) else 0 for info in session.outputs)
        if values == sorted((_SCORE, _BOX) * 3):
            raise ModelError(
                "an SCRFD without landmarks, which faces cannot be aligned by; take one with `kps`"
            )
        if tuple(values) != _OUTPUTS:
            raise ModelError(
                f"not SCRFD: {len(values)} outputs with {values} values a row, three each of {_SCORE}, {_BOX} and "
                f"{_POINTS} expected"
            )
        self._fixed_wh = fixed_size_wh(session, "SCRFD")
        self.providers = session.providers
        self._session = session
        self._model_input = model_input
        self._options = options or ScrfdOptions()

    @property
    def min_confidence(self) -> float:
        """Faces below it are not reported."""
        return self._options.min_confidence

    def detect(self, image: Image) -> Faces:
        """The faces in one picture; see `FaceDetector.detect`."""
        image = validate_image(image)
        canvas, placement = place(image, self._options, self._fixed_wh)
        tensor = to_tensor([canvas], self._model_input)
        outputs = self._session.run({self._session.inputs[0].name: tensor})
        found = decode(outputs, (canvas.shape[1], canvas.shape[0]), self._options.min_confidence)
        return within(sift(found, placement, self._options), image, self._options)


def decode(outputs: Sequence[Tensor], canvas_wh: tuple[int, int], min_confidence: float) -> Candidates:
    """Candidates from the network's nine tensors.

    Args:
        outputs: in any order; rows × 1, 4 or 10 values, with or without a batch axis of one; a row for each of the
            two anchors of each cell.
        canvas_wh: size of the picture the network saw, pixels, multiples of 32.
        min_confidence: anchors below it are left out.

    Raises:
        ModelError: tensors of another shape, or confidences that are not finite.
    """
    tensors = by_values(outputs)
    if [len(tensors.get(values, ())) for values in (_SCORE, _BOX, _POINTS)] != [len(STRIDES_PX)] * 3:
        raise ModelError(f"SCRFD must give nine tensors, got {[tensor.shape for tensor in outputs]}")
    levels = []
    for index, stride_px in enumerate(STRIDES_PX):
        grid = cells(canvas_wh, stride_px, ANCHORS)
        score, box, points = (tensors[values][index] for values in (_SCORE, _BOX, _POINTS))
        if not len(score) == len(box) == len(points) == len(grid):
            raise ModelError(
                f"SCRFD must give {len(grid)} rows at stride {stride_px}, {ANCHORS} a cell; got {len(score)} scores, "
                f"{len(box)} boxes, {len(points)} landmarks"
            )
        levels.append(
            _level(score[:, 0], np.concatenate([box, points], axis=1), grid, stride_px, min_confidence)
        )
    return Candidates(
        np.concatenate([level.xyxy for level in levels]),
        np.concatenate([level.confidence for level in levels]),
        np.concatenate([level.landmarks for level in levels]),
    )


def _level(
    score: Tensor, distances: Tensor, grid: Floats, stride_px: int, min_confidence: float
) -> Candidates:
    """The candidates of one stride; `distances` are four to the edges and five points, in cells."""
    if not np.isfinite(score).all():
        raise ModelError(f"SCRFD gave confidences that are not finite at stride {stride_px}")
    kept = np.flatnonzero(score >= min_confidence)
    corner, values = grid[kept] * stride_px, np.asarray(distances[kept], dtype=np.float64) * stride_px
    xyxy = np.concatenate([corner - values[:, :2], corner + values[:, 2:4]], axis=1)
    landmarks = corner[:, None] + values[:, 4:].reshape(-1, 5, 2)
    return Candidates(xyxy, np.asarray(score[kept], dtype=np.float64), landmarks)
