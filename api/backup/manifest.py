"""What a backup says it holds, signed with the key that signs receipts.

TARGET/                     a folder of its own, readable by its owner alone
  manifest.json             the hash of every file, signed
  database.sqlite           or database.pgdump
  evidence.jsonl            one line for every sealed blob the records name: ref, SHA-256, size
  evidence/<ref>            the blobs themselves, unless they are only referred to
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from api.backup.errors import BackupError
from pipelines.errors import SealingError
from pipelines.events import Signature
from pipelines.signing import SigningKey, VerifyingKeys, sign_event, verify_event

SCHEMA: Final = "aiqyn.backup/1"
MANIFEST: Final = "manifest.json"
EVIDENCE_LIST: Final = "evidence.jsonl"
EVIDENCE_FOLDER: Final = "evidence"
_BLOCK_BYTES: Final = 1024 * 1024

Say = Callable[[str, int, int], None]
"""Is told how far a step has come: its name, how much is done, and of how much; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class BlobLine:
    """A sealed blob that the records name.

    Attributes:
        ref: where it lies in its store.
        sha256: of the sealed bytes; None where the blob was not there any more, or not yet.
        size_bytes: 0 where it was not there.
    """

    ref: str
    sha256: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_at: RFC 3339, UTC.
        software: version that made it.
        database: `sqlite` or `postgresql`.
        database_file: its file in the backup.
        database_sha256: of that file.
        revision: of the schema.
        ledger_sequence: of the newest entry.
        ledger_sha256: its hash.
        evidence: whether blobs were copied, or are only referred to.
        evidence_sha256: of the list of them.
        blobs: named by the records.
        missing: of those not in their store when the backup was made.
    """

    made_at: str
    software: str
    database: str
    database_file: str
    database_sha256: str
    revision: str
    ledger_sequence: int
    ledger_sha256: str
    evidence: Literal["copied", "referenced"]
    evidence_sha256: str
    blobs: int
    missing: int

    def document(self) -> dict[str, Any]:
        """As JSON values, without the signature."""
        return {"schema": SCHEMA, **asdict(self)}


def write_manifest(folder: Path, manifest: Manifest, key: SigningKey) -> None:
    """Signs and writes it; the last file of a backup."""
    document = manifest.document()
    signed = document | {"signature": sign_event(document, key).model_dump()}
    (folder / MANIFEST).write_text(json.dumps(signed, indent=2) + "\n", "utf-8")


def read_manifest(folder: Path, keys: VerifyingKeys) -> Manifest:
    """What a backup says, once its signature holds.

    Raises:
        BackupError: no backup, another version of one, changed, or signed by another key store.
    """
    try:
        document = json.loads((folder / MANIFEST).read_text("utf-8"))
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise BackupError(f"{folder}: is no backup of a version this program knows")
        signature = Signature.model_validate(document.pop("signature", None))
        verify_event(document, signature, keys)
        del document["schema"]
        return Manifest(**document)
    except (OSError, ValueError, TypeError) as error:
        raise BackupError(f"{folder}: is no backup: {type(error).__name__}") from error
    except SealingError as error:
        raise BackupError(
            f"{folder}: not made by this key store, or changed since: {error}. Restore the keys first: "
            "`aiqyn keys restore`"
        ) from error


def check_files(folder: Path, manifest: Manifest, say: Say) -> None:
    """Holds every file against its hash.

    Raises:
        BackupError: one is missing, cut short or changed.
    """
    files = [(manifest.database_file, manifest.database_sha256), (EVIDENCE_LIST, manifest.evidence_sha256)]
    for name, wanted in files:
        _check(folder, name, wanted)
    if manifest.evidence == "copied":
        for number, line in enumerate(blob_lines(folder)):
            say("checking evidence", number, manifest.blobs)
            if line.sha256 is not None:
                _check(folder, f"{EVIDENCE_FOLDER}/{line.ref}", line.sha256)


def blob_lines(folder: Path) -> Iterator[BlobLine]:
    """The list of blobs of a backup whose files have been checked."""
    with (folder / EVIDENCE_LIST).open(encoding="utf-8") as lines:
        for line in lines:
            yield BlobLine(**json.loads(line))


def write_blob_lines(folder: Path, lines: Iterable[BlobLine]) -> tuple[int, int]:
    """Writes the list as blobs come; how many there are, and how many are missing."""
    count = missing = 0
    with (folder / EVIDENCE_LIST).open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(asdict(line)) + "\n")
            count += 1
            missing += line.sha256 is None
    return count, missing


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, however large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def silent(_step: str, _done: int, _total: int) -> None:
    """Tells nobody."""


def summary(manifest: Manifest, **more: object) -> Mapping[str, object]:
    """What a command prints about a backup."""
    return {**manifest.document(), **more}


def _check(folder: Path, name: str, wanted: str) -> None:
    try:
        found = sha256_of(folder / name)
    except OSError as error:
        raise BackupError(f"{folder / name}: {error.strerror}; nothing was restored") from error
    if found != wanted:
        raise BackupError(f"{folder / name}: is cut short or was changed; nothing was restored")
