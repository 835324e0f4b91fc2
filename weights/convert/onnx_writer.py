"""Writes ONNX files that are the same bytes on every machine.

Nothing of the moment goes in: no time, no tool version, no order of a hash table. Initialisers are sorted
by name and the arithmetic before them is element by element in IEEE 754, which has one right answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from weights.errors import ConversionError

Array: TypeAlias = npt.NDArray[Any]
Dimension: TypeAlias = int | str | None

OPSET = 17
IR_VERSION = 8
PRODUCER = "aiqyn"


class GraphWriter:
    """Collects nodes in order; every method returns the name of what its node puts out."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node with one output, which also is its name."""
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Array) -> str:
        """An initialiser of that name."""
        self._initializers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def convolution(
        self, source: str, output: str, kernel: Array, bias: Array, *, stride: int, padding: int
    ) -> str:
        """A square convolution with the same stride and padding on all sides; kernel is (O, I, K, K)."""
        inputs = [source, self.constant(f"{output}.weight", kernel), self.constant(f"{output}.bias", bias)]
        size = int(kernel.shape[2])
        return self.add(
            "Conv", inputs, output, kernel_shape=[size, size], strides=[stride, stride], pads=[padding] * 4
        )

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
        """The whole graph as the bytes of an ONNX file."""
        initializers = [self._initializers[key] for key in sorted(self._initializers)]
        return encode(helper.make_graph(self.nodes, name, inputs, outputs, initializers), OPSET)


def image_input(name: str, *dimensions: Dimension) -> Any:
    """A float32 input or output; a string names a dimension that is free."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(dimensions))


def encode(graph: Any, opset: int) -> bytes:
    """The checked ONNX file of a graph.

    Raises:
        ConversionError: the graph is not valid ONNX.
    """
    model = helper.make_model(
        graph, producer_name=PRODUCER, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", opset)]
    )
    model.producer_version = ""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ConversionError(f"{graph.name}: the converted graph is not valid ONNX: {error}") from error
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def decode(content: bytes, what: str) -> Any:
    """The model in an ONNX file, with at least one node and one output.

    Raises:
        ConversionError: it is none.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ConversionError(f"{what}: not an ONNX file: {error}") from error
    if not (model.graph.node and model.graph.output and model.opset_import):
        raise ConversionError(f"{what}: the ONNX file holds no graph")
    return model


def upstream_weights(graph: Any) -> dict[str, Any]:
    """The initialisers of a graph by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def rebuild(graph: Any, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """The same computation with other declared inputs and outputs, without what no node uses."""
    used = {value for node in graph.node for value in node.input}
    nodes = []
    for node in graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.ClearField("doc_string")
        nodes.append(copy)
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    tensors = sorted(kept, key=lambda tensor: str(tensor.name))
    return helper.make_graph(nodes, name, inputs, outputs, tensors)


def rename(graph: Any, names: dict[str, str]) -> None:
    """Renames values, in place, wherever a node takes or gives them."""
    for node in graph.node:
        node.input[:] = [names.get(value, value) for value in node.input]
        node.output[:] = [names.get(value, value) for value in node.output]
