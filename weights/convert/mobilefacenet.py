"""The MobileFaceNet embedder: its batch of one, declared and baked into the last Reshape, made free; PReLU split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import numpy_helper

from weights.convert import onnx_writer as writer
from weights.convert.prelu import split_prelu
from weights.errors import ConversionError
from weights.spec import Conversion

_SIZE_PX = 112
_DIMENSION = 512


def convert(sources: Sequence[bytes], _conversion: Conversion) -> bytes:
    """The ONNX file with input `images` (N, 3, 112, 112) and output `embedding` (N, 512).

    Raises:
        ConversionError: the source is not the graph this is for.
    """
    model = writer.decode(sources[0], "MobileFaceNet")
    graph = model.graph
    weights = writer.upstream_weights(graph)
    last = graph.node[-1]
    target = weights.get(last.input[1]) if last.op_type == "Reshape" else None
    if target is None or numpy_helper.to_array(target).tolist() != [1, -1]:
        raise ConversionError("MobileFaceNet: the graph does not end in a Reshape to [1, -1]")
    target.CopyFrom(numpy_helper.from_array(np.array([-1, _DIMENSION], np.int64), target.name))
    source = next(value.name for value in graph.input if value.name not in weights)
    writer.rename(graph, {source: "images", graph.output[0].name: "embedding"})
    split_prelu(graph)
    images = writer.image_input("images", "batch", 3, _SIZE_PX, _SIZE_PX)
    embedding = writer.image_input("embedding", "batch", _DIMENSION)
    rebuilt = writer.rebuild(graph, "mobilefacenet", [images], [embedding])
    return writer.encode(rebuilt, model.opset_import[0].version)
