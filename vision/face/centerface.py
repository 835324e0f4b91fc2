"""CenterFace: faces and five landmarks from one heat map (arXiv:1911.03599).

The network sees RGB, 0 to 255, at any size that is a multiple of 32, and answers at a quarter of it: how
likely a face is centred in each cell, the logarithm of its height and width in cells, where in the cell
the centre lies, and the landmarks as shares of height and width from the box's top left corner. In all
of them the vertical value comes before the horizontal one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.boxes import centred_to_xyxy
from vision.errors import ModelError
from vision.face.search import Candidates, FaceSearchOptions, place, sift, within
from vision.images import Placement, to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Faces, Image, ModelInput

STRIDE_PX = 4
_OUTPUT_CHANNELS = (1, 2, 2, 10)


@dataclass(frozen=True, slots=True)
class CenterFaceOptions(FaceSearchOptions):
    """As `FaceSearchOptions`."""

    min_confidence: float = 0.35
    max_iou: float = 0.3


class CenterFace:
    """A `FaceDetector`."""

    def __init__(
        self, session: InferenceSession, model_input: ModelInput, options: CenterFaceOptions | None = None
    ) -> None:
        """Takes a loaded model.

        Raises:
            ModelError: a model with other inputs or outputs than CenterFace has.
        """
        channels = tuple(info.shape[1] if len(info.shape) == 4 else None for info in session.outputs)
        if len(session.inputs) != 1 or channels != _OUTPUT_CHANNELS:
            raise ModelError(f"not CenterFace: outputs with {channels} channels, {_OUTPUT_CHANNELS} expected")
        self.providers = session.providers
        self._session = session
        self._model_input = model_input
        self._options = options or CenterFaceOptions()

    @property
    def min_confidence(self) -> float:
        """Faces below it are not reported."""
        return self._options.min_confidence

    def detect(self, image: Image) -> Faces:
        """The faces in one picture; see `FaceDetector.detect`."""
        image = validate_image(image)
        canvas, placement = place(image, self._options)
        tensor = to_tensor([canvas], self._model_input)
        outputs = self._session.run({self._session.inputs[0].name: tensor})
        return within(decode(outputs, placement, self._options), image, self._options)


def decode(outputs: list[Tensor], placement: Placement, options: CenterFaceOptions) -> Faces:
    """Faces from the network's four maps.

    Args:
        outputs: heat map (1, 1, h, w), log-size (1, 2, h, w), offset (1, 2, h, w), landmarks (1, 10, h, w).
        placement: of the picture on the canvas the network saw.
        options: what is kept.

    Returns:
        Faces in pixels of the picture, by falling confidence, not clipped.

    Raises:
        ModelError: values that are not finite or make no sense.
    """
    heat, log_size, offset, marks = (np.asarray(output[0], dtype=np.float64) for output in outputs)
    rows, columns = np.nonzero(heat[0] >= options.min_confidence)
    confidence = heat[0, rows, columns]
    cells = np.stack([rows, columns])
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of broken maps is refused by `sift`
        centre = (cells + 0.5 + offset[:, rows, columns]) * STRIDE_PX
        size = np.exp(log_size[:, rows, columns]) * STRIDE_PX
        xyxy = centred_to_xyxy(np.stack([centre[1], centre[0], size[1], size[0]], axis=1))
        shares = marks.reshape(5, 2, *heat.shape[1:])[:, ::-1, rows, columns].transpose(2, 0, 1)
        landmarks = xyxy[:, None, :2] + shares * (xyxy[:, None, 2:] - xyxy[:, None, :2])
    if not np.isfinite(heat).all():
        raise ModelError("CenterFace gave confidences that are not finite")
    return sift(Candidates(xyxy, confidence, landmarks), placement, options)
