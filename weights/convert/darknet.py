"""Darknet detectors of the YOLOv3 kind as ONNX, boxes decoded.

Redmon and Farhadi, arXiv:1804.02767: each cell and anchor of a head gives t_x, t_y, t_w, t_h, objectness and
class scores; centre = (sigmoid(t_xy) + cell) × stride, size = exp(t_wh) × anchor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from weights.convert import onnx_writer as writer
from weights.convert.darknet_cfg import Section, WeightsReader, parse_cfg
from weights.convert.darknet_head import Head, decode_head
from weights.errors import ConversionError
from weights.spec import Conversion

_LEAKY_SLOPE = 0.1


def convert(sources: Sequence[bytes], conversion: Conversion) -> bytes:
    """The ONNX file with input `images` (N, 3, H, W) and output `predictions` (N, boxes, 5 + classes).

    A row is centre x, centre y, width, height in pixels of the input, objectness, class probabilities given an
    object, the last two kinds from 0 to 1. H and W are multiples of the largest stride.

    Args:
        sources: the weights and the cfg.
        conversion: `masks` replaces those of the cfg.

    Raises:
        ConversionError: the files do not fit each other or use a layer this does not know.
    """
    if len(sources) != 2:
        raise ConversionError(f"Darknet: expected weights and cfg, got {len(sources)} files")
    network = _Network(WeightsReader(sources[0]), conversion.masks)
    for section in parse_cfg(sources[1])[1:]:
        network.add(section)
    return network.finish()


class _Network:
    """The graph so far: value, channels and stride of each layer by its index, as the cfg counts them."""

    def __init__(self, weights: WeightsReader, masks: Sequence[Sequence[int]]) -> None:
        self._weights = weights
        self._masks = masks
        self._graph = writer.GraphWriter()
        self._layers: list[tuple[str, int, int]] = []
        self._heads: list[str] = []
        self._classes = 0
        self._kinds: Mapping[str, Callable[[Section, str], tuple[str, int, int]]] = {
            "convolutional": self._convolution,
            "maxpool": self._maxpool,
            "upsample": self._upsample,
            "route": self._route,
            "yolo": self._yolo,
        }

    def add(self, section: Section) -> None:
        if section.name not in self._kinds:
            raise ConversionError(f"Darknet cfg: layers of kind [{section.name}] are not supported")
        self._layers.append(self._kinds[section.name](section, f"layer{len(self._layers)}"))

    def finish(self) -> bytes:
        if not self._heads:
            raise ConversionError("Darknet cfg: there is no [yolo] layer")
        if self._weights.remaining:
            raise ConversionError(f"Darknet weights: {self._weights.remaining} values are left over")
        if self._masks and len(self._masks) != len(self._heads):
            raise ConversionError(f"{len(self._masks)} masks for {len(self._heads)} [yolo] layers")
        self._graph.add("Concat", self._heads, "predictions", axis=1)
        images = writer.image_input("images", "batch", 3, "height", "width")
        predictions = writer.image_input("predictions", "batch", "boxes", 5 + self._classes)
        return self._graph.model("darknet", [images], [predictions])

    @property
    def _top(self) -> tuple[str, int, int]:
        return self._layers[-1] if self._layers else ("images", 3, 1)

    def _convolution(self, section: Section, name: str) -> tuple[str, int, int]:
        source, channels, stride = self._top
        filters, size, step = (section.integer(key) for key in ("filters", "size", "stride"))
        normalised = bool(section.integer("batch_normalize", 0))
        kernel, bias = self._weights.convolution((filters, channels, size, size), normalised=normalised)
        padding = size // 2 if section.integer("pad", 0) else 0
        top = self._graph.convolution(source, name, kernel, bias, stride=step, padding=padding)
        activation = section.settings.get("activation", "")
        if activation == "leaky":
            top = self._graph.add("LeakyRelu", [top], f"{name}.leaky", alpha=_LEAKY_SLOPE)
        elif activation != "linear":
            raise ConversionError(f"Darknet cfg: activation {activation!r} is not supported")
        return top, filters, stride * step

    def _maxpool(self, section: Section, name: str) -> tuple[str, int, int]:
        source, channels, stride = self._top
        size, step = section.integer("size"), section.integer("stride")
        # Darknet pads size − 1 in all, what is odd at the right and bottom.
        before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
        top = self._graph.add(
            "MaxPool",
            [source],
            name,
            kernel_shape=[size, size],
            strides=[step, step],
            pads=[before, before, after, after],
        )
        return top, channels, stride * step

    def _upsample(self, section: Section, name: str) -> tuple[str, int, int]:
        source, channels, stride = self._top
        factor = section.integer("stride")
        scales = self._graph.constant(f"{name}.scales", np.array([1, 1, factor, factor], np.float32))
        top = self._graph.add(
            "Resize",
            [source, "", scales],
            name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return top, channels, stride // factor

    def _route(self, section: Section, name: str) -> tuple[str, int, int]:
        here = len(self._layers)
        indices = [at if at >= 0 else here + at for at in section.integers("layers")]
        if not all(0 <= at < here for at in indices):
            raise ConversionError(f"Darknet cfg: [route] to a layer that is not before it: {indices}")
        sources = [self._layers[at] for at in indices]
        if len(sources) == 1:
            return sources[0]
        top = self._graph.add("Concat", [source[0] for source in sources], name, axis=1)
        return top, sum(source[1] for source in sources), sources[0][2]

    def _yolo(self, section: Section, name: str) -> tuple[str, int, int]:
        source, channels, stride = self._top
        self._classes = section.integer("classes")
        pairs = np.array(section.integers("anchors"), np.float32).reshape(-1, 2)
        at = len(self._heads)
        mask = list(self._masks[at]) if at < len(self._masks) else section.integers("mask")
        if max(mask) >= len(pairs) or channels != len(mask) * (5 + self._classes):
            raise ConversionError(f"Darknet cfg: [yolo] mask {mask} does not fit {channels} channels")
        self._heads.append(decode_head(self._graph, source, name, Head(pairs[mask], stride, self._classes)))
        return source, channels, stride
