"""Detectors of the Darknet YOLO kind whose boxes the graph itself decodes.

The one output is (1, boxes, 5 + classes): centre x and y, width and height in pixels of the input,
objectness, and the classes' probabilities given an object (Redmon and Farhadi, arXiv:1804.02767).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.boxes import area, as_float32, centred_to_xyxy, clip, nms
from vision.detect.layout import misfit, picture_input
from vision.errors import ModelError
from vision.images import Placement, letterbox, to_tensor, validate_image
from vision.runtime import InferenceSession, Tensor
from vision.types import Detections, Image, ModelInput

FAR_PX = 1e7
"""No coordinate of a sane box is larger."""


@dataclass(frozen=True, slots=True)
class YoloOptions:
    """What is searched and what is kept.

    Attributes:
        min_confidence: objectness × class probability below it is not reported. At 0.2 YOLOv3-tiny finds
            half the persons of COCO photographs, three in four boxes being right.
        max_iou: of two boxes of one class that overlap more, the less confident one goes.
        long_side_px: of the canvas the picture is fitted to; 0 for the model's own size.
        padding_value: grey of the canvas beyond the picture.
        multiple_of_px: sides the model accepts; 0 where only its own size will do.
        max_detections: of more, the most confident are kept.
    """

    min_confidence: float = 0.2
    max_iou: float = 0.45
    long_side_px: int = 0
    padding_value: int = 127
    multiple_of_px: int = 0
    max_detections: int = 300


class Yolo:
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
            ModelError: a model whose output is not (…, …, 5 + labels), or a size it does not take.
        """
        self._options = options or YoloOptions()
        multiple = self._options.multiple_of_px
        family = f"YOLO of {len(labels)} classes"
        picture_input(session, family, (0, 0) if multiple else model_input.size_wh)
        last_axes = [info.shape[-1] if len(info.shape) == 3 else 0 for info in session.outputs]
        if len(session.inputs) != 1 or last_axes != [5 + len(labels)]:
            raise misfit(family, f"one output (N, boxes, {5 + len(labels)})", session.outputs)
        if self._options.long_side_px and (not multiple or self._options.long_side_px % multiple):
            raise ModelError(f"long_side_px must be a multiple of {multiple or 'the fixed size'}")
        self.providers = session.providers
        self._session = session
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
        tensor = to_tensor([canvas], self._model_input)
        output = self._session.run({self._session.inputs[0].name: tensor})[0]
        found = decode(output[0], placement, self._options)
        return inside(found, (image.shape[1], image.shape[0]))


def canvas_wh(image: Image, usual_wh: tuple[int, int], options: YoloOptions) -> tuple[int, int]:
    """The smallest canvas whose sides the model takes and on which the picture has the wanted size.

    Args:
        image: (H, W, 3).
        usual_wh: width and height of the model's own input, pixels.
        options: which sides the model takes, and the size wanted.
    """
    multiple = options.multiple_of_px
    if not multiple:
        return usual_wh
    long_side = options.long_side_px or max(usual_wh)
    height, width = image.shape[:2]
    ratio = long_side / max(height, width)
    return (_next_multiple(width * ratio, multiple), _next_multiple(height * ratio, multiple))


def decode(rows: Tensor, placement: Placement, options: YoloOptions) -> Detections:
    """Detections from a decoded output.

    A box is reported once for each class it is likely enough of, as Darknet does.

    Args:
        rows: (boxes, 5 + classes).
        placement: of the picture on the canvas the network saw.
        options: what is kept.

    Returns:
        Detections in pixels of the picture, by falling confidence, not clipped.

    Raises:
        ModelError: values that are not finite or make no sense.
    """
    if not (np.isfinite(rows).all() and (np.abs(rows[:, :4]) < FAR_PX).all()):
        raise ModelError("the detector gave values that are not finite, or boxes beyond all measure")
    likely = rows[rows[:, 4] >= options.min_confidence]
    scores = likely[:, 4:5] * likely[:, 5:]
    box, class_id = np.nonzero(scores >= options.min_confidence)
    confidence = scores[box, class_id]
    xyxy = centred_to_xyxy(likely[box, :4].astype(np.float64))
    kept = nms(xyxy, confidence, options.max_iou, class_id, options.max_detections)
    return Detections(
        placement.boxes_back(xyxy[kept]),
        as_float32(np.clip(confidence[kept], 0, 1)),
        class_id[kept].astype(np.int32),
    )


def inside(found: Detections, size_wh: tuple[int, int]) -> Detections:
    """The detections cut off at the picture's edges, without those that lie beyond them."""
    clipped = Detections(clip(found.xyxy, size_wh), found.confidence, found.class_id)
    return clipped[np.flatnonzero(area(clipped.xyxy) > 0)]


def _next_multiple(length: float, multiple: int) -> int:
    return max(1, -(-round(length) // multiple)) * multiple
