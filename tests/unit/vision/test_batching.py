"""Joined calls: who is joined, that everybody gets their own rows, and what one caller's mistake costs others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipelines.config import load_config
from tests.builders import affine_model, model_of
from vision.batching import TOLERANCE, BatchingSession, BatchOptions, alike
from vision.errors import ModelError
from vision.runtime import InferenceSession, RuntimeOptions, Tensor
from weights.catalog import load_catalog
from weights.store import WeightStore

PATIENT = BatchOptions(max_rows=4, wait_seconds=10)
"""Four single rows fill it, so that nothing depends on who is fast."""


class Calls:
    """The rows of every call of the model itself."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    @contextmanager
    def watch(self, rows: int) -> Iterator[None]:
        self.rows.append(rows)
        yield


def opened(model: bytes, batches: BatchOptions = PATIENT) -> tuple[BatchingSession, Calls]:
    calls = Calls()
    return BatchingSession(model, RuntimeOptions(watch=calls.watch), batches), calls


def at_once(calls: Sequence[Callable[[], Tensor]]) -> list[Tensor | ModelError]:
    """What each call gave, all of them made at the same time by threads of their own."""
    together = threading.Barrier(len(calls))
    found: list[Tensor | ModelError | None] = [None] * len(calls)

    def make(place: int) -> None:
        together.wait(10)
        try:
            found[place] = calls[place]()
        except ModelError as error:
            found[place] = error

    threads = [threading.Thread(target=make, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return [each for each in found if each is not None]


def ask(session: InferenceSession, row: Tensor) -> Callable[[], Tensor]:
    return lambda: session.run({"x": row})[0]


def given_all(found: Sequence[Tensor | ModelError]) -> list[Tensor]:
    """The results, none of which is an error."""
    arrays = [each for each in found if not isinstance(each, ModelError)]
    assert len(arrays) == len(found)
    return arrays


def rows_of(numbers: Sequence[float], width: int = 3) -> list[Tensor]:
    return [np.full((1, width), number, np.float32) for number in numbers]


def test_calls_at_the_same_time_become_one_and_everybody_gets_their_own() -> None:
    session, calls = opened(affine_model())
    for _ in range(2):  # the first joined call of a shape is checked against single ones
        given = rows_of([1, 2, 3, 4])
        for found, row in zip(given_all(at_once([ask(session, row) for row in given])), given, strict=True):
            assert np.array_equal(found, row * 2)
    assert calls.rows == [4, 1, 1, 1, 1, 4]


def test_what_one_gets_shares_no_memory_with_the_others() -> None:
    session, _ = opened(affine_model(), BatchOptions(max_rows=2, wait_seconds=10))
    for _ in range(2):
        first, second = given_all(at_once([ask(session, row) for row in rows_of([1, 2])]))
    assert first.base is None
    assert not np.shares_memory(first, second)


def test_several_rows_of_one_caller_stay_together() -> None:
    session, calls = opened(affine_model())
    three, one = np.arange(9, dtype=np.float32).reshape(3, 3), rows_of([7])[0]
    found = given_all(at_once([ask(session, three), ask(session, one)]))
    assert np.array_equal(found[0], three * 2)
    assert np.array_equal(found[1], one * 2)
    assert calls.rows[0] == 4


def test_another_shape_is_another_call() -> None:
    session, calls = opened(affine_model(("n", "m")), BatchOptions(max_rows=2, wait_seconds=10))
    given = [*rows_of([1, 2], width=3), *rows_of([3, 4], width=5)]
    found = given_all(at_once([ask(session, row) for row in given]))
    assert [each.shape for each in found] == [row.shape for row in given]
    assert sorted(calls.rows) == [1, 1, 1, 1, 2, 2]


def test_a_call_alone_does_not_wait_longer_than_agreed() -> None:
    session, calls = opened(affine_model(), BatchOptions(max_rows=4, wait_seconds=0))
    assert np.array_equal(ask(session, rows_of([5])[0])(), rows_of([10])[0])
    assert calls.rows == [1]


def test_more_rows_than_a_batch_are_run_at_once() -> None:
    session, calls = opened(affine_model())  # would wait ten seconds
    many = np.ones((9, 3), np.float32)
    assert np.array_equal(ask(session, many)(), many * 2)
    assert calls.rows == [9]


def picking_model() -> bytes:
    """y = table[x]: fails where a row asks for what the table does not have."""
    table = numpy_helper.from_array(np.array([10, 11, 12], np.float32), "table")
    nodes = [
        helper.make_node("Cast", ["x"], ["place"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "place"], ["y"]),
    ]
    return model_of(nodes, {"x": ["n", 1]}, {"y": ["n", 1]}, [table])


def test_a_bad_input_costs_its_sender_alone() -> None:
    session, _ = opened(picking_model())
    for _ in range(2):
        given = rows_of([0, 99, 2, 1], width=1)
        found = at_once([ask(session, row) for row in given])
        assert isinstance(found[1], ModelError)
        assert [float(each[0, 0]) for each in found if isinstance(each, np.ndarray)] == [10, 12, 11]
    assert session.joins


def test_what_is_refused_beforehand_reaches_nobody_else() -> None:
    session, calls = opened(affine_model(), BatchOptions(max_rows=2, wait_seconds=0))
    with pytest.raises(ModelError, match="float32, got"):
        session.run({"x": np.ones((1, 4), np.float32)})
    assert calls.rows == []


def mixing_model() -> bytes:
    """y = x less the mean over all rows: a batch normalised over itself."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    return model_of(nodes, {"x": ["n", 3]}, {"y": ["n", 3]})


def shortening_model() -> bytes:
    """y: the rows that are not all zero, as a detector with suppression built in returns them."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["sums"], keepdims=0),
        helper.make_node("Cast", ["sums"], ["wanted"], to=TensorProto.BOOL),
        helper.make_node("Compress", ["x", "wanted"], ["y"], axis=0),
    ]
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    return model_of(nodes, {"x": ["n", 3]}, {"y": ["m", 3]}, [axes])


@pytest.mark.parametrize(
    ("model", "numbers"),
    [
        pytest.param(mixing_model(), [1, 2, 3, 4], id="rows depend on each other"),
        pytest.param(shortening_model(), [1, 0, 3, 4], id="fewer rows come back"),
    ],
)
def test_a_model_that_mixes_rows_is_never_joined(model: bytes, numbers: list[float]) -> None:
    session, calls = opened(model)
    alone = InferenceSession(model)
    given = rows_of(numbers)
    for found, row in zip(given_all(at_once([ask(session, row) for row in given])), given, strict=True):
        assert np.array_equal(found, ask(alone, row)())
    assert not session.joins
    before = len(calls.rows)
    ask(session, given[0])()  # at once, though the batch would wait ten seconds
    assert calls.rows[before:] == [1]


def test_a_model_that_shortens_only_now_and_then_is_found_out_later() -> None:
    session, _ = opened(shortening_model())
    given_all(at_once([ask(session, row) for row in rows_of([1, 2, 3, 4])]))
    assert session.joins  # nothing was missing yet
    found = given_all(at_once([ask(session, row) for row in rows_of([1, 0, 3, 4])]))
    assert [each.tolist() for each in found] == [[[1, 1, 1]], [], [[3, 3, 3]], [[4, 4, 4]]]
    assert not session.joins


def test_a_model_of_one_picture_a_call_is_left_alone() -> None:
    session, calls = opened(affine_model((1, 3)))
    assert not session.joins
    at_once([ask(session, row) for row in rows_of([1, 2])])
    assert calls.rows == [1, 1]


@pytest.mark.parametrize(("rows", "seconds"), [(0, 0.1), (2, -1), (2, 11), (2, float("nan"))])
def test_options_that_make_no_sense(rows: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="max_rows"):
        BatchOptions(rows, seconds)


@pytest.mark.parametrize(
    ("joined", "single", "same"),
    [
        pytest.param([1.0, 1000.0], [1.0, 1000.5], True, id="within rounding of the largest"),
        pytest.param([1.0, 1000.0], [1.0, 1010.0], False, id="beyond it"),
        pytest.param([np.nan], [np.nan], True, id="both say nothing"),
        pytest.param([0.0], [0.0], True, id="zeros"),
        pytest.param([1e-9], [0.0], False, id="anything beside zero"),
    ],
)
def test_what_counts_as_the_same(joined: list[float], single: list[float], same: bool) -> None:
    assert alike([np.array(joined, np.float32)], [np.array(single, np.float32)]) is same
    assert not alike([np.array(joined, np.float32)], [])


def test_whole_numbers_must_be_equal() -> None:
    assert not alike([np.array([1, 2])], [np.array([2, 1])])


@pytest.fixture
def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


def last_output(session: InferenceSession, row: Tensor) -> Tensor:
    return session.run({session.inputs[0].name: row})[-1]


@pytest.mark.models("centerface", "mobilefacenet-faceplugin", "yolov3-tiny")
@pytest.mark.parametrize(
    ("model", "size_wh"),
    [("centerface", (96, 64)), ("mobilefacenet-faceplugin", (112, 112)), ("yolov3-tiny", (416, 416))],
)
def test_real_models_give_the_same_joined_and_alone(
    store: WeightStore, model: str, size_wh: tuple[int, int]
) -> None:
    session, calls = opened(store.read(model), BatchOptions(max_rows=3, wait_seconds=10))
    alone = InferenceSession(store.read(model))
    rng = np.random.default_rng(5)
    given = [rng.uniform(0, 1, (1, 3, size_wh[1], size_wh[0])).astype(np.float32) for _ in range(3)]
    for _ in range(2):
        found = given_all(at_once([partial(last_output, session, row) for row in given]))
    for each, row in zip(found, given, strict=True):
        single = last_output(alone, row)
        assert float(np.abs(each - single).max()) <= TOLERANCE * float(np.abs(single).max())
    assert session.joins
    assert calls.rows == [3, 1, 1, 1, 3]
