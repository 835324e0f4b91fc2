"""CenterFace: the published file mended so that it runs at any size.

The file declares a fixed input of 10×3×32×32 and lists all its initialisers as inputs, which makes
runtimes refuse other sizes and keeps them from folding constants. The computation is untouched.
Upstream: https://github.com/Star-Clouds/CenterFace (MIT); paper arXiv:1911.03599.
"""

from __future__ import annotations

from collections.abc import Sequence

from weights.convert import onnx_writer as writer
from weights.errors import ConversionError
from weights.spec import Conversion

_OUTPUTS = (("heatmap", 1), ("log_size", 2), ("offset", 2), ("landmarks", 10))


def convert(sources: Sequence[bytes], _conversion: Conversion) -> bytes:
    """The ONNX file with input `images` (N, 3, H, W) and four outputs at stride 4, H and W multiples of 32.

    Raises:
        ConversionError: the source is not the graph this is for.
    """
    model = writer.decode(sources[0], "CenterFace")
    graph = model.graph
    weights = writer.upstream_weights(graph)
    inputs = [value.name for value in graph.input if value.name not in weights]
    outputs = [value.name for value in graph.output]
    if len(inputs) != 1 or len(outputs) != len(_OUTPUTS):
        raise ConversionError(f"CenterFace: expected 1 input and 4 outputs, got {inputs} and {outputs}")
    names = dict(zip(outputs, (name for name, _ in _OUTPUTS), strict=True))
    writer.rename(graph, {inputs[0]: "images", **names})
    free = writer.image_input("images", "batch", 3, "height", "width")
    heads = [
        writer.image_input(name, "batch", channels, "height/4", "width/4") for name, channels in _OUTPUTS
    ]
    return writer.encode(writer.rebuild(graph, "centerface", [free], heads), model.opset_import[0].version)
