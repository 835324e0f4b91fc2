"""Makes a backup while the service runs: one moment of the database, and the blobs its records name."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select, text
from sqlalchemy.orm import Session

from api.backup.errors import BackupError
from api.backup.manifest import (
    EVIDENCE_FOLDER,
    EVIDENCE_LIST,
    BlobLine,
    Manifest,
    Say,
    sha256_of,
    write_blob_lines,
    write_manifest,
)
from api.backup.snapshots import snapshot
from api.keys.store import KeyStore
from api.ledger.chain import GENESIS, LedgerError, check_chain
from api.store.ledger import LedgerRepository
from api.store.models import EvidenceRecord
from pipelines.errors import EvidenceError, EvidenceMissingError
from pipelines.evidence_blobs import SUFFIX, Place

_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, repr=False)
class Sources:
    """What is backed up.

    Attributes:
        database_url: may hold a password.
        evidence: where the blobs lie.
        keys: sign the backup; they are not part of it.
        copy_evidence: whether blobs are copied; None: unless they lie on a server.
    """

    database_url: str
    evidence: Place
    keys: KeyStore
    copy_evidence: bool | None = None


def make_backup(target: Path, sources: Sources, now: datetime, say: Say) -> Manifest:
    """Writes a backup into a folder of its own; it has its name only once it is whole.

    Raises:
        BackupError: the target exists, the ledger does not hold, or something cannot be read or written.
    """
    if target.exists():
        raise BackupError(f"{target}: is there already; name a new folder")
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700, parents=True)
        with snapshot(sources.database_url, part, say) as (connection, file):
            manifest = _write(part, file, connection, sources, now, say)
        write_manifest(part, manifest, sources.keys.receipts_key())
        part.rename(target)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def check_ledger(session: Session, say: Say) -> tuple[int, str]:
    """Sequence and hash of the newest entry, once every entry follows from the one before.

    Raises:
        BackupError: one does not, or the end is not where the database says.
    """
    ledger = LedgerRepository(session)
    newest = ledger.newest_sequence()
    sequence, digest = 0, GENESIS
    try:
        while entries := ledger.page(sequence, _PAGE):
            digest = check_chain(entries, digest, sequence)
            sequence = entries[-1].sequence
            session.expunge_all()
            say("checking the ledger", sequence, newest)
    except LedgerError as error:
        raise BackupError(f"the ledger does not hold: {error}") from error
    if sequence != newest:
        raise BackupError(f"the ledger ends at entry {sequence}, and should at {newest}")
    return sequence, digest


def _write(
    part: Path, file: Path, connection: Connection, sources: Sources, now: datetime, say: Say
) -> Manifest:
    with Session(connection) as session:
        sequence, digest = check_ledger(session, say)
        copied = not sources.evidence.remote if sources.copy_evidence is None else sources.copy_evidence
        blobs, missing = write_blob_lines(
            part, _blobs(session, sources.evidence, part if copied else None, say)
        )
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    say("hashing the copy", 0, 0)
    return Manifest(
        made_at=now.isoformat(),
        software=metadata.version("aiqyn"),
        database="sqlite" if file.suffix == ".sqlite" else "postgresql",
        database_file=file.name,
        database_sha256=sha256_of(file),
        revision=revision,
        ledger_sequence=sequence,
        ledger_sha256=digest,
        evidence="copied" if copied else "referenced",
        evidence_sha256=sha256_of(part / EVIDENCE_LIST),
        blobs=blobs,
        missing=missing,
    )


def _blobs(session: Session, place: Place, part: Path | None, say: Say) -> Iterator[BlobLine]:
    wanted = select(EvidenceRecord.ref).where(EvidenceRecord.deleted_at.is_(None)).distinct()
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    for number, ref in enumerate(
        session.scalars(wanted.order_by(EvidenceRecord.ref).execution_options(yield_per=1000))
    ):
        say("evidence", number, total)
        if part is None:
            yield BlobLine(ref, ref.rpartition("/")[2].removesuffix(SUFFIX), 0)
            continue
        try:
            content = place.read(ref)
        except EvidenceMissingError:
            yield BlobLine(ref, None, 0)
            continue
        except EvidenceError as error:
            raise BackupError(str(error)) from error
        to = part / EVIDENCE_FOLDER / ref
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        to.write_bytes(content)
        yield BlobLine(ref, hashlib.sha256(content).hexdigest(), len(content))
