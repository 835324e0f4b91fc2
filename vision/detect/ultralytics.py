"""YOLOv8, YOLO11 and YOLO26 as the package ultralytics exports them to ONNX, with and without NMS built in.

One input, RGB, 0 to 1, the picture in the middle of a canvas of grey 114 (ultralytics/data/augment.py,
`LetterBox`). One output, in one of two layouts:

- (N, 4 + classes, anchors): centre x and y, width and height in pixels of the input, then the classes'
  probabilities; there is no objectness (ultralytics/nn/modules/head.py, `Detect`);
- (N, K, 6): x1, y1, x2, y2 in pixels of the input, confidence, class. Overlaps are gone: by the network
  itself in YOLO26 exported with `end2end=True` (docs.ultralytics.com/guides/end2end-detection), by `nms=True`
  in any other (ultralytics/engine/exporter.py, `NMSModel`), which fills unused rows with zeros.

Held against `yolo predict` 8.4.190 on the same exports, with random weights: the same boxes, less those that
lie wholly in the padding.
"""

from __future__ import annotations

import numpy as np

from vision.boxes import as_float32, centred_to_xyxy, nms
from vision.detect.layout import as_infos, misfit, output_shapes, picture_input
from vision.detect.yolo import FAR_PX, YoloOptions, canvas_wh, inside
from vision.errors import ModelError
from vision.images import Placement, letterbox, to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Detections, Image, ModelInput

PADDING_VALUE = 114
_END_TO_END_VALUES = 6
_BOX_VALUES = 4
USUAL = YoloOptions(min_confidence=0.25, max_iou=0.7, padding_value=PADDING_VALUE)
"""Confidence and overlap as `yolo predict` has them (ultralytics/cfg/default.yaml)."""


class Ultralytics:
    """A `Detector`."""

    def __init__(
        self,
        session: InferenceSession,
        model_input: ModelInput,
        labels: tuple[str, ...],
        options: YoloOptions | None = None,
    ) -> None:
        """Takes a loaded model.

        Raises:
            ModelError: a model of other inputs or outputs, or of another number of classes.
        """
        self._options = options or USUAL
        size_wh = (0, 0) if self._options.multiple_of_px else model_input.size_wh
        family = f"YOLO by Ultralytics of {len(labels)} classes"
        picture = picture_input(session, family, size_wh)
        if len(session.inputs) != 1:
            raise misfit(family, "one input", session.inputs)
        shapes = output_shapes(session, picture, model_input.size_wh)
        rows = _BOX_VALUES + len(labels)
        self._end_to_end = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] == _END_TO_END_VALUES
        raw = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] == rows
        if not (self._end_to_end or raw):
            expected = f"one output (N, {rows}, anchors) or (N, boxes, {_END_TO_END_VALUES})"
            raise misfit(family, expected, as_infos(session, shapes))
        self.providers = session.providers
        self._session = session
        self._input_name = picture.name
        self._model_input = model_input
        self.labels = labels

    @property
    def min_confidence(self) -> float:
        """Detections below it are not reported."""
        return self._options.min_confidence

    def detect(self, image: Image) -> Detections:
        """The objects in one picture; see `Detector.detect`."""
        image = validate_image(image)
        size_wh = canvas_wh(image, self._model_input.size_wh, self._options)
        canvas, placement = letterbox(image, size_wh, fill=self._options.padding_value, centred=True)
        output = self._session.run({self._input_name: to_tensor([canvas], self._model_input)})[0]
        if self._end_to_end:
            found = decode_end_to_end(output[0], placement, self._options, len(self.labels))
        else:
            found = decode_raw(output[0], placement, self._options)
        return inside(found, (image.shape[1], image.shape[0]))


def decode_raw(columns: Tensor, placement: Placement, options: YoloOptions) -> Detections:
    """Detections from the raw layout.

    An anchor is the class it is likeliest of, and no other, as in `yolo predict`.

    Args:
        columns: (4 + classes, anchors).
        placement: of the picture on the canvas the network saw.
        options: what is kept.

    Returns:
        Detections in pixels of the picture, by falling confidence, not clipped.

    Raises:
        ModelError: values that are not finite or make no sense.
    """
    _refuse_nonsense(columns, columns[:_BOX_VALUES])
    scores = columns[_BOX_VALUES:]
    best = scores.argmax(axis=0)
    confidence = scores[best, np.arange(scores.shape[1])]
    likely = np.flatnonzero(confidence >= options.min_confidence)
    xyxy = centred_to_xyxy(columns[:_BOX_VALUES, likely].T.astype(np.float64))
    kept = nms(xyxy, confidence[likely], options.max_iou, best[likely], options.max_detections)
    return _detections(xyxy[kept], confidence[likely][kept], best[likely][kept], placement)


def decode_end_to_end(
    rows: Tensor, placement: Placement, options: YoloOptions, class_count: int
) -> Detections:
    """Detections from the layout without overlaps.

    Args:
        rows: (K, 6).
        placement: of the picture on the canvas the network saw.
        options: what is kept; `max_iou` does not apply.
        class_count: classes there are names for.

    Returns:
        As `decode_raw`.

    Raises:
        ModelError: values that are not finite or make no sense, or a class without a name.
    """
    _refuse_nonsense(rows, rows[:, :_BOX_VALUES])
    class_id = rows[:, 5]
    if len(rows) and not (class_id.min() >= 0 and class_id.max() < class_count):
        raise ModelError(f"the detector gave class {class_id.max():g} where it has names for {class_count}")
    order = np.argsort(-rows[:, 4], kind="stable")
    kept = order[rows[order, 4] >= options.min_confidence][: options.max_detections]
    return _detections(rows[kept, :_BOX_VALUES].astype(np.float64), rows[kept, 4], class_id[kept], placement)


def _refuse_nonsense(values: Tensor, boxes: Tensor) -> None:
    if not (np.isfinite(values).all() and (np.abs(boxes) < FAR_PX).all()):
        raise ModelError("the detector gave values that are not finite, or boxes beyond all measure")


def _detections(xyxy: Tensor, confidence: Tensor, class_id: Tensor, placement: Placement) -> Detections:
    return Detections(
        placement.boxes_back(xyxy), as_float32(np.clip(confidence, 0, 1)), class_id.astype(np.int32)
    )
