"""Detectors of the DETR kind: D-FINE, RT-DETR and RF-DETR, told apart by their inputs and outputs.

The picture is stretched to the input's size, whatever its own proportions, and there are no overlaps to
suppress. RGB; D-FINE and RT-DETR take 0 to 1, RF-DETR the mean and deviation of ImageNet. Two layouts:

- *decoded*, as the authors' own tools export D-FINE and RT-DETR (Peterande/D-FINE,
  tools/deployment/export_onnx.py; lyuwenyu/RT-DETR, rtdetrv2_pytorch/tools/export_onnx.py): inputs `images`
  and `orig_target_sizes` (N, 2), width and height the boxes are wanted in; outputs `labels` (N, Q), `boxes`
  (N, Q, 4) xyxy and `scores` (N, Q);
- *queries*: boxes (N, Q, 4), centre x and y, width and height as shares of the picture, and logits
  (N, Q, classes), each class on its own through the logistic function. RF-DETR calls them `dets` and `labels`
  (roboflow/rf-detr, src/rfdetr/export/_runtime/decode.py), Transformers `pred_boxes` and `logits`
  (onnx-community on Hugging Face).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.boxes import as_float32, centred_to_xyxy
from vision.detect.layout import Shape, as_infos, misfit, output_shapes, picture_input
from vision.detect.yolo import FAR_PX, inside
from vision.errors import ModelError
from vision.images import resize, to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor, TensorInfo
from vision.types import Detections, Image, ModelInput

DECODED_NAMES = ("labels", "boxes", "scores")
SIZE_INPUT = "orig_target_sizes"
RF_DETR_NAMES = frozenset({"dets", "labels"})
COCO_CATEGORIES = 91
"""Logits of RF-DETR on COCO: one per category id from 0 to 90, eleven of which mean nothing."""

_FAMILY = "DETR (D-FINE, RT-DETR, RF-DETR)"
_MAX_LOGIT = 80.0


@dataclass(frozen=True, slots=True)
class DetrOptions:
    """What is kept.

    Attributes:
        min_confidence: detections below it are not reported; RF-DETR's own default for exported models.
        max_detections: of more, the most confident are kept; a query counts once for each class.
    """

    min_confidence: float = 0.3
    max_detections: int = 300


class Detr:
    """A `Detector`."""

    def __init__(
        self,
        session: InferenceSession,
        model_input: ModelInput,
        labels: tuple[str, ...],
        options: DetrOptions | None = None,
    ) -> None:
        """Takes a loaded model.

        Args:
            session: the model.
            model_input: its `size_wh` must be the one it was trained with.
            labels: by the index the model uses; those with an empty name are never reported.
            options: None for the defaults.

        Raises:
            ModelError: a model of other inputs or outputs, or of another number of classes, or no size.
        """
        if not all(model_input.size_wh):
            raise ModelError(
                f"a {_FAMILY} that declares no input size needs to be told the one it was trained with"
            )
        picture = picture_input(session, _FAMILY, model_input.size_wh)
        self._size_input = _size_input(session)
        self._outputs = (
            _decoded_outputs(session)
            if self._size_input
            else _query_outputs(session, picture, model_input.size_wh, len(labels))
        )
        self.providers = session.providers
        self._session = session
        self._input_name = picture.name
        self._model_input = model_input
        self._options = options or DetrOptions()
        named = np.array([bool(label) for label in labels], dtype=np.bool_)
        self._class_ids = np.where(named, np.cumsum(named) - 1, -1)
        self.labels = tuple(label for label in labels if label)

    @property
    def min_confidence(self) -> float:
        """Detections below it are not reported."""
        return self._options.min_confidence

    def detect(self, image: Image) -> Detections:
        """The objects in one picture; see `Detector.detect`."""
        image = validate_image(image)
        size_wh = (image.shape[1], image.shape[0])
        canvas, _ = resize(image, self._model_input.size_wh)
        inputs: dict[str, Tensor] = {self._input_name: to_tensor([canvas], self._model_input)}
        if self._size_input:
            inputs[self._size_input.name] = np.array([size_wh], dtype=self._size_input.dtype)
        outputs = self._session.run(inputs)
        picked = [outputs[index][0] for index in self._outputs]
        if not all(np.isfinite(values).all() for values in picked):
            raise ModelError("the detector gave values that are not finite")
        rows = _from_decoded(*picked) if self._size_input else _from_queries(picked[0], picked[1], size_wh)
        return inside(rows.kept(self._class_ids, self._options), size_wh)


def is_rf_detr(session: InferenceSession) -> bool:
    """Whether a model looks like RF-DETR, which is fed otherwise than its kin: by names, or COCO's 91 ids."""
    names = {info.name for info in session.outputs}
    last_axes = {info.shape[-1] for info in session.outputs if info.shape}
    return _size_input(session) is None and (names >= RF_DETR_NAMES or COCO_CATEGORIES in last_axes)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Everything a model says, before anything is dropped.

    Attributes:
        xyxy: (Q, 4) pixels of the picture.
        query: (M,) row of `xyxy`.
        confidence: (M,).
        class_id: (M,) the model's own.
    """

    xyxy: Tensor
    query: npt.NDArray[np.intp]
    confidence: Tensor
    class_id: Tensor

    def kept(self, class_ids: Tensor, options: DetrOptions) -> Detections:
        """The confident ones of named classes; ModelError for boxes beyond all measure or no label."""
        if not (np.abs(self.xyxy) < FAR_PX).all():
            raise ModelError("the detector gave boxes beyond all measure")
        if len(self.class_id) and not (self.class_id.min() >= 0 and self.class_id.max() < len(class_ids)):
            raise ModelError(
                f"the detector gave class {self.class_id.max()} where it has {len(class_ids)} labels"
            )
        class_id = class_ids[self.class_id]
        likely = np.flatnonzero((self.confidence >= options.min_confidence) & (class_id >= 0))
        order = likely[np.argsort(-self.confidence[likely], kind="stable")][: options.max_detections]
        confidence = as_float32(np.clip(self.confidence[order], 0, 1))
        return Detections(
            as_float32(self.xyxy[self.query[order]]), confidence, class_id[order].astype(np.int32)
        )


def _from_decoded(labels: Tensor, boxes: Tensor, scores: Tensor) -> _Candidates:
    return _Candidates(boxes.astype(np.float64), np.arange(len(boxes)), scores, labels.astype(np.int64))


def _from_queries(boxes: Tensor, logits: Tensor, size_wh: tuple[int, int]) -> _Candidates:
    xyxy = centred_to_xyxy(boxes.astype(np.float64)) * np.array([*size_wh, *size_wh])
    # Clipping keeps the exponential finite.
    confidence = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -_MAX_LOGIT, _MAX_LOGIT)))
    query, class_id = np.indices(logits.shape).reshape(2, -1)
    return _Candidates(xyxy, query, confidence.ravel(), class_id)


def _size_input(session: InferenceSession) -> TensorInfo | None:
    return next((info for info in session.inputs if info.name == SIZE_INPUT), None)


def _decoded_outputs(session: InferenceSession) -> tuple[int, ...]:
    """Where labels, boxes and scores are among the outputs."""
    ranks = {info.name: len(info.shape) for info in session.outputs}
    if len(session.inputs) != 2 or ranks != {"labels": 2, "boxes": 3, "scores": 2}:
        raise misfit(_FAMILY, "outputs labels (N, Q), boxes (N, Q, 4), scores (N, Q)", session.outputs)
    names = [info.name for info in session.outputs]
    return tuple(names.index(name) for name in DECODED_NAMES)


def _query_outputs(
    session: InferenceSession, picture: TensorInfo, size_wh: tuple[int, int], class_count: int
) -> tuple[int, ...]:
    """Where boxes and logits are among the outputs; others, such as masks, are left alone."""
    if len(session.inputs) != 1:
        raise misfit(_FAMILY, f"one picture, and {SIZE_INPUT} or nothing, as inputs", session.inputs)
    shapes = output_shapes(session, picture, size_wh)
    rows = [index for index, shape in enumerate(shapes) if len(shape) == 3]
    boxes = [index for index in rows if shapes[index][2] == 4 and _is_boxes(session, index, rows, shapes)]
    logits = [index for index in rows if index not in boxes and shapes[index][2] == class_count]
    if len(boxes) != 1 or len(logits) != 1 or shapes[boxes[0]][1] != shapes[logits[0]][1]:
        expected = f"boxes (N, Q, 4) and logits (N, Q, {class_count})"
        raise misfit(f"{_FAMILY} of {class_count} classes", expected, as_infos(session, shapes))
    return boxes[0], logits[0]


def _is_boxes(session: InferenceSession, index: int, rows: list[int], shapes: list[Shape]) -> bool:
    """Whether an output of four values a row is the boxes: with four classes, only its name tells."""
    if sum(shapes[other][2] == 4 for other in rows) == 1:
        return True
    name = session.outputs[index].name
    return "box" in name or name == "dets"
