"""dlib's face recognition ResNet, read from its `.dat` file and written as ONNX.

The topology is that of dlib's example `dnn_face_recognition_ex.cpp` (29 convolutions, He et al., arXiv:1512.03385,
cut down); the file holds a version number per layer, outermost first, and then the layers themselves, innermost
first. Affine layers are folded into the convolutions before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weights.convert import onnx_writer as writer
from weights.convert.dlib_stream import DlibStream
from weights.errors import ConversionError
from weights.spec import Conversion

_SIZE_PX = 150
_DIMENSION = 128
_STEM_FILTERS = 32
_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Filters, blocks, and whether the first block halves the size: dlib's levels 4 to 0."""


@dataclass(frozen=True, slots=True)
class _Convolution:
    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    stride: int
    padding: int


def convert(sources: Sequence[bytes], _conversion: Conversion) -> bytes:
    """The ONNX file with input `images` (N, 3, 150, 150) and output `embedding` (N, 128), not of unit length.

    Raises:
        ConversionError: the source is not the network this is for.
    """
    stream = DlibStream(sources[0])
    _read_head(stream)
    graph = writer.GraphWriter()
    top, size_px = _stem(stream, graph)
    channels = _STEM_FILTERS
    for level, (filters, blocks, halves) in enumerate(_LEVELS):
        for block in range(blocks):
            shape = _Shape(channels, filters, size_px)
            name = f"level{level}.block{block}"
            top, size_px = _block(stream, graph, top, name, shape, halves and block == 0)
            channels = filters
    _head(stream, graph, top)
    if not stream.at_end:
        raise ConversionError("dlib network file: more follows after the last layer")
    images = writer.image_input("images", "batch", 3, _SIZE_PX, _SIZE_PX)
    embedding = writer.image_input("embedding", "batch", _DIMENSION)
    return graph.model("dlib_face_recognition_resnet", [images], [embedding])


def _read_head(stream: DlibStream) -> None:
    """The loss, then one version number per layer down to the input."""
    stream.expect(1, "version of the loss layer")
    if stream.expect_name("loss_metric_", "loss_metric_2") == "loss_metric_2":
        stream.real(), stream.real()  # margin and distance of the training
    while (version := stream.integer()) in (1, 2):  # 1: tags and skips, 2: layers with something in them
        pass
    if version != 3:
        raise ConversionError(f"dlib network file: version {version} of the innermost layer")
    stream.expect_name("input_rgb_image_sized")
    for _ in range(3):
        stream.real()  # the means, which the catalogue has
    stream.expect(_SIZE_PX, "height of the input")
    stream.expect(_SIZE_PX, "width of the input")


def _end_of_layer(stream: DlibStream, *, innermost: bool = False) -> None:
    """What follows the details of each layer: states of training that no longer matter."""
    for _ in range(3):
        stream.flag()
    for _ in range(3):
        stream.tensor()
    if innermost:
        stream.integer()


def _read_convolution(stream: DlibStream, channels: int, *, innermost: bool = False) -> _Convolution:
    """A convolution and the affine layer after it, as one convolution."""
    name = stream.expect_name("con_4", "con_5", "con_6")
    parameters = stream.tensor().ravel()
    filters = stream.integer()
    rows, columns, stride_y, stride_x, padding_y, padding_x = (stream.integer() for _ in range(6))
    stream.alias(), stream.alias()
    for _ in range(4):
        stream.real()
    for _ in range({"con_4": 0, "con_5": 1, "con_6": 2}[name]):
        stream.flag()
    _end_of_layer(stream, innermost=innermost)
    if (rows, stride_y, padding_y) != (columns, stride_x, padding_x) or parameters.size != filters * (
        channels * rows * columns + 1
    ):
        raise ConversionError(f"dlib network file: a {rows}x{columns} convolution of {filters} filters")
    gamma, beta = _read_affine(stream, filters)
    kernel = parameters[:-filters].reshape(filters, channels, rows, columns)
    bias = parameters[-filters:] * gamma + beta
    return _Convolution(kernel * gamma[:, None, None, None], bias, stride_y, padding_y)


def _read_affine(stream: DlibStream, filters: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    name = stream.expect_name("affine_", "affine_2")
    parameters = stream.tensor().ravel()
    stream.alias(), stream.alias()
    stream.integer()
    if name == "affine_2":
        stream.flag()
    _end_of_layer(stream)
    if parameters.size != 2 * filters:
        raise ConversionError(f"dlib network file: {parameters.size} affine values for {filters} filters")
    return parameters[:filters], parameters[filters:]


def _read_plain(stream: DlibStream, *names: str) -> None:
    """A layer without parameters."""
    if stream.expect_name(*names) == "relu_2":
        stream.flag()
    _end_of_layer(stream)


def _read_pool(stream: DlibStream, name: str, size: int, stride: int) -> None:
    """A pooling layer, which must be size x size, without padding."""
    stream.expect_name(name)
    for wanted in (size, size, stride, stride, 0, 0):
        stream.expect(wanted, f"size, stride or padding of {name}")
    _end_of_layer(stream)


def _stem(stream: DlibStream, graph: writer.GraphWriter) -> tuple[str, int]:
    first = _read_convolution(stream, 3, innermost=True)
    _read_plain(stream, "relu_", "relu_2")
    _read_pool(stream, "max_pool_2", 3, 2)
    top = graph.convolution(
        "images", "stem", first.kernel, first.bias, stride=first.stride, padding=first.padding
    )
    top = graph.add("Relu", [top], "stem.relu")
    top = graph.add("MaxPool", [top], "stem.pool", kernel_shape=[3, 3], strides=[2, 2])
    return top, (_after(_SIZE_PX, first) - 3) // 2 + 1


def _after(size_px: int, convolution: _Convolution) -> int:
    kernel_px = int(convolution.kernel.shape[2])
    return (size_px + 2 * convolution.padding - kernel_px) // convolution.stride + 1


@dataclass(frozen=True, slots=True)
class _Shape:
    channels: int
    filters: int
    size_px: int


def _block(
    stream: DlibStream, graph: writer.GraphWriter, source: str, name: str, shape: _Shape, halves: bool
) -> tuple[str, int]:
    """One residual block; returns its output and that output's width and height."""
    first = _read_convolution(stream, shape.channels)
    _read_plain(stream, "relu_", "relu_2")
    second = _read_convolution(stream, shape.filters)
    top = graph.convolution(
        source, f"{name}.conv0", first.kernel, first.bias, stride=first.stride, padding=first.padding
    )
    top = graph.add("Relu", [top], f"{name}.conv0.relu")
    top = graph.convolution(
        top, f"{name}.conv1", second.kernel, second.bias, stride=second.stride, padding=second.padding
    )
    size_px = _after(_after(shape.size_px, first), second)
    shortcut, shortcut_px = source, shape.size_px
    if halves:
        _read_pool(stream, "avg_pool_2", 2, 2)
        shortcut = graph.add("AveragePool", [source], f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2])
        shortcut_px = shape.size_px // 2
    _read_plain(stream, "add_prev_")
    _read_plain(stream, "relu_", "relu_2")
    # dlib adds what differs in size as if the smaller were filled up with zeros.
    out_px = max(size_px, shortcut_px)
    top = _fill_up(graph, top, f"{name}.fill", 0, out_px - size_px)
    missing = shape.filters - shape.channels
    shortcut = _fill_up(graph, shortcut, f"{name}.pool.fill", missing, out_px - shortcut_px)
    top = graph.add("Add", [top, shortcut], f"{name}.sum")
    return graph.add("Relu", [top], f"{name}.relu"), out_px


def _fill_up(graph: writer.GraphWriter, source: str, output: str, channels: int, border_px: int) -> str:
    """The source with zero channels after its own and a border of zeros at the right and bottom."""
    if channels == 0 and border_px == 0:
        return source
    pads = np.array([0, 0, 0, 0, 0, channels, border_px, border_px], np.int64)
    return graph.add("Pad", [source, graph.constant(f"{output}.pads", pads)], output)


def _head(stream: DlibStream, graph: writer.GraphWriter, source: str) -> None:
    """Average over the whole picture, then the matrix down to 128 numbers."""
    stream.expect_name("avg_pool_2")
    for wanted in (0, 0, 1, 1, 0, 0):  # size 0: everything
        stream.expect(wanted, "size, stride or padding of the last pooling")
    _end_of_layer(stream)
    name = stream.expect_name("fc_2", "fc_3")
    stream.expect(_DIMENSION, "length of the output")
    width = stream.integer()
    matrix = stream.tensor()
    stream.alias(), stream.alias()
    stream.integer()
    for _ in range(4):
        stream.real()
    if name == "fc_3":
        stream.flag()
    _end_of_layer(stream)
    if matrix.size != width * _DIMENSION:
        raise ConversionError(f"dlib network file: {matrix.size} values in the last matrix")
    pooled = graph.add("GlobalAveragePool", [source], "pooled")
    flat = graph.add("Flatten", [pooled], "flat", axis=1)
    weights = graph.constant("embedding.weight", matrix.reshape(width, _DIMENSION))
    graph.add("MatMul", [flat, weights], "embedding")
