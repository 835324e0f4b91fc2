"""The last step of a YOLOv3 head inside the graph: from raw values to boxes in pixels of the input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from weights.convert.onnx_writer import Array, GraphWriter

_VALUES_AXIS = 3


@dataclass(frozen=True, slots=True)
class Head:
    """One `[yolo]` layer.

    Attributes:
        anchors_wh: (A, 2) float32 pixels of the input.
        stride: pixels per cell.
        classes: count of them.
    """

    anchors_wh: Array
    stride: int
    classes: int


def decode_head(graph: GraphWriter, source: str, name: str, head: Head) -> str:
    """Appends the nodes that turn (N, A × (5 + classes), h, w) into (N, A × h × w, 5 + classes).

    Args:
        graph: to append to.
        source: the raw head.
        name: prefix of the new nodes.
        head: its anchors, stride and classes.

    Returns:
        The value with rows anchor by anchor, cell by cell, line by line.
    """
    width = 5 + head.classes
    anchors = head.anchors_wh.reshape(1, -1, 1, 2).astype(np.float32)
    split = graph.constant(f"{name}.split", np.array([0, anchors.shape[1], width, -1], np.int64))
    flat = graph.constant(f"{name}.flat", np.array([0, -1, width], np.int64))
    rows = graph.add("Reshape", [source, split], f"{name}.anchors_first")
    rows = graph.add("Transpose", [rows], f"{name}.rows", perm=[0, 1, 3, 2])
    squashed = graph.add("Sigmoid", [rows], f"{name}.sigmoid")
    offset = _columns(graph, squashed, f"{name}.t_xy", 0, 2)
    centre = graph.add("Add", [offset, _cells(graph, source, name)], f"{name}.cells_xy")
    stride = graph.constant(f"{name}.stride", np.array(head.stride, np.float32))
    centre = graph.add("Mul", [centre, stride], f"{name}.xy")
    size = graph.add("Exp", [_columns(graph, rows, f"{name}.t_wh", 2, 4)], f"{name}.anchors_wh")
    size = graph.add("Mul", [size, graph.constant(f"{name}.anchors", anchors)], f"{name}.wh")
    scores = _columns(graph, squashed, f"{name}.scores", 4, width)
    joined = graph.add("Concat", [centre, size, scores], f"{name}.joined", axis=_VALUES_AXIS)
    return graph.add("Reshape", [joined, flat], f"{name}.boxes")


def _columns(graph: GraphWriter, source: str, name: str, first: int, end: int) -> str:
    """Some of the values of every row."""
    bounds = [
        graph.constant(f"{name}.{word}", np.array([value], np.int64))
        for word, value in (("first", first), ("end", end), ("axis", _VALUES_AXIS))
    ]
    return graph.add("Slice", [source, *bounds], name)


def _cells(graph: GraphWriter, source: str, name: str) -> str:
    """Column and line of every cell, (h × w, 2) float32, whatever size the head has in this run."""
    shape = graph.add("Shape", [source], f"{name}.shape")
    zero, one, two, three = (
        graph.constant(f"{name}.int{value}", np.array(value, np.int64)) for value in (0, 1, 2, 3)
    )
    height = graph.add("Gather", [shape, two], f"{name}.height", axis=0)
    width = graph.add("Gather", [shape, three], f"{name}.width", axis=0)
    count = graph.add("Mul", [height, width], f"{name}.count")
    index = graph.add("Range", [zero, count, one], f"{name}.index")
    last = graph.constant(f"{name}.last", np.array([1], np.int64))
    column = graph.add("Mod", [index, width], f"{name}.column")
    line = graph.add("Div", [index, width], f"{name}.line")
    pair = [graph.add("Unsqueeze", [value, last], f"{value}.unsqueezed") for value in (column, line)]
    cells = graph.add("Concat", pair, f"{name}.column_and_line", axis=1)
    return graph.add("Cast", [cells], f"{name}.cells", to=1)
