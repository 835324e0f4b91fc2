"""Conversions on tiny networks of the same formats, run in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from tests.unit.weights.builders import DARKNET_CFG, darknet_file, darknet_values
from weights.convert import convert, onnx_writer
from weights.convert.prelu import split_prelu
from weights.errors import ConversionError
from weights.spec import Conversion

Array = npt.NDArray[Any]

RANDOM = np.random.default_rng(7)


def _run(content: bytes, images: Array) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"images": images}))


def _darknet(masks: tuple[tuple[int, ...], ...] = ()) -> Conversion:
    return Conversion("darknet", 1, masks)


def _sigmoid(value: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-value)))


def _expected_rows(values: Sequence[Array], image: Array, anchors: Sequence[tuple[int, int]]) -> Array:
    """The same network, written out cell by cell as Darknet's documentation says."""
    bias, scale, mean, variance, kernel, head_bias, head = [value.astype(np.float64) for value in values]
    padded = np.pad(image.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    side = image.shape[1] // 2
    grid = np.empty((4, side, side))
    for y in range(side):
        for x in range(side):
            window = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            grid[:, y, x] = (kernel * window).sum((1, 2, 3))
    normal = (grid - mean[:, None, None]) / (np.sqrt(variance) + 1e-6)[:, None, None]
    grid = normal * scale[:, None, None] + bias[:, None, None]
    grid = np.where(grid > 0, grid, 0.1 * grid)
    wide = np.pad(grid, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
    pooled = np.max([wide[:, dy : dy + side, dx : dx + side] for dy in (0, 1) for dx in (0, 1)], axis=0)
    raw = np.einsum("oc,chw->ohw", head[:, :, 0, 0], pooled) + head_bias[:, None, None]
    rows = []
    for anchor, wh in enumerate(anchors):
        for y in range(side):
            for x in range(side):
                t = raw[anchor * 7 : anchor * 7 + 7, y, x]
                centre = (_sigmoid(t[:2]) + np.array([x, y])) * 2
                rows.append([*centre, *(np.exp(t[2:4]) * wh), *_sigmoid(t[4:])])
    return np.array(rows)


@pytest.mark.parametrize(
    ("masks", "anchors"),
    [((), [(10, 14), (23, 27)]), (((1, 2),), [(23, 27), (37, 58)])],
    ids=["masks of the cfg", "masks of the catalogue"],
)
def test_darknet_boxes_are_those_written_out_by_hand(
    masks: tuple[tuple[int, ...], ...], anchors: list[tuple[int, int]]
) -> None:
    values = darknet_values()
    content = convert([darknet_file(values), DARKNET_CFG], _darknet(masks))
    images = RANDOM.uniform(size=(2, 3, 8, 8)).astype(np.float32)
    (rows,) = _run(content, images)
    assert rows.shape == (2, 2 * 4 * 4, 7)
    for row, image in zip(rows, images, strict=True):
        np.testing.assert_allclose(row, _expected_rows(values, image, anchors), rtol=2e-4, atol=1e-4)


def test_darknet_takes_any_width_and_height() -> None:
    content = convert([darknet_file(darknet_values()), DARKNET_CFG], _darknet())
    (rows,) = _run(content, np.zeros((1, 3, 8, 12), np.float32))
    assert rows.shape == (1, 2 * 4 * 6, 7)


def test_a_conversion_is_the_same_bytes_every_time() -> None:
    sources = [darknet_file(darknet_values()), DARKNET_CFG]
    assert convert(sources, _darknet()) == convert(sources, _darknet())


@pytest.mark.parametrize(
    ("weights", "cfg", "said"),
    [
        pytest.param(lambda c: c[:-4], DARKNET_CFG, "ends before the network does", id="truncated"),
        pytest.param(lambda c: c + bytes(8), DARKNET_CFG, "2 values are left over", id="too long"),
        pytest.param(lambda c: c[:10], DARKNET_CFG, "no weights file", id="header only"),
        pytest.param(lambda c: bytes(len(c)), DARKNET_CFG, "older than 0.2", id="zeros"),
        pytest.param(lambda c: c, b"hello", r"does not start with \[net\]", id="no cfg"),
        pytest.param(
            lambda c: c, DARKNET_CFG.replace(b"leaky", b"mish"), "activation 'mish'", id="activation"
        ),
        pytest.param(
            lambda c: c, DARKNET_CFG.replace(b"maxpool", b"shortcut"), r"\[shortcut\] are not", id="layer"
        ),
        pytest.param(
            lambda c: c,
            DARKNET_CFG.replace(b"mask = 0,1", b"mask = 0,1,2"),
            "does not fit 14 channels",
            id="mask",
        ),
        pytest.param(
            lambda c: c, DARKNET_CFG.replace(b"filters=4", b"filters=x"), "not a whole number", id="number"
        ),
        pytest.param(lambda c: c, DARKNET_CFG.partition(b"[yolo]")[0], r"no \[yolo\] layer", id="no head"),
    ],
)
def test_darknet_files_that_do_not_fit_are_refused(weights: Any, cfg: bytes, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        convert([weights(darknet_file(darknet_values())), cfg], _darknet())


def _upstream(last: Sequence[Any], outputs: Sequence[str], tensors: dict[str, Array]) -> bytes:
    """An ONNX file with the faults of the published ones: fixed sizes, weights listed as inputs."""
    kernel = RANDOM.normal(size=(4, 3, 1, 1)).astype(np.float32)
    tensors = {"w": kernel, "unused": kernel, **tensors}
    fixed = [helper.make_tensor_value_info("input.1", 1, [1, 3, 2, 2])]
    listed = [helper.make_tensor_value_info(name, 1, value.shape) for name, value in tensors.items()]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input.1", "w"], ["top"], doc_string="made on a Monday"), *last],
        "torch-jit-export",
        fixed + listed,
        [helper.make_tensor_value_info(name, 1, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    opset = [helper.make_opsetid("", 9)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=4, producer_name="pytorch")
    return bytes(model.SerializeToString())


def _centerface_file(outputs: int = 4) -> bytes:
    names = [str(537 + at) for at in range(outputs)]
    return _upstream([helper.make_node("Relu", ["top"], [name]) for name in names], names, {})


def test_centerface_loses_its_fixed_input_and_keeps_its_sums() -> None:
    content = convert([_centerface_file()], Conversion("centerface", 1))
    model = onnx.load_model_from_string(content)
    assert [value.name for value in model.graph.input] == ["images"]
    assert [value.name for value in model.graph.output] == ["heatmap", "log_size", "offset", "landmarks"]
    assert [tensor.name for tensor in model.graph.initializer] == ["w"]
    assert b"Monday" not in content
    assert b"pytorch" not in content
    for shape in ((1, 3, 32, 32), (2, 3, 64, 32)):
        assert [out.shape for out in _run(content, np.ones(shape, np.float32))] == [
            (shape[0], 4, *shape[2:])
        ] * 4


def test_centerface_with_other_outputs_is_refused() -> None:
    with pytest.raises(ConversionError, match="expected 1 input and 4 outputs"):
        convert([_centerface_file(outputs=3)], Conversion("centerface", 1))


def _mobilefacenet_file(target: Sequence[int]) -> bytes:
    spread = RANDOM.normal(size=(512, 4, 1, 1)).astype(np.float32)
    last = [
        helper.make_node("GlobalAveragePool", ["top"], ["pooled"]),
        helper.make_node("Conv", ["pooled", "spread"], ["665"]),
        helper.make_node("Reshape", ["665", "703"], ["output"]),
    ]
    return _upstream(last, ["output"], {"spread": spread, "703": np.array(target, np.int64)})


def test_mobilefacenet_takes_a_batch_and_gives_the_same_as_one_by_one() -> None:
    content = convert([_mobilefacenet_file([1, -1])], Conversion("mobilefacenet", 1))
    images = RANDOM.normal(size=(3, 3, 112, 112)).astype(np.float32)
    (together,) = _run(content, images)
    assert together.shape == (3, 512)
    for row, image in zip(together, images, strict=True):
        np.testing.assert_allclose(_run(content, image[None])[0][0], row, rtol=1e-4, atol=1e-4)


def test_a_prelu_becomes_operators_that_give_the_same() -> None:
    slopes = np.array([-1.5, -0.1, 0.0, 0.25, 1.0, 2.0], np.float32).reshape(6, 1, 1)
    nodes = [helper.make_node("PRelu", ["images", "slope"], ["y"])]
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 6, 4, 4])
        for name in ("images", "y")
    ]
    slope = numpy_helper.from_array(slopes, "slope")
    graph = helper.make_graph(nodes, "bent", values[:1], values[1:], [slope])
    images = RANDOM.normal(size=(2, 6, 4, 4)).astype(np.float32) * 100
    split_prelu(graph)
    rebuilt = onnx_writer.rebuild(graph, "bent", values[:1], values[1:])
    assert {node.op_type for node in rebuilt.node} == {"Mul", "Relu", "Add"}
    assert "slope" not in {tensor.name for tensor in rebuilt.initializer}
    (given,) = _run(onnx_writer.encode(rebuilt, 13), images)
    np.testing.assert_allclose(given, np.where(images > 0, images, slopes * images), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "stored", "message"),
    [((6,), True, r"not \(C, 1, 1\)"), ((6, 1, 1), False, "not a stored weight")],
    ids=["one for a column", "computed"],
)
def test_a_prelu_of_another_kind_is_refused(shape: tuple[int, ...], stored: bool, message: str) -> None:
    nodes = [helper.make_node("PRelu", ["x", "slope"], ["y"])]
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 6, 4, 4]) for name in "xy"]
    slope = numpy_helper.from_array(np.ones(shape, np.float32), "slope")
    graph = helper.make_graph(nodes, "bent", values[:1], values[1:], [slope] if stored else [])
    with pytest.raises(ConversionError, match=message):
        split_prelu(graph)


def test_mobilefacenet_with_another_end_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"Reshape to \[1, -1\]"):
        convert([_mobilefacenet_file([1, 512])], Conversion("mobilefacenet", 1))


@pytest.mark.parametrize("converter", ["centerface", "mobilefacenet", "dlib-resnet"])
@pytest.mark.parametrize("content", [b"", b"not a model at all", bytes(1000)], ids=["empty", "text", "zeros"])
def test_something_else_entirely_is_refused(converter: str, content: bytes) -> None:
    with pytest.raises(ConversionError):
        convert([content], Conversion(converter, 1))


def test_an_unknown_converter_is_named() -> None:
    with pytest.raises(ConversionError, match="no converter is called 'caffe'"):
        convert([b""], Conversion("caffe", 1))
