"""Turns upstream files into ONNX: one module per format, chosen by the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from weights.errors import ConversionError
from weights.spec import Conversion

CONVERTERS: Mapping[str, str] = {
    "centerface": "weights.convert.centerface",
    "mobilefacenet": "weights.convert.mobilefacenet",
    "dlib-resnet": "weights.convert.dlib_resnet",
    "darknet": "weights.convert.darknet",
}
"""Modules with `convert(sources, conversion) -> bytes`; imported when used, since `onnx` is heavy."""


def convert(sources: Sequence[bytes], conversion: Conversion) -> bytes:
    """The ONNX file made of the source files.

    Args:
        sources: contents of the source's files, in the order of the catalogue.
        conversion: which converter, with its options.

    Raises:
        ConversionError: there is no such converter, or the sources are not what it is for.
    """
    if conversion.converter not in CONVERTERS:
        raise ConversionError(
            f"no converter is called {conversion.converter!r}; there are: {', '.join(CONVERTERS)}"
        )
    module = import_module(CONVERTERS[conversion.converter])
    content: bytes = module.convert(sources, conversion)
    return content
