"""Calls of several threads joined into one call of the model.

On a device that computes many rows in little more than the time of one, cameras that call one after the other leave
most of it idle. The first thread to call waits a moment; those that call meanwhile with rows of the same shape join
it; it runs them together and hands everybody their own rows.

A row's result may differ from that of a call of its own by rounding: the device sums in another order. It is held to
`TOLERANCE` of the largest value of its output; the first joined call of each shape is checked against single calls,
and a model whose rows depend on each other, or come back in another order, is never joined.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vision.errors import ModelError
from vision.runtime import InferenceSession, RuntimeOptions, Tensor

TOLERANCE = 1e-3
"""Largest difference by rounding between a joined and a single call, by the largest value of that output; ten times
what half of float32's digits lost in summing would make."""

ShapeKey = tuple[tuple[str, tuple[int, ...], str], ...]
"""Name, axes after the first and type of every input: only calls alike in these are joined."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How calls are joined.

    Attributes:
        max_rows: in one call, at most; 1 joins nothing.
        wait_seconds: how long the first call waits for others.
    """

    max_rows: int = 8
    wait_seconds: float = 0.005

    def __post_init__(self) -> None:
        if self.max_rows < 1 or not 0 <= self.wait_seconds <= 10:
            raise ValueError(f"max_rows must be 1 or more and wait_seconds 0 to 10, got {self}")


class BatchingSession(InferenceSession):
    """An `InferenceSession` whose `run` joins what several threads ask for at the same time.

    Models whose first axis is not free in every input and output are run call by call, as is whatever has more
    rows than a batch. Where a joined call fails, each of its calls is run on its own, so that bad input costs
    its sender alone.

    Attributes:
        joins: whether calls are joined; becomes False for good where the model turns out to mix rows.
    """

    def __init__(
        self, model: bytes, options: RuntimeOptions | None = None, batches: BatchOptions | None = None
    ) -> None:
        """Loads a model.

        Args:
            model: as `InferenceSession`.
            options: as `InferenceSession`.
            batches: how calls are joined; None for the defaults.

        Raises:
            ModelError: as `InferenceSession`.
        """
        super().__init__(model, options)
        self._batches = batches or BatchOptions()
        self._lock = threading.Lock()
        self._open: dict[ShapeKey, _Batch] = {}
        self._checked: set[ShapeKey] = set()
        free = all(info.shape[:1] == (None,) for info in (*self.inputs, *self.outputs))
        self.joins = free and bool(self.inputs) and self._batches.max_rows > 1

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """See `InferenceSession.run`."""
        self._check(inputs)
        if not self.joins:
            return self._call(inputs)
        rows, *others = {value.shape[0] for value in inputs.values()}
        if others or not 0 < rows < self._batches.max_rows:
            return self._call(inputs)
        return self._joined(_Asked(inputs, rows))

    def _joined(self, asked: _Asked) -> list[Tensor]:
        batch, leads = self._enter(asked)
        if leads:
            batch.full.wait(self._batches.wait_seconds)
            self._run_together(batch)
        else:
            asked.done.wait()
        if asked.error is not None:
            raise asked.error
        return asked.outputs

    def _enter(self, asked: _Asked) -> tuple[_Batch, bool]:
        """The batch a call belongs to, and whether it is the first in it and so the one to run it."""
        key = asked.key
        with self._lock:
            batch = self._open.get(key)
            leads = batch is None or batch.rows + asked.rows > self._batches.max_rows
            if batch is None or leads:
                if batch is not None:
                    batch.full.set()  # it has no room for this one: there is nothing to wait for
                batch = self._open[key] = _Batch(key)
            batch.asked.append(asked)
            batch.rows += asked.rows
            if batch.rows == self._batches.max_rows:
                batch.full.set()
                del self._open[key]
        return batch, leads

    def _run_together(self, batch: _Batch) -> None:
        with self._lock:
            if self._open.get(batch.key) is batch:
                del self._open[batch.key]
        try:
            if len(batch.asked) == 1 or not self._split(batch):
                self._run_apart(batch.asked)
        finally:  # whatever happens to this thread, nobody waits for ever
            for asked in batch.asked:
                if not asked.outputs and asked.error is None:
                    asked.error = ModelError("the call it was joined with was interrupted")
                asked.done.set()

    def _split(self, batch: _Batch) -> bool:
        """Runs a batch as one call and hands out the rows; False where each must be run on its own."""
        names = [info.name for info in self.inputs]
        joined = {name: np.concatenate([each.inputs[name] for each in batch.asked]) for name in names}
        try:
            outputs = self._call(joined)
        except ModelError:
            return False
        if any(len(output) != batch.rows for output in outputs):
            self.joins = False
            return False
        ends = np.cumsum([each.rows for each in batch.asked])[:-1]
        parts = [np.split(output, ends) for output in outputs]
        for place, asked in enumerate(batch.asked):
            asked.outputs = [part[place].copy() for part in parts]  # a view would keep everybody's rows alive
        if batch.key not in self._checked:
            self._check_against_single(batch)
        return True

    def _check_against_single(self, batch: _Batch) -> None:
        """Replaces what was joined by single results, and stops joining where the two differ."""
        together = [asked.outputs for asked in batch.asked]
        self._run_apart(batch.asked)
        pairs = zip(together, batch.asked, strict=True)
        if all(alike(joined, asked.outputs) for joined, asked in pairs if asked.error is None):
            self._checked.add(batch.key)
        else:
            self.joins = False

    def _run_apart(self, calls: Sequence[_Asked]) -> None:
        for asked in calls:
            asked.outputs = []
            try:
                asked.outputs = self._call(asked.inputs)
            except ModelError as error:
                asked.error = error


def open_session(model: bytes, options: RuntimeOptions, batches: BatchOptions | None) -> InferenceSession:
    """A session that joins calls, or a plain one where none are to be joined.

    Raises:
        ModelError: as `InferenceSession`.
    """
    if batches is None or batches.max_rows == 1:
        return InferenceSession(model, options)
    return BatchingSession(model, options, batches)


def alike(joined: Sequence[Tensor], single: Sequence[Tensor]) -> bool:
    """Whether two results of one input differ by rounding alone.

    Args:
        joined: outputs of a joined call, its own rows.
        single: outputs of a call of its own.
    """
    return len(joined) == len(single) and all(
        ours.shape == theirs.shape and _close(ours, theirs)
        for ours, theirs in zip(joined, single, strict=True)
    )


def _close(ours: Tensor, theirs: Tensor) -> bool:
    if ours.dtype.kind != "f":
        return bool(np.array_equal(ours, theirs))
    finite = theirs[np.isfinite(theirs)]
    largest = float(np.abs(finite).max(initial=0.0))
    return bool(np.allclose(ours, theirs, rtol=0, atol=TOLERANCE * largest, equal_nan=True))


@dataclass(slots=True, eq=False)
class _Asked:
    """One thread's call, and what comes of it."""

    inputs: Mapping[str, Tensor]
    rows: int
    done: threading.Event = field(default_factory=threading.Event)
    outputs: list[Tensor] = field(default_factory=list)
    error: ModelError | None = None

    @property
    def key(self) -> ShapeKey:
        return tuple((name, value.shape[1:], value.dtype.str) for name, value in sorted(self.inputs.items()))


@dataclass(slots=True, eq=False)
class _Batch:
    """Calls that will be run together."""

    key: ShapeKey
    rows: int = 0
    asked: list[_Asked] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
