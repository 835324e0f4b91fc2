"""What an ONNX file holds, looked at before any of it is run; called inside the self-test's child process.

A file is made complete in itself here: weights kept in a file beside it are taken in, weights that point
anywhere else are refused before anything is opened.
"""

from __future__ import annotations

import ast
import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.errors import ModelCheckError

_KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})
"""Operators that ONNX Runtime brings along; all else would need a library of somebody's."""

_MAX_COMPLETE_BYTES = 1_900_000_000
"""A protobuf message holds 2 GiB at most."""

_MAX_LABEL_TEXT = 200_000
_ELEMENT_BITS = {2: 8, 3: 8, 9: 8, 17: 8, 18: 8, 19: 8, 20: 8, 4: 16, 5: 16, 10: 16, 16: 16}
_ELEMENT_BITS |= {1: 32, 6: 32, 12: 32, 7: 64, 11: 64, 13: 64, 14: 64, 15: 128, 21: 4, 22: 4, 23: 4}
"""Bits of one element by `TensorProto.DataType`; types that are not here have no fixed size."""

_STRING = 8
_TYPED_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")

_STARTS = (
    (b"PK\x03\x04", "a zip archive; a PyTorch file (.pt) must keep that ending to be converted"),
    (b"version https://git-lfs", "a Git LFS pointer, not the model; fetch the model with: git lfs pull"),
    (b"<!DOCTYPE", "a web page; was the download one?"),
    (b"<html", "a web page; was the download one?"),
    (b"\x89HDF", "an HDF5 file (Keras); export it to ONNX first"),
    (b"TFL3", "a TensorFlow Lite file; export it to ONNX first"),
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file that is complete in itself.

    Attributes:
        content: its bytes.
        opset: of ONNX's own operators.
        producer: program that wrote it, as it says.
        labels: class names it carries; empty for none.
        rewritten: what was changed, a phrase; empty where it is as it was given.
    """

    content: bytes
    opset: int
    producer: str
    labels: tuple[str, ...]
    rewritten: str = ""


def inspect(content: bytes, folder: Path | None = None) -> ModelFile:
    """Reads a file without running it.

    Args:
        content: of the file.
        folder: where it lies, for weights kept beside it; None where none may be.

    Raises:
        ModelCheckError: not ONNX, truncated, operators of nobody here, sizes that are not true, or weights
            in a file that may not be opened.
    """
    model = _parsed(content)
    _refuse_foreign_operators(model)
    taken = _take_in(model, folder)
    for tensor in _tensors(model):
        _refuse_untrue_size(tensor)
    if taken:
        content = model.SerializeToString()
    rewritten = f"weights of {', '.join(taken)} taken into the file" if taken else ""
    producer = " ".join(f"{model.producer_name} {model.producer_version}".split())[:80]
    return ModelFile(content, _opset(model), producer, _labels(model), rewritten)


def with_single_batch(file: ModelFile) -> ModelFile:
    """The model declared to take one picture a call, which is all it can."""
    model = _parsed(file.content)
    for entry in model.graph.input:
        shape = entry.type.tensor_type.shape
        if len(shape.dim) == 4:
            shape.dim[0].dim_value = 1
    changes = [part for part in (file.rewritten, "declared to take one picture a call") if part]
    return replace(file, content=model.SerializeToString(), rewritten="; ".join(changes))


def _parsed(content: bytes) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if not content:
        raise ModelCheckError("is empty (0 bytes)")
    for start, what in _STARTS:
        if content[:64].lstrip().startswith(start):
            raise ModelCheckError(f"is not an ONNX file but {what}")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelCheckError(
            "is not an ONNX file, or a truncated one: its bytes cannot be parsed"
        ) from error
    if not (model.ir_version and model.graph.node and model.graph.output):
        raise ModelCheckError("is not an ONNX file, or a truncated one: there is no computation in it")
    return model


def _opset(model: Any) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def _graphs(model: Any) -> Iterator[tuple[Any, Any]]:
    """Every list of nodes, with the graph that holds it (None for a function's)."""
    waiting = [(model.graph, list(model.graph.node)), *((None, list(each.node)) for each in model.functions)]
    while waiting:
        graph, nodes = waiting.pop()
        yield graph, nodes
        for node in nodes:
            for attribute in node.attribute:
                inner = [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
                waiting += [(each, list(each.node)) for each in inner]


def _tensors(model: Any) -> Iterator[Any]:
    """Every constant, wherever it is kept."""
    for graph, nodes in _graphs(model):
        if graph is not None:
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for node in nodes:
            for attribute in node.attribute:
                yield from [attribute.t] if attribute.HasField("t") else []
                yield from attribute.tensors


def _refuse_foreign_operators(model: Any) -> None:
    own = {function.domain for function in model.functions}
    for _, nodes in _graphs(model):
        for node in nodes:
            if node.domain not in _KNOWN_DOMAINS | own:
                raise ModelCheckError(
                    f"uses the operator {node.op_type[:60]!r} of {node.domain[:60]!r}, which is not ONNX's own; "
                    "libraries of custom operators are not loaded"
                )


def _refuse_untrue_size(tensor: Any) -> None:
    """A tensor that declares gigabytes and carries none would have the runtime allocate them."""
    bits = _ELEMENT_BITS.get(tensor.data_type)
    if bits is None and tensor.data_type != _STRING:
        return  # newer than this list; the runtime judges it
    elements = math.prod(tensor.dims)
    if tensor.HasField("raw_data"):
        fits = len(tensor.raw_data) * 8 >= elements * (bits or 8)
    else:
        carried = max(len(getattr(tensor, name)) for name in _TYPED_FIELDS)
        fits = carried * (2 if bits == 4 else 1) >= elements
    if elements < 0 or not fits:
        raise ModelCheckError(
            f"is damaged or hostile: the tensor {tensor.name[:60]!r} declares {elements:,} values and "
            "does not carry them"
        )


def _take_in(model: Any, folder: Path | None) -> list[str]:
    """Reads weights kept beside the file into it; returns the names of the files."""
    from onnx import TensorProto
    from onnx.external_data_helper import uses_external_data

    names: dict[str, bytes] = {}
    for tensor in _tensors(model):
        if not uses_external_data(tensor):
            continue
        told = {entry.key: entry.value for entry in tensor.external_data}
        name = told.get("location", "")
        if name not in names:
            names[name] = _beside(name, folder, sum(map(len, names.values())))
        tensor.raw_data = _slice(names[name], name, told)
        del tensor.external_data[:]
        tensor.data_location = TensorProto.DEFAULT
    return list(names)


def _beside(name: str, folder: Path | None, already_bytes: int) -> bytes:
    """A file in the model's own folder; anything else is refused before it is opened."""
    place = PurePosixPath(name)
    if not name or place.name != name or "\\" in name or name in (".", "..") or "\0" in name:
        raise ModelCheckError(
            f"keeps weights in {name[:200]!r}, which is not a file beside it; it was not opened"
        )
    if folder is None:
        raise ModelCheckError(f"keeps weights in another file, {name[:200]!r}")
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ModelCheckError(
            f"keeps weights in {name[:200]!r}, which is not beside it; copy it there"
        ) from None
    except OSError as error:
        raise ModelCheckError(
            f"keeps weights in {name[:200]!r}, which is a link or cannot be read ({error.strerror})"
        ) from error
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ModelCheckError(f"keeps weights in {name[:200]!r}, which is no regular file")
        if about.st_size + already_bytes > _MAX_COMPLETE_BYTES:
            raise ModelCheckError(
                f"has {about.st_size / 1e9:.1f} GB of weights beside it; complete in one file it must stay below "
                f"{_MAX_COMPLETE_BYTES / 1e9:.1f} GB"
            )
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(handle)


def _slice(content: bytes, name: str, told: dict[str, str]) -> bytes:
    try:
        offset, length = int(told.get("offset") or 0), int(told.get("length") or len(content))
    except ValueError as error:
        raise ModelCheckError(f"says nonsense of where its weights lie in {name[:200]!r}") from error
    if "length" not in told:
        length = len(content) - offset
    if offset < 0 or length < 0 or offset + length > len(content):
        raise ModelCheckError(f"wants {length} bytes at {offset} of {name[:200]!r}, which has {len(content)}")
    return content[offset : offset + length]


def _labels(model: Any) -> tuple[str, ...]:
    """Class names as ultralytics writes them: metadata `names`, a Python dictionary of index and name."""
    told = {entry.key: entry.value for entry in model.metadata_props}.get("names", "")
    if not told or len(told) > _MAX_LABEL_TEXT:
        return ()
    try:
        names = ast.literal_eval(told)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return ()
    if not isinstance(names, dict) or set(names) != set(range(len(names))):
        return ()
    return tuple(str(names[index])[:100] for index in range(len(names)))
