"""Small ONNX graphs in the layouts detectors are really exported in, answering what a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from vision.runtime import Tensor
from vision.types import Float32

Axes = Sequence[int | str]

_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}


def answering(
    picture: tuple[str, Axes], outputs: dict[str, Tensor], declared: Mapping[str, Axes] | None = None
) -> bytes:
    """A model that answers the same whatever picture it is given.

    Args:
        picture: name and axes of its input.
        outputs: what it answers, float32 or int64, each with its batch axis.
        declared: axes an output is declared with, where they are not those it has.
    """
    constants, nodes, infos = [_zero()], _nothing_of(picture[0]), []
    for name, value in outputs.items():
        axes = (declared or {}).get(name)
        constants.append(numpy_helper.from_array(value, f"{name}_value"))
        nodes.append(helper.make_node("Cast", ["nothing"], [f"{name}_zero"], to=_TYPES[value.dtype]))
        nodes.append(
            helper.make_node("Add", [f"{name}_value", f"{name}_zero"], [f"{name}_whole" if axes else name])
        )
        if axes:
            constants.append(numpy_helper.from_array(np.array(value.shape, np.int64), f"{name}_axes"))
            nodes += _reshaped_at_run_time(name)
        infos.append(helper.make_tensor_value_info(name, _TYPES[value.dtype], list(axes or value.shape)))
    return _model(nodes, [_float(*picture)], infos, constants)


def _reshaped_at_run_time(name: str) -> list[onnx.NodeProto]:
    # A shape that follows from the picture cannot be inferred: the runtime reports the declared axes.
    return [
        helper.make_node("Cast", ["nothing"], [f"{name}_more"], to=TensorProto.INT64),
        helper.make_node("Add", [f"{name}_axes", f"{name}_more"], [f"{name}_shape"]),
        helper.make_node("Reshape", [f"{name}_whole", f"{name}_shape"], [name]),
    ]


def ultralytics_raw(objects: Float32, anchors: int = 84, size: Axes = (64, 64)) -> bytes:
    """YOLOv8 and YOLO11 as exported: `images` in, `output0` (1, 4 + classes, anchors) out.

    Args:
        objects: (N, 4 + classes): centre, size, class probabilities; the other anchors say nothing.
        anchors: how many there are; 84 at 64 × 64.
        size: height and width of the input; a text where it takes any.
    """
    output = np.zeros((1, objects.shape[1], anchors), np.float32)
    output[0, :, : len(objects)] = objects.T
    return answering(("images", (1, 3, *size)), {"output0": output})


def ultralytics_end_to_end(objects: Float32, rows: int = 300, size: Axes = (64, 64)) -> bytes:
    """YOLO26, or any with NMS built in: `output0` (1, rows, 6), unused rows being zeros.

    Args:
        objects: (N, 6): x1, y1, x2, y2, confidence, class.
        rows: how many there are room for.
        size: height and width of the input.
    """
    output = np.zeros((1, rows, 6), np.float32)
    output[0, : len(objects)] = objects
    return answering(("images", (1, 3, *size)), {"output0": output})


def detr_decoded(
    labels: Sequence[int], boxes: Float32, scores: Sequence[float], size: Axes = (64, 64)
) -> bytes:
    """D-FINE and RT-DETR as their own tools export them: the graph scales the boxes to `orig_target_sizes`.

    Args:
        labels: (Q,) class ids.
        boxes: (Q, 4) x1, y1, x2, y2 as shares of the picture.
        scores: (Q,).
        size: height and width of the input.
    """
    constants: dict[str, Tensor] = {
        "label_values": np.array([labels], np.int64),
        "score_values": np.array([scores], np.float32),
        "shares": np.asarray(boxes, np.float32).reshape(1, -1, 4),
        "repeats": np.array([1, 2], np.int64),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        *_nothing_of("images"),
        helper.make_node("Cast", ["nothing"], ["whole_nothing"], to=TensorProto.INT64),
        helper.make_node("Cast", ["orig_target_sizes"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Tile", ["sizes", "repeats"], ["both_corners"]),
        helper.make_node("Unsqueeze", ["both_corners", "axis"], ["each_query"]),
        helper.make_node("Mul", ["shares", "each_query"], ["boxes"]),
        helper.make_node("Add", ["label_values", "whole_nothing"], ["labels"]),
        helper.make_node("Add", ["score_values", "nothing"], ["scores"]),
    ]
    inputs = [
        _float("images", ("N", 3, *size)),
        helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2]),
    ]
    outputs = [
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", len(labels)]),
        _float("boxes", ("N", len(labels), 4)),
        _float("scores", ("N", len(labels))),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return _model(nodes, inputs, outputs, [_zero(), *tensors])


def detr_queries(
    boxes: Float32,
    logits: Float32,
    names: tuple[str, str] = ("dets", "labels"),
    size: Axes = (64, 64),
    declared: Mapping[str, Axes] | None = None,
) -> bytes:
    """RF-DETR as it exports itself, or with the names Transformers gives (`pred_boxes`, `logits`).

    Args:
        boxes: (Q, 4) centre and size as shares of the picture.
        logits: (Q, classes).
        names: of the outputs, boxes first.
        size: height and width of the input.
        declared: axes an output is declared with, where they are not those it has.
    """
    answer = dict(zip(names, (boxes[None].astype(np.float32), logits[None].astype(np.float32)), strict=True))
    return answering(("input", ("N", 3, *size)), answer, declared)


def telling_its_input(layout: str, size_px: int) -> bytes:
    """A model whose three class scores are the means of its input's three channels, over the whole canvas.

    Args:
        layout: `raw` of Ultralytics, or `queries` of a DETR.
        size_px: sides of the input.
    """
    half = size_px / 2
    box = [half, half, size_px, size_px] if layout == "raw" else [0.5, 0.5, 1, 1]
    shape = (1, 4, 1) if layout == "raw" else (1, 1, 4)
    nodes = [helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0)]
    axis = 2 if layout == "raw" else 1
    constants = [
        numpy_helper.from_array(np.array(box, np.float32).reshape(shape), "box"),
        numpy_helper.from_array(np.array([axis], np.int64), "axis"),
        _zero(),
    ]
    nodes.append(helper.make_node("Unsqueeze", ["means", "axis"], ["scores"]))
    if layout == "raw":
        nodes.append(helper.make_node("Concat", ["box", "scores"], ["output0"], axis=1))
        outputs = [_float("output0", (1, 7, 1))]
    else:
        nodes.append(helper.make_node("Identity", ["scores"], ["logits"]))
        nodes.append(helper.make_node("Identity", ["box"], ["pred_boxes"]))
        outputs = [_float("logits", (1, 1, 3)), _float("pred_boxes", (1, 1, 4))]
    return _model(nodes, [_float("images", (1, 3, size_px, size_px))], outputs, constants)


def _nothing_of(name: str) -> list[onnx.NodeProto]:
    # Runtimes refuse inputs nobody reads: the picture takes part with weight zero.
    return [
        helper.make_node("ReduceMean", [name], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]


def _zero() -> onnx.TensorProto:
    value: npt.NDArray[np.float32] = np.array(0, np.float32)
    return numpy_helper.from_array(value, "zero")


def _float(name: str, axes: Axes) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes))


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto],
) -> bytes:
    graph = helper.make_graph(list(nodes), "test", list(inputs), list(outputs), list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
