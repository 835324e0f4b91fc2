"""YOLOX: anchor-free, its output not decoded by the graph (Ge et al., arXiv:2107.08430).

The input is BGR, 0 to 255, the picture at the top left of a canvas of grey 114 (Megvii-BaseDetection/YOLOX,
yolox/data/data_augment.py, `preproc`; releases before 0.1.1rc0 wanted other values). The output is
(1, cells, 5 + classes), cells of the strides 8, 16 and 32 one after the other, line by line:
x, y in cells from the cell's corner, logarithms of width and height in cells, objectness, classes
(yolox/utils/demo_utils.py, `demo_postprocess`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vision.detect.layout import misfit, picture_input
from vision.detect.yolo import YoloOptions, decode, inside
from vision.images import letterbox, to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Detections, Image, ModelInput

STRIDES_PX = (8, 16, 32)
PADDING_VALUE = 114


class Yolox:
    """A `Detector`."""

    def __init__(
        self,
        session: InferenceSession,
        model_input: ModelInput,
        labels: tuple[str, ...],
        options: YoloOptions | None = None,
    ) -> None:
        """Takes a loaded model; `padding_value`, `long_side_px` and `multiple_of_px` do not apply.

        Raises:
            ModelError: a model whose output does not fit its input's size and the labels.
        """
        width, height = model_input.size_wh
        family = f"YOLOX of {len(labels)} classes at {width}×{height}"
        picture_input(session, family, model_input.size_wh)
        self._cells, self._strides = _grid(model_input.size_wh)
        shapes = [info.shape for info in session.outputs]
        wanted = (len(self._cells), 5 + len(labels))
        if len(session.inputs) != 1 or len(shapes) != 1 or shapes[0][1:] != wanted:
            raise misfit(family, f"one output (N, {wanted[0]}, {wanted[1]})", session.outputs)
        self.providers = session.providers
        self._session = session
        self._model_input = model_input
        self._options = options or YoloOptions(min_confidence=0.3)
        self.labels = labels

    @property
    def min_confidence(self) -> float:
        """Detections below it are not reported."""
        return self._options.min_confidence

    def detect(self, image: Image) -> Detections:
        """The objects in one picture; see `Detector.detect`."""
        image = validate_image(image)
        canvas, placement = letterbox(image, self._model_input.size_wh, fill=PADDING_VALUE, centred=False)
        tensor = to_tensor([canvas], self._model_input)
        output = self._session.run({self._session.inputs[0].name: tensor})[0]
        found = decode(self._in_pixels(output[0]), placement, self._options)
        return inside(found, (image.shape[1], image.shape[0]))

    def _in_pixels(self, rows: Tensor) -> Tensor:
        rows = rows.copy()
        rows[:, :2] = (rows[:, :2] + self._cells) * self._strides
        with np.errstate(over="ignore"):
            rows[:, 2:4] = np.exp(rows[:, 2:4]) * self._strides
        return rows


def _grid(size_wh: tuple[int, int]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Column and line of every cell, (cells, 2), and its stride, (cells, 1)."""
    cells, strides = [], []
    for stride in STRIDES_PX:
        columns, lines = np.meshgrid(np.arange(size_wh[0] // stride), np.arange(size_wh[1] // stride))
        level = np.stack([columns.ravel(), lines.ravel()], axis=1)
        cells.append(level)
        strides.append(np.full((len(level), 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
