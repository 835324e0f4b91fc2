"""ONNX Runtime: model bytes in, a session with checked inputs out. The one place that imports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vision.errors import ModelError

Tensor = npt.NDArray[Any]

PREFERRED_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Tried in this order where none is asked for; the CPU is always there."""

_JOINING = frozenset({"CUDAExecutionProvider", "ROCMExecutionProvider", "TensorrtExecutionProvider"})
"""Where one call for many rows takes little longer than a call for one."""

RunWatch: TypeAlias = Callable[[int], AbstractContextManager[None]]
"""Given the rows of a call, entered around it: for whoever has a clock."""

_DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How a model is run.

    Attributes:
        providers: ONNX Runtime's names, in order of preference; empty for the best present. A provider
            asked for by name and not usable is an error, never a silent step down.
        intra_op_threads: threads within one call.
        watch: entered around every call of the model; None: nobody measures.
    """

    providers: tuple[str, ...] = ()
    intra_op_threads: int = 1
    watch: RunWatch | None = None


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One declared input or output.

    Attributes:
        name: as the model calls it.
        shape: one entry per axis; None where it may have any length.
        dtype: of the elements.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


class InferenceSession:
    """A loaded model. `run` may be called from several threads at once.

    Attributes:
        inputs: what `run` must be given.
        outputs: what it gives back, in this order.
        providers: those really in use.
    """

    def __init__(self, model: bytes, options: RuntimeOptions | None = None) -> None:
        """Loads a model.

        Args:
            model: an ONNX file's content, complete in itself.
            options: how to run it; None for the defaults.

        Raises:
            ModelError: not a model, weights kept in other files, or a provider that cannot be used.
        """
        options = options or RuntimeOptions()
        if not model:
            raise ModelError("the model is empty (0 bytes)")
        if options.intra_op_threads < 1:
            raise ModelError(f"intra_op_threads must be 1 or more, got {options.intra_op_threads}")
        _refuse_external_data(model)
        self._session = _load(model, options)
        self._watch: RunWatch = options.watch or (lambda _: nullcontext())
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        unused = [name for name in options.providers if name not in self.providers]
        if unused:
            raise ModelError(f"{', '.join(unused)} could not be used; in use: {', '.join(self.providers)}")
        self.inputs = tuple(_info(entry) for entry in self._session.get_inputs())
        self.outputs = tuple(_info(entry) for entry in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """The model's outputs, in the order of `outputs`.

        Args:
            inputs: one array per declared input, of its type and shape.

        Raises:
            ModelError: names, types or shapes that are not the declared ones, or a failure while running.
        """
        self._check(inputs)
        return self._call(inputs)

    def _call(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """One call of the model itself, on inputs that were checked."""
        rows = next((value.shape[0] for value in inputs.values() if value.ndim), 1)
        try:
            with self._watch(rows):
                return list(self._session.run(None, dict(inputs)))
        except _runtime_errors() as error:
            raise ModelError(f"the model failed on {_shapes(inputs)}: {_first_line(error)}") from error

    def run_batches(self, rows: Tensor, batch_size: int) -> list[Tensor]:
        """The outputs of a model of one input for many rows, a bounded number at a time.

        Args:
            rows: (N, …), N at least 1.
            batch_size: rows in one call.

        Returns:
            One array per output, (N, …).

        Raises:
            ModelError: as `run`; a model of several inputs; no rows.
        """
        if len(self.inputs) != 1 or len(rows) == 0 or batch_size < 1:
            raise ModelError(f"batches need one input and a row, got {len(self.inputs)} and {len(rows)}")
        name = self.inputs[0].name
        parts = [
            self.run({name: rows[start : start + batch_size]}) for start in range(0, len(rows), batch_size)
        ]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def warm_up(self, shape: tuple[int, ...] | None = None) -> None:
        """One run on zeros, so that the first real one is not slower than the rest.

        Args:
            shape: of the only input; None takes the declared one with every free axis of length 1.

        Raises:
            ModelError: as `run`.
        """
        zeros = {
            info.name: np.zeros(shape or tuple(axis or 1 for axis in info.shape), info.dtype)
            for info in self.inputs
        }
        self.run(zeros)

    def __repr__(self) -> str:
        return f"InferenceSession(inputs={[info.name for info in self.inputs]}, providers={self.providers})"

    def _check(self, inputs: Mapping[str, Tensor]) -> None:
        wanted = {info.name for info in self.inputs}
        if set(inputs) != wanted:
            raise ModelError(f"the model takes {sorted(wanted)}, got {sorted(inputs)}")
        for info in self.inputs:
            given = inputs[info.name]
            fits = len(given.shape) == len(info.shape) and all(
                want is None or want == got for want, got in zip(info.shape, given.shape, strict=True)
            )
            if not fits or given.dtype != info.dtype:
                wanted_shape = tuple("any" if axis is None else axis for axis in info.shape)
                raise ModelError(
                    f"input {info.name!r} must be {wanted_shape} {info.dtype}, got {given.shape} {given.dtype}"
                )


def available_providers() -> tuple[str, ...]:
    """What this installation of ONNX Runtime can run on, best first."""
    import onnxruntime

    return tuple(onnxruntime.get_available_providers())


def providers_for(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """What a session with this wish tries, in order.

    Args:
        wanted: as in `RuntimeOptions.providers`.
    """
    if wanted:
        return wanted
    present = available_providers()
    return tuple(name for name in PREFERRED_PROVIDERS if name in present)


def joins_calls(providers: tuple[str, ...]) -> bool:
    """Whether joining calls saves time on the first of these; on a CPU it does not."""
    return bool(providers) and providers[0] in _JOINING


def _load(model: bytes, options: RuntimeOptions) -> Any:
    import onnxruntime

    present = available_providers()
    missing = [name for name in options.providers if name not in present]
    if missing:
        raise ModelError(f"{', '.join(missing)} is not installed here; present: {', '.join(present)}")
    providers = list(providers_for(options.providers))
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = options.intra_op_threads
    settings.inter_op_num_threads = 1
    if options.intra_op_threads == 1:
        # A waiting pool would burn a core that the cameras' decoders need.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, sess_options=settings, providers=providers)
    except _runtime_errors() as error:
        raise ModelError(f"not an ONNX model that can be run: {_first_line(error)}") from error


def _refuse_external_data(model: bytes) -> None:
    """A model that keeps its weights in other files would make the runtime open whatever path it names."""
    # Every external tensor carries the key "location"; without it the file need not be parsed twice.
    if b"location" not in model:
        return
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx.external_data_helper import uses_external_data

    try:
        parsed = onnx.load_model_from_string(model)
    except DecodeError as error:
        raise ModelError("not an ONNX model: its bytes cannot be parsed") from error
    nodes = [node for function in parsed.functions for node in function.node]
    if any(uses_external_data(tensor) for tensor in _tensors(parsed.graph) + _node_tensors(nodes)):
        raise ModelError("the model keeps weights in other files; it must be complete in one")


def _tensors(graph: Any) -> list[Any]:
    """Every constant in a graph and the graphs inside its nodes."""
    sparse = [part for entry in graph.sparse_initializer for part in (entry.values, entry.indices)]
    return [*graph.initializer, *sparse, *_node_tensors(graph.node)]


def _node_tensors(nodes: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for node in nodes:
        for attribute in node.attribute:
            found += [attribute.t, *attribute.tensors]
            found += [tensor for inner in (attribute.g, *attribute.graphs) for tensor in _tensors(inner)]
    return found


def _info(entry: Any) -> TensorInfo:
    dtype = _DTYPES.get(entry.type)
    if dtype is None:
        raise ModelError(f"{entry.name!r} has the type {entry.type}, which no model here uses")
    shape = tuple(axis if isinstance(axis, int) and axis > 0 else None for axis in entry.shape)
    return TensorInfo(entry.name, shape, np.dtype(dtype))


def _runtime_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.EPFail,
        state.EngineError,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoModel,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
        ValueError,
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _shapes(inputs: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
