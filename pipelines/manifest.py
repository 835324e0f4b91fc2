"""Who searched what, with what, for what: the record beside the results of a run over files.

With it a result can be recomputed, and a file that was changed afterwards is noticed. It names no
subject. It is no proof of anything: whoever can write the folder can write the manifest.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pipelines.canonical import canonical_json
from pipelines.events import ModelRef, Software

MANIFEST_SCHEMA = "aiqyn.manifest/1"
MANIFEST_NAME = "manifest.json"

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file and what it held.

    Attributes:
        path: as it was given, or relative to the manifest for what the run wrote.
        sha256: of its bytes; of an image folder, of the names and sums of its pictures.
        size_bytes: in all.
    """

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class WatchlistRecord:
    """The references a run searched for, without names.

    Attributes:
        path: of the folder.
        sha256: over subject ids and file sums, so that a changed list is noticed.
        subjects: people on the list.
        templates: pictures that could be used.
    """

    path: str
    sha256: str
    subjects: int
    templates: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One run.

    Attributes:
        operator: the account of this machine that started it.
        purpose: what it was for, in the operator's words; None where nothing was said.
        started_at: UTC.
        finished_at: UTC.
        settings: every choice that bears on the result.
        models: which files took part.
        software: which build ran.
        watchlist: what was searched for.
        inputs: what was searched.
        outputs: what was written, relative to the manifest.
        failures: one line for each input or reference that could not be used.
    """

    operator: str
    purpose: str | None
    started_at: datetime
    finished_at: datetime
    settings: dict[str, Any]
    models: tuple[ModelRef, ...]
    software: Software
    watchlist: WatchlistRecord
    inputs: tuple[FileRecord, ...] = ()
    outputs: tuple[FileRecord, ...] = ()
    failures: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The manifest as JSON values."""
        return {
            "schema": MANIFEST_SCHEMA,
            "notice": (
                "What this run found are unconfirmed leads. Two people must judge each, blind and apart, "
                "before anyone acts on it."
            ),
            "operator": self.operator,
            "purpose": self.purpose,
            "started_at": self.started_at.isoformat(),
            "finished_at": self.finished_at.isoformat(),
            "software": self.software.model_dump(mode="json"),
            "models": [model.model_dump(mode="json") for model in self.models],
            "settings": self.settings,
            "watchlist": asdict(self.watchlist),
            "inputs": [asdict(record) for record in self.inputs],
            "outputs": [asdict(record) for record in self.outputs],
            "failures": list(self.failures),
        }


def record_file(path: Path, shown_as: str | None = None) -> FileRecord:
    """A file's sum and size.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(shown_as or str(path), digest.hexdigest(), size)


def record_folder(folder: Path, pictures: Sequence[Path]) -> FileRecord:
    """One record for a folder of pictures: it changes when any of them does, or its name.

    Raises:
        OSError: one of them cannot be read.
    """
    records = [record_file(path, path.name) for path in pictures]
    digest = _digest((record.path, record.sha256) for record in records)
    return FileRecord(str(folder), digest, sum(record.size_bytes for record in records))


def watchlist_digest(pictures: Iterable[tuple[str, Path]]) -> str:
    """A sum over the subjects and pictures of a list, whatever order they come in.

    Raises:
        OSError: a picture cannot be read.
    """
    return _digest(sorted((subject_id, record_file(path).sha256) for subject_id, path in pictures))


def settings_digest(*values: Any) -> str:
    """A sum over JSON values; equal settings give equal sums."""
    return hashlib.sha256(canonical_json({"values": list(values)})).hexdigest()


def operator_name() -> str:
    """The account that runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without an entry for the user id
        return f"uid-{os.getuid()}"


def this_software() -> Software:
    """The build that is running."""
    return Software(version=metadata.version("aiqyn"))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file so that a crash leaves the old one or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def _digest(pairs: Iterable[tuple[str, str]]) -> str:
    return settings_digest([list(pair) for pair in pairs])
