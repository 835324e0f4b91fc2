"""Reads a backup back: everything is checked before anything is touched, and a running service is never overwritten."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import Engine, create_engine, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.backup.errors import BackupError
from api.backup.making import Sources, check_ledger
from api.backup.manifest import EVIDENCE_FOLDER, Manifest, Say, blob_lines, check_files, read_manifest
from api.backup.snapshots import others_connected, restore_postgres, restore_sqlite
from api.store.engine import Database, open_engine
from api.store.in_use import alone
from api.store.migrate import check_known, migrate
from pipelines.errors import EvidenceError, EvidenceMissingError
from pipelines.evidence_blobs import Place
from pipelines.signing import VerifyingKeys

GONE_WITHIN_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was read back.

    Attributes:
        manifest: of the backup.
        blobs_written: that the store did not have.
        blobs_there: that it had.
        blobs_absent: that neither it nor the backup has.
    """

    manifest: Manifest
    blobs_written: int
    blobs_there: int
    blobs_absent: int


def restore_backup(source: Path, targets: Sources, say: Say, *, replace: bool = False) -> Restored:
    """Restores database and evidence from a backup.

    Args:
        source: the folder of a backup.
        targets: where they go. Blobs are never deleted: those that are not in the backup stay.
        say: is told how far it is.
        replace: whether a database that holds something may be replaced.

    Raises:
        BackupError: the backup is not whole, not ours or of another kind of database; the target is in use, or
            holds something. Nothing was changed then.
    """
    manifest = read_manifest(source, VerifyingKeys.from_jwks(targets.keys.jwks()))
    check_files(source, manifest, say)
    kind = make_url(targets.database_url).get_backend_name()
    if kind != manifest.database:
        raise BackupError(f"{source}: is of {manifest.database}, and api.database_url names {kind}")
    try:
        check_known(manifest.revision)
    except (CommandError, ResolutionError) as error:
        raise BackupError(
            f"{source}: was made by a newer version, {manifest.software}: update first"
        ) from error
    with _nobody_else(targets.database_url, replace=replace):
        _check_copy(source, manifest, say)
        counts = _put_blobs(source, manifest, targets.evidence, say)
        say("restoring the database", 0, 0)
        file = source / manifest.database_file
        (restore_sqlite if kind == "sqlite" else restore_postgres)(file, targets.database_url)
        _bring_up(targets.database_url, manifest, say)
    return Restored(manifest, *counts)


@contextmanager
def _nobody_else(url: str, *, replace: bool) -> Iterator[None]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        with alone(file) as is_alone:
            if not is_alone:
                raise BackupError(f"{file}: is in use; end the service first (`aiqyn serve`)")
            if file.exists() and file.stat().st_size:
                _check_empty(create_engine(f"sqlite:///{file}"), replace=replace)
            yield
        return
    engine = open_engine(url)
    try:
        others = _still_connected(engine)
        if others:
            raise BackupError(
                f"the database has {others} other connections; end the service first (`aiqyn serve`)"
            )
        _check_empty(engine, replace=replace)
    except SQLAlchemyError as error:
        raise BackupError(f"the database does not answer: {type(error).__name__}") from error
    finally:
        engine.dispose()
    yield


def _still_connected(engine: Engine) -> int:
    """Other connections that do not go within moments: one that was just closed is listed a little longer."""
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while (others := others_connected(engine)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return others


def _check_empty(engine: Engine, *, replace: bool) -> None:
    try:
        holds_something = bool(inspect(engine).get_table_names())
    except SQLAlchemyError:
        holds_something = True  # not to be read, and so not to be thrown away unasked
    finally:
        engine.dispose()
    if holds_something and not replace:
        raise BackupError("the database holds something; --replace puts the backup in its place")


def _check_copy(source: Path, manifest: Manifest, say: Say) -> None:
    """Whether the ledger in an SQLite copy is what the manifest says; a dump can only be read once it is restored."""
    if manifest.database != "sqlite":
        return
    engine = create_engine(f"sqlite:///file:{source / manifest.database_file}?mode=ro&immutable=1&uri=true")
    try:
        with Session(engine) as session:
            _check_end(check_ledger(session, say), manifest)
    finally:
        engine.dispose()


def _bring_up(url: str, manifest: Manifest, say: Say) -> None:
    database = Database(open_engine(url))
    try:
        with database.read() as session:
            if manifest.database != "sqlite":
                _check_end(check_ledger(session, say), manifest)
        migrate(database.engine)
    finally:
        database.close()


def _check_end(found: tuple[int, str], manifest: Manifest) -> None:
    if found != (manifest.ledger_sequence, manifest.ledger_sha256):
        raise BackupError("the ledger of the backup ends elsewhere than its manifest says")


def _put_blobs(source: Path, manifest: Manifest, place: Place, say: Say) -> tuple[int, int, int]:
    """What the store lacks; a blob is named after its hash, so one that is there is the same."""
    written = there = absent = 0
    try:
        for number, line in enumerate(blob_lines(source)):
            say("evidence", number, manifest.blobs)
            if _has(place, line.ref):
                there += 1
            elif line.sha256 is None or manifest.evidence == "referenced":
                absent += 1
            else:
                place.write(line.ref, (source / EVIDENCE_FOLDER / line.ref).read_bytes())
                written += 1
    except EvidenceError as error:
        raise BackupError(f"{error}; the database was not touched") from error
    return written, there, absent


def _has(place: Place, ref: str) -> bool:
    try:
        place.read(ref)
    except EvidenceMissingError:
        return False
    return True
