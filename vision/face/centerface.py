"""CenterFace: faces and five landmarks from one heat map (arXiv:1911.03599).

The network sees RGB, 0 to 255, at any size that is a multiple of 32, and answers at a quarter of it: how
likely a face is centred in each cell, the logarithm of its height and width in cells, where in the cell
the centre lies, and the landmarks as shares of height and width from the box's top left corner. In all
of them the vertical value comes before the horizontal one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.boxes import area, as_float32, centred_to_xyxy, clip, nms
from vision.errors import ModelError
from vision.images import Placement, letterbox, to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Faces, Image, ModelInput

STRIDE_PX = 4
MULTIPLE_PX = 32
_OUTPUT_CHANNELS = (1, 2, 2, 10)
_FAR_PX = 1e7


@dataclass(frozen=True, slots=True)
class CenterFaceOptions:
    """What is searched and what is kept.

    Attributes:
        min_confidence: faces below it are not reported.
        max_iou: of two boxes that overlap more, the less confident one goes.
        max_long_side_px: larger pictures are shrunk to this before the search; smaller ones never grow.
        min_face_px: smaller faces, by the square root of the box's area, are not reported: nobody can be
            recognised by them, and they are most of what is found where no face is.
        max_faces: of more, the most confident are kept.
    """

    min_confidence: float = 0.35
    max_iou: float = 0.3
    max_long_side_px: int = 1280
    min_face_px: float = 13.0
    max_faces: int = 1000


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
        tensor, placement = self._prepare(image)
        outputs = self._session.run({self._session.inputs[0].name: tensor})
        faces = decode(outputs, placement, self._options)
        size_wh = (image.shape[1], image.shape[0])
        inside = Faces(clip(faces.xyxy, size_wh), faces.confidence, faces.landmarks)
        return inside[np.flatnonzero(area(inside.xyxy) >= max(self._options.min_face_px**2, 1e-6))]

    def _prepare(self, image: Image) -> tuple[Tensor, Placement]:
        height, width = image.shape[:2]
        shrink = min(1.0, self._options.max_long_side_px / max(height, width))
        canvas_wh = (_next_multiple(width * shrink), _next_multiple(height * shrink))
        if shrink == 1.0:
            canvas = np.zeros((canvas_wh[1], canvas_wh[0], 3), dtype=np.uint8)
            canvas[:height, :width] = image
            return to_tensor([canvas], self._model_input), Placement((1.0, 1.0))
        canvas, placement = letterbox(image, canvas_wh, fill=0, centred=False)
        return to_tensor([canvas], self._model_input), placement


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
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of broken maps is refused below
        centre = (cells + 0.5 + offset[:, rows, columns]) * STRIDE_PX
        size = np.exp(log_size[:, rows, columns]) * STRIDE_PX
        xyxy = centred_to_xyxy(np.stack([centre[1], centre[0], size[1], size[0]], axis=1))
        shares = marks.reshape(5, 2, *heat.shape[1:])[:, ::-1, rows, columns].transpose(2, 0, 1)
        landmarks = xyxy[:, None, :2] + shares * (xyxy[:, None, 2:] - xyxy[:, None, :2])
        sane = np.isfinite(heat).all() and all((np.abs(x) < _FAR_PX).all() for x in (xyxy, landmarks))
    if not sane:
        raise ModelError("CenterFace gave values that are not finite, or boxes beyond all measure")
    kept = nms(xyxy, confidence, options.max_iou)[: options.max_faces]
    return Faces(
        as_float32(placement.boxes_back(xyxy[kept])),
        as_float32(np.clip(confidence[kept], 0, 1)),
        placement.points_back(landmarks[kept]),
    )


def _next_multiple(length: float) -> int:
    return max(1, -(-round(length) // MULTIPLE_PX)) * MULTIPLE_PX
