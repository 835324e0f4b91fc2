"""Calibrations as files: the shipped one of each embedder, or a site's own.

A file holds how alike pictures of different people were to one embedder, and how many pictures there were
of each person; no picture, template or name. `aiqyn evaluate calibration` writes it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from pipelines.canonical import canonical_json
from pipelines.errors import ConfigError
from pipelines.events import Identifier, Sha256, Similarity, WireModel
from vision.errors import GalleryError
from vision.identify.calibration import Calibration
from vision.identify.false_matches import FalseMatchModel
from vision.identify.impostors import ImpostorSample

SHIPPED = "pipelines.calibration_data"
MAX_BYTES = 64 * 1024 * 1024
MAX_PICTURES = 10_000_000
HOW_TO_MEASURE = (
    "measure one with `aiqyn evaluate calibration --images DIR --out FILE` and name it in "
    "identification.calibration"
)

_UNITS = 100_000
"""Similarities are kept to five places."""


@dataclass(frozen=True, slots=True)
class EmbedderInUse:
    """What makes the templates.

    Attributes:
        id: in the catalogue.
        sha256: of the model file.
        preprocessing: how faces become its input, as candidates say it.
    """

    id: str
    sha256: str
    preprocessing: str


_Number = Annotated[int, Field(ge=0, le=MAX_PICTURES)]
_Cosine1e5 = Annotated[int, Field(ge=-_UNITS - 10, le=_UNITS + 10)]


class _Pairs(WireModel):
    """Pairs of pictures of different people, the most alike first; columns of one length."""

    first: tuple[_Number, ...] = Field(min_length=1)
    second: tuple[_Number, ...] = Field(min_length=1)
    similarity_1e5: tuple[_Cosine1e5, ...] = Field(min_length=1)


_Name = Annotated[Identifier, Field(max_length=100)]


class _File(WireModel):
    """`aiqyn.calibration/1`."""

    schema_: Literal["aiqyn.calibration/1"] = Field(default="aiqyn.calibration/1", alias="schema")
    name: _Name
    embedder_id: Identifier
    embedder_sha256: Sha256
    preprocessing: str
    pictures: tuple[_Number, ...] = Field(
        min_length=2, description="of each person, who is numbered, not named"
    )
    pairs: _Pairs
    complete: bool = Field(description="whether every pair of pictures of different people is in it")
    strangers_similarity: Similarity

    model_config = WireModel.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    @field_validator("pictures")
    @classmethod
    def _not_too_many(cls, pictures: tuple[int, ...]) -> tuple[int, ...]:
        if sum(pictures) > MAX_PICTURES:
            raise ValueError(f"more than {MAX_PICTURES} pictures")
        return pictures


def load_calibration(
    embedder_id: str, path: Path | None = None, *, in_use: EmbedderInUse | None = None
) -> Calibration:
    """The calibration of an embedder.

    Args:
        embedder_id: in the catalogue.
        path: a site's own file; None for the shipped one.
        in_use: refuses a calibration that was measured with another file of the model, or from faces
            prepared in another way; None to leave that to the caller.

    Raises:
        ConfigError: there is none for this embedder, it cannot be read, or it is of another embedder.
    """
    content = _shipped(embedder_id) if path is None else _read(path)
    where = str(path or f"shipped calibration of {embedder_id}")
    try:
        document = _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "it"
        raise ConfigError(f"{where}: not a calibration: {place}: {first['msg']}") from error
    if document.embedder_id != embedder_id:
        raise ConfigError(
            f"{where}: is of embedder {document.embedder_id!r}, not of {embedder_id!r}: {HOW_TO_MEASURE}"
        )
    if in_use is not None:
        _refuse_another(document, in_use, where)
    try:
        return Calibration(_name(document), embedder_id, FalseMatchModel(_sample(document)))
    except GalleryError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_saving(path: Path, name: str) -> None:
    """Whether a calibration of this name may be written there; asked before a long measurement, not after it.

    Raises:
        ConfigError: the name is not fit for an event, or there is no folder to write to.
    """
    try:
        TypeAdapter(_Name).validate_python(name)
    except ValidationError as error:
        raise ConfigError(
            f"a calibration cannot be called {name!r}: 1 to 100 letters, digits and _.:@- are wanted; name it with "
            "--name"
        ) from error
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name the file to write")
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        raise ConfigError(f"{path}: there is no folder {path.parent} that can be written to")


def save_calibration(path: Path, name: str, sample: ImpostorSample, in_use: EmbedderInUse) -> Calibration:
    """Writes a file `load_calibration` reads.

    Args:
        path: replaced where it exists.
        name: of the measurement; candidates carry it with the file's hash.
        sample: what was measured.
        in_use: what it was measured with.

    Returns:
        The calibration as it will be read.

    Raises:
        ConfigError: the name is not fit for an event, the sample supports no rate, or the file cannot be written.
    """
    try:
        document = _File(
            name=name,
            embedder_id=in_use.id,
            embedder_sha256=in_use.sha256,
            preprocessing=in_use.preprocessing,
            pictures=tuple(sample.pictures.tolist()),
            pairs=_Pairs(
                first=tuple(sample.first.tolist()),
                second=tuple(sample.second.tolist()),
                similarity_1e5=tuple(np.rint(sample.similarity * _UNITS).astype(np.int64).tolist()),
            ),
            complete=sample.complete,
            strangers_similarity=round(sample.strangers_similarity, 5),
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise ConfigError(f"a calibration named {name!r} cannot be written: {first['msg']}") from error
    try:
        calibration = Calibration(_name(document), in_use.id, FalseMatchModel(_sample(document)))
    except GalleryError as error:
        raise ConfigError(str(error)) from error
    _write(path, canonical_json(document.model_dump(mode="json")) + b"\n")
    return calibration


def _sample(document: _File) -> ImpostorSample:
    return ImpostorSample(
        pictures=np.array(document.pictures, np.int64),
        first=np.array(document.pairs.first, np.int64),
        second=np.array(document.pairs.second, np.int64),
        similarity=np.array(document.pairs.similarity_1e5, np.float32) / np.float32(_UNITS),
        strangers_similarity=document.strangers_similarity,
        complete=document.complete,
    )


def _name(document: _File) -> str:
    """What candidates say: the name, and which file of that name."""
    digest = hashlib.sha256(canonical_json(document.model_dump(mode="json"))).hexdigest()
    return f"{document.name}:{digest[:12]}"


def _refuse_another(document: _File, in_use: EmbedderInUse, where: str) -> None:
    if document.embedder_sha256 != in_use.sha256:
        raise ConfigError(
            f"{where}: was measured with another file of {in_use.id} ({document.embedder_sha256[:12]}…, in use: "
            f"{in_use.sha256[:12]}…): {HOW_TO_MEASURE}"
        )
    if document.preprocessing != in_use.preprocessing:
        raise ConfigError(
            f"{where}: was measured from faces prepared in another way ({document.preprocessing}; in use: "
            f"{in_use.preprocessing}): {HOW_TO_MEASURE}"
        )


def _shipped(embedder_id: str) -> bytes:
    files = {
        entry.name: entry for entry in resources.files(SHIPPED).iterdir() if entry.name.endswith(".json")
    }
    entry = files.get(f"{embedder_id}.json")
    if entry is None:
        known = ", ".join(sorted(name.removesuffix(".json") for name in files)) or "none"
        raise ConfigError(
            f"embedder {embedder_id!r} has no calibration, and without one no threshold can be given (shipped: "
            f"{known}): {HOW_TO_MEASURE}"
        )
    return entry.read_bytes()


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe may never end
            raise ConfigError(f"{path}: is no regular file: {HOW_TO_MEASURE}")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; not a calibration")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}: {HOW_TO_MEASURE}") from error


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"{path}: {error.strerror or 'cannot be written'}") from error
