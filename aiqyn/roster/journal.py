"""What an import has read so far, sealed on disk: an interrupted run, or one after a corrected table, goes on from it.

It holds templates and portraits, so it lies under a key of its own in the key store; that key is destroyed when the
import is filed, and when a day has passed.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import threading
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np

from api.keys.store import KeyStore
from pipelines.enrol import Reference
from pipelines.errors import SealingError
from pipelines.recipes import TemplateRecipe
from pipelines.reference_wire import WireError, quality_of
from pipelines.sealing import decrypt, encrypt

LASTS: Final = timedelta(days=1)
FOLDER: Final = "imports"

_HEAD: Final = struct.Struct(">I")
_MOST_RECORD_BYTES: Final = 4 * 1024 * 1024
_CONTEXT: Final = "aiqyn.import/1"

Result = Reference | str
"""A picture that was read, or the word for why it cannot be."""


class ReadJournal:
    """Results by the hash of their picture. One process at a time; several threads may add."""

    def __init__(self, data_dir: Path, keys: KeyStore, recipe: TemplateRecipe, watchlist_id: str) -> None:
        """
        Args:
            data_dir: of the service.
            keys: hold the journal's own key.
            recipe: results of another are of no use.
            watchlist_id: the list that is imported into.
        """
        name = hashlib.sha256(f"{recipe.sha256}:{watchlist_id}".encode()).hexdigest()[:32]
        self._path = data_dir / FOLDER / f"{name}.journal"
        self._keys, self._key_id = keys, f"import:{name}"
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self.results: dict[str, Result] = {}

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = self._keys.has_subject_key(self._key_id) and self._path.exists()
        if not usable:
            self.destroy()
            self._keys.create_subject_key(self._key_id)
        whole = self._load() if usable else 0
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(handle, whole)  # what a killed run wrote half
        self._file = os.fdopen(handle, "r+b")
        self._file.seek(whole)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, sha256: str, result: Result) -> None:
        """Keeps a result; on disk soon, and lost at most by what a killed process had not handed over."""
        key = self._keys.subject_key(self._key_id)
        blob = encrypt(key, _packed(sha256, result), _CONTEXT)
        with self._lock:
            self.results[sha256] = result
            if self._file is not None:
                self._file.write(_HEAD.pack(len(blob)) + blob)
                self._file.flush()

    def destroy(self) -> None:
        """Nothing of it can be read any more."""
        self.__exit__(None, None, None)
        self._keys.destroy_subject_key(self._key_id)
        self._path.unlink(missing_ok=True)
        self.results.clear()

    def _load(self) -> int:
        """Reads what is there; how many bytes of it are whole."""
        key, whole = self._keys.subject_key(self._key_id), 0
        with self._path.open("rb") as file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                (length,) = _HEAD.unpack(head)
                blob = file.read(length) if length <= _MOST_RECORD_BYTES else b""
                if len(blob) != length:
                    break
                try:
                    sha256, result = _unpacked(decrypt(key, blob, _CONTEXT))
                except (SealingError, WireError, ValueError, KeyError):
                    break
                self.results[sha256] = result
                whole += _HEAD.size + length
        return whole


def destroy_old_journals(data_dir: Path, keys: KeyStore, now: datetime) -> int:
    """Destroys journals older than `LASTS`; how many."""
    destroyed = 0
    for path in (data_dir / FOLDER).glob("*.journal"):
        if now.timestamp() - path.stat().st_mtime > LASTS.total_seconds():
            keys.destroy_subject_key(f"import:{path.stem}")
            path.unlink()
            destroyed += 1
    return destroyed


def _packed(sha256: str, result: Result) -> bytes:
    if isinstance(result, str):
        header: dict[str, Any] = {"sha256": sha256, "refused": result}
        return json.dumps(header).encode() + b"\n"
    header = {
        "sha256": sha256,
        "quality": asdict(result.quality),
        "other_faces": result.other_faces,
        "dimension": len(result.embedding),
    }
    return (
        json.dumps(header).encode() + b"\n" + result.embedding.astype("<f4").tobytes() + result.portrait_jpeg
    )


def _unpacked(plain: bytes) -> tuple[str, Result]:
    line, _, rest = plain.partition(b"\n")
    header = json.loads(line)
    if "refused" in header:
        return str(header["sha256"]), str(header["refused"])
    size = 4 * int(header["dimension"])
    embedding = np.frombuffer(rest[:size], "<f4").astype(np.float32)
    quality = quality_of(header["quality"])
    sha256 = str(header["sha256"])
    reference = Reference("", "", embedding, rest[size:], quality, sha256, bool(header["other_faces"]))
    return sha256, reference
