"""ONNX files somebody might want to add: a small embedder, and files that are broken or hostile in one way each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE_PX = 32
DIMENSION = 16
_POOL_PX = 8


@dataclass(frozen=True, slots=True)
class EmbedderFlaws:
    """What is wrong with an embedder.

    Attributes:
        batch: declared; 0 for any.
        one_row: its last Reshape makes one row of whatever comes.
        blind: it answers the same whatever it is shown.
        nan: it divides by zero.
        random: chance is in it.
        opset: of the file.
        domain: of one of its operators; empty for ONNX's own.
        extra_input: it wants a second input.
    """

    batch: int = 0
    one_row: bool = False
    blind: bool = False
    nan: bool = False
    random: bool = False
    opset: int = 17
    domain: str = ""
    extra_input: bool = False


def embedder(flaws: EmbedderFlaws | None = None) -> bytes:
    """An embedder of 32-pixel faces: means of squares of 8 × 8 pixels, projected to 16 numbers."""
    return bytes(embedder_model(flaws).SerializeToString())


def embedder_model(flaws: EmbedderFlaws | None = None) -> Any:
    """As `embedder`, not yet written."""
    flaws = flaws or EmbedderFlaws()
    squares = 3 * (SIZE_PX // _POOL_PX) ** 2
    draw = np.random.default_rng(7)
    weights = draw.normal(size=(squares, DIMENSION)).astype(np.float32)
    offset = draw.normal(size=DIMENSION).astype(np.float32)
    if flaws.blind:
        weights[:] = 0
    if flaws.nan:
        offset[3] = np.nan
    shape = [1, -1] if flaws.one_row else [-1, DIMENSION]
    nodes = [
        helper.make_node(
            "AveragePool", ["input"], ["pooled"], kernel_shape=[_POOL_PX] * 2, strides=[_POOL_PX] * 2
        ),
        helper.make_node("Flatten", ["pooled"], ["flat"], domain=flaws.domain),
        helper.make_node("MatMul", ["flat", "weights"], ["projected"]),
        helper.make_node("Add", ["projected", "offset"], ["shifted"]),
        helper.make_node("Reshape", ["shifted", "shape"], ["reshaped"]),
    ]
    if flaws.random:
        nodes.append(helper.make_node("RandomNormalLike", ["reshaped"], ["chance"]))
    nodes.append(helper.make_node("Add", ["reshaped", "chance" if flaws.random else "zero"], ["embedding"]))
    constants: dict[str, npt.NDArray[Any]] = {
        "weights": weights,
        "offset": offset,
        "shape": np.array(shape, np.int64),
        "zero": np.zeros(1, np.float32),
    }
    inputs = [_float("input", [flaws.batch or "N", 3, SIZE_PX, SIZE_PX])]
    if flaws.extra_input:
        inputs.append(_float("mask", ["N", 1, SIZE_PX, SIZE_PX]))
    imports = [helper.make_opsetid("", flaws.opset)]
    if flaws.domain:
        imports.append(helper.make_opsetid(flaws.domain, 1))
    graph = helper.make_graph(
        nodes,
        "embedder",
        inputs,
        [_float("embedding", [flaws.batch or "N", DIMENSION])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="tests")


def wanting(floats: int, *, at_load: bool) -> bytes:
    """An embedder that fills so many floats first: while it is loaded, or only when it is run."""
    model = embedder_model()
    model.graph.initializer.append(numpy_helper.from_array(np.array([floats], np.int64), "many"))
    size = "many"
    nodes = []
    if not at_load:
        # The size depends on the picture, so that nothing can be worked out beforehand.
        nodes = [
            helper.make_node("ReduceMin", ["input"], ["least"], keepdims=0),
            helper.make_node("Mul", ["least", "zero"], ["nothing"]),
            helper.make_node("Cast", ["nothing"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Add", ["many", "whole"], ["asked"]),
        ]
        size = "asked"
    nodes += [
        helper.make_node("ConstantOfShape", [size], ["filled"], value=helper.make_tensor("v", 1, [1], [0.0])),
        helper.make_node("ReduceMax", ["filled"], ["top"], keepdims=0),
        helper.make_node("Add", ["pooled_0", "top"], ["pooled"]),
    ]
    model.graph.node[0].output[0] = "pooled_0"
    position = 1
    for node in nodes:
        model.graph.node.insert(position, node)
        position += 1
    return bytes(model.SerializeToString())


def endless() -> bytes:
    """An embedder with a loop of 10¹⁵ rounds in front."""
    model = embedder_model()
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["so_far", "so_far"], ["sum"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            _float("so_far", [1]),
        ],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []), _float("sum", [1])],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(10**15, np.int64), "rounds"))
    loop = helper.make_node("Loop", ["rounds", "", "zero"], ["looped"], body=body)
    model.graph.node.insert(0, loop)
    model.graph.node.append(helper.make_node("Add", ["embedding_0", "looped"], ["embedding"]))
    model.graph.node[-2].output[0] = "embedding_0"
    return bytes(model.SerializeToString())


def external(location: str, offset: int = 0, length: int | None = None) -> bytes:
    """An embedder that keeps its projection in another file."""
    model = embedder_model()
    tensor = next(each for each in model.graph.initializer if each.name == "weights")
    size = len(tensor.raw_data) if length is None else length
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return bytes(model.SerializeToString())


def external_weights() -> bytes:
    """What the other file of `external` must hold."""
    return bytes(next(each for each in embedder_model().graph.initializer if each.name == "weights").raw_data)


def huge_tensor() -> bytes:
    """An embedder one of whose constants declares 3 GB and carries 4 bytes."""
    model = embedder_model()
    tensor = TensorProto(name="huge", data_type=TensorProto.FLOAT, dims=[750_000_000], raw_data=b"\0" * 4)
    model.graph.initializer.append(tensor)
    return bytes(model.SerializeToString())


def colour_embedder(size_px: int) -> bytes:
    """An embedder made for BGR and −1 to 1: it looks at blue most, red least, and is blinded by large values.

    Each square's mean goes through tanh(2x) and is weighted by its channel.
    """
    squares = (size_px // _POOL_PX) ** 2
    weights = np.repeat(np.array([1.0, 0.3, 0.02], np.float32), squares)
    constants = {"two": np.array([2.0], np.float32), "weights": weights}
    nodes = [
        helper.make_node(
            "AveragePool", ["input"], ["pooled"], kernel_shape=[_POOL_PX] * 2, strides=[_POOL_PX] * 2
        ),
        helper.make_node("Mul", ["pooled", "two"], ["doubled"]),
        helper.make_node("Tanh", ["doubled"], ["bounded"]),
        helper.make_node("Flatten", ["bounded"], ["flat"]),
        helper.make_node("Mul", ["flat", "weights"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [_float("input", ["N", 3, size_px, size_px])],
        [_float("embedding", ["N", 3 * squares])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())


def empty_output() -> bytes:
    """A YOLO that never has a box to give."""
    node = helper.make_node("Slice", ["long", "start", "stop", "axes"], ["output"])
    constants: dict[str, npt.NDArray[Any]] = {
        "long": np.zeros((1, 3, 85), np.float32),
        "start": np.array([0], np.int64),
        "stop": np.array([0], np.int64),
        "axes": np.array([1], np.int64),
    }
    graph = helper.make_graph(
        [node],
        "empty",
        [_float("images", [1, 3, 64, 64])],
        [_float("output", [1, "boxes", 85])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=imports, ir_version=8).SerializeToString())


def write(folder: Path, content: bytes, name: str = "model.onnx") -> Path:
    """A file of that content."""
    path = folder / name
    path.write_bytes(content)
    return path


def _float(name: str, axes: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)
