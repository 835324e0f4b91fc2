"""Sessions: what is refused before it runs, and what is told of what runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.builders import affine_model, model_of
from vision.errors import ModelError
from vision.runtime import InferenceSession, RuntimeOptions, available_providers

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_a_session_says_what_it_takes_gives_and_runs_on() -> None:
    session = InferenceSession(affine_model())
    assert [(info.name, info.shape, info.dtype.name) for info in session.inputs] == [
        ("x", (None, 3), "float32")
    ]
    assert [info.name for info in session.outputs] == ["y"]
    assert session.providers[-1] == "CPUExecutionProvider"
    assert set(session.providers) <= set(available_providers())
    assert np.array_equal(session.run({"x": ROWS})[0], ROWS * 2)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_batches_give_what_one_run_gives(batch_size: int) -> None:
    session = InferenceSession(affine_model())
    assert np.array_equal(session.run_batches(ROWS, batch_size)[0], ROWS * 2)


def test_batches_need_rows() -> None:
    with pytest.raises(ModelError, match="got 1 and 0"):
        InferenceSession(affine_model()).run_batches(ROWS[:0], 4)


@pytest.mark.parametrize("shape", [None, (7, 3)])
def test_warming_up_runs_the_declared_shape_or_the_given_one(shape: tuple[int, ...] | None) -> None:
    InferenceSession(affine_model()).warm_up(shape)
    with pytest.raises(ModelError):
        InferenceSession(affine_model()).warm_up((7, 4))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        pytest.param(b"", r"is empty \(0 bytes\)", id="nothing"),
        pytest.param(b"no model", "not an ONNX model", id="text"),
        pytest.param(affine_model()[:-7], "not an ONNX model", id="truncated"),
        pytest.param(b"location" * 9, "cannot be parsed", id="text with the telling word"),
        pytest.param(affine_model(external=True), "weights in other files", id="external data"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(model: bytes, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        InferenceSession(model)
    assert "\n" not in str(caught.value)


def test_external_data_inside_a_branch_is_found(tmp_path: Path) -> None:
    outside = helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    outside.ClearField("float_data")
    outside.data_location = onnx.TensorProto.EXTERNAL
    entry = outside.external_data.add()
    entry.key, entry.value = "location", str(tmp_path / "weights.bin")
    branches = {
        name: helper.make_graph(
            [helper.make_node("Constant", [], [f"{name}_out"], value=outside)],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_out", onnx.TensorProto.FLOAT, [1])],
        )
        for name in ("then_branch", "else_branch")
    }
    nodes = [
        helper.make_node("Cast", ["x"], ["on"], to=onnx.TensorProto.BOOL),
        helper.make_node("If", ["on"], ["y"], **branches),
    ]
    with pytest.raises(ModelError, match="weights in other files"):
        InferenceSession(model_of(nodes, {"x": [1]}, {"y": [1]}))


def test_the_telling_word_alone_condemns_no_model() -> None:
    model = onnx.load_model_from_string(affine_model())
    model.doc_string = "location"
    assert InferenceSession(model.SerializeToString()).run({"x": ROWS})


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        pytest.param({}, r"takes \['x'\], got \[\]", id="nothing"),
        pytest.param({"x": ROWS, "z": ROWS}, r"takes \['x'\]", id="too many"),
        pytest.param({"images": ROWS}, r"got \['images'\]", id="another name"),
        pytest.param({"x": ROWS.astype(np.float64)}, "float32, got .* float64", id="another type"),
        pytest.param({"x": ROWS[:, :2]}, r"\('any', 3\) float32, got \(4, 2\)", id="another width"),
        pytest.param({"x": ROWS[0]}, r"got \(3,\)", id="another rank"),
    ],
)
def test_inputs_that_do_not_fit_are_named(inputs: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        InferenceSession(affine_model()).run(inputs)


def test_a_failure_while_running_is_a_model_error() -> None:
    # Declared free, but the node inside wants pairs.
    shape = helper.make_node("Constant", [], ["shape"], value_ints=[-1, 2])
    model = model_of(
        [shape, helper.make_node("Reshape", ["x", "shape"], ["y"])], {"x": ["n"]}, {"y": ["m", 2]}
    )
    session = InferenceSession(model)
    assert session.run({"x": np.zeros(4, np.float32)})[0].shape == (2, 2)
    with pytest.raises(ModelError, match=r"failed on x \(3,\)"):
        session.run({"x": np.zeros(3, np.float32)})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(RuntimeOptions(("NoSuchProvider",)), "NoSuchProvider is not installed", id="unknown"),
        pytest.param(RuntimeOptions(intra_op_threads=0), "intra_op_threads", id="no threads"),
    ],
)
def test_options_that_cannot_be_had_are_refused(options: RuntimeOptions, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        InferenceSession(affine_model(), options)


@pytest.mark.skipif("CUDAExecutionProvider" in available_providers(), reason="this machine has CUDA")
def test_a_provider_asked_for_is_never_silently_another() -> None:
    with pytest.raises(ModelError, match=r"CUDAExecutionProvider is not installed here; present: .*CPU"):
        InferenceSession(affine_model(), RuntimeOptions(("CUDAExecutionProvider", "CPUExecutionProvider")))


def test_one_session_serves_several_threads() -> None:
    session = InferenceSession(affine_model())
    wrong: list[int] = []

    def work(seed: int) -> None:
        rows = np.full((50, 3), seed, np.float32)
        answers = [session.run({"x": rows})[0] for _ in range(50)]
        wrong.extend(seed for answer in answers if not np.array_equal(answer, rows * 2))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
