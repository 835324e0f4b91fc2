"""YuNet: faces and five landmarks, one prediction a cell at three strides (doi:10.1007/s11633-023-1423-y).

The network sees BGR, 0 to 255, at any size that is a multiple of 32, or at the one size it was exported with. Per
stride of 8, 16 and 32 pixels it answers with `cls` and `obj`, whose geometric mean is the confidence; `bbox`, the
centre from the cell's corner in cells and the logarithm of width and height in cells; `kps`, five points from the
cell's corner in cells. This is the layout of libfacedetection.train's exports and of opencv_zoo's
`face_detection_yunet_2023mar`; OpenCV decodes it in `modules/objdetect/src/face_detect.cpp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vision.boxes import centred_to_xyxy
from vision.errors import ModelError
from vision.face.pyramid import STRIDES_PX, cells, fixed_size_wh
from vision.face.search import Candidates, FaceSearchOptions, place, sift, within
from vision.images import to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Faces, Image, ModelInput

_VALUES = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
_NAMES = tuple(f"{kind}_{stride}" for kind in _VALUES for stride in STRIDES_PX)


@dataclass(frozen=True, slots=True)
class YunetOptions(FaceSearchOptions):
    """As `FaceSearchOptions`, with the confidence and overlap of opencv_zoo's own wrapper, `yunet.py`."""

    min_confidence: float = 0.6
    max_iou: float = 0.3


class Yunet:
    """A `FaceDetector`."""

    def __init__(
        self, session: InferenceSession, model_input: ModelInput, options: YunetOptions | None = None
    ) -> None:
        """Takes a loaded model.

        Raises:
            ModelError: a model with other inputs or outputs than YuNet has.
        """
        names = {info.name for info in session.outputs}
        if names != set(_NAMES):
            shown = ", ".join(sorted(names)[:6]) + (", …" if len(names) > 6 else "")
            raise ModelError(
                f"not YuNet: {len(names)} outputs ({shown}), {len(_NAMES)} expected: cls, obj, bbox and kps, each "
                "with _8, _16 and _32"
            )
        self._fixed_wh = fixed_size_wh(session, "YuNet")
        self.providers = session.providers
        self._session = session
        self._model_input = model_input
        self._options = options or YunetOptions()

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
        named = dict(zip((info.name for info in self._session.outputs), outputs, strict=True))
        found = decode(named, (canvas.shape[1], canvas.shape[0]), self._options.min_confidence)
        return within(sift(found, placement, self._options), image, self._options)


def decode(outputs: Mapping[str, Tensor], canvas_wh: tuple[int, int], min_confidence: float) -> Candidates:
    """Candidates from the network's twelve tensors.

    Args:
        outputs: by name; `cls_8` (1, cells, 1), `bbox_8` (1, cells, 4), `kps_8` (1, cells, 10) and so on.
        canvas_wh: size of the picture the network saw, pixels, multiples of 32.
        min_confidence: cells below it are left out.

    Raises:
        ModelError: tensors of another shape, or confidences that are not finite.
    """
    levels = [_level(outputs, stride, canvas_wh, min_confidence) for stride in STRIDES_PX]
    return Candidates(
        np.concatenate([level.xyxy for level in levels]),
        np.concatenate([level.confidence for level in levels]),
        np.concatenate([level.landmarks for level in levels]),
    )


def _level(
    outputs: Mapping[str, Tensor], stride_px: int, canvas_wh: tuple[int, int], min_confidence: float
) -> Candidates:
    grid = cells(canvas_wh, stride_px)
    cls, obj, bbox, kps = (
        _rows(outputs, f"{kind}_{stride_px}", (len(grid), values)) for kind, values in _VALUES.items()
    )
    confidence = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    if not np.isfinite(confidence).all():
        raise ModelError(f"YuNet gave confidences that are not finite at stride {stride_px}")
    kept = np.flatnonzero(confidence >= min_confidence)
    corner = grid[kept]
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of broken maps is refused by `sift`
        centre = (corner + bbox[kept, :2]) * stride_px
        size = np.exp(bbox[kept, 2:]) * stride_px
        xyxy = centred_to_xyxy(np.concatenate([centre, size], axis=1))
        landmarks = (corner[:, None] + kps[kept].reshape(-1, 5, 2)) * stride_px
    return Candidates(xyxy, confidence[kept], landmarks)


def _rows(outputs: Mapping[str, Tensor], name: str, shape: tuple[int, int]) -> Tensor:
    tensor = outputs[name]
    if tensor.shape != (1, *shape):
        raise ModelError(f"YuNet's output {name} must be {(1, *shape)}, got {tensor.shape}")
    return np.asarray(tensor[0], dtype=np.float64)
