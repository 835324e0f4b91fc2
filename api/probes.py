"""Whether what the service needs is there. A check that hangs is an answer too, and keeps no later one waiting."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from api.keys.store import KeyStore
from api.store.engine import Database
from api.store.migrate import current_revision, newest_revision
from pipelines.errors import PipelineError

OK: Final = "ok"
HANGS: Final = "hangs"
TIMEOUT_SECONDS: Final = 2.0
"""Less than a probe's own patience (`Dockerfile`: 4 s)."""

LEAST_FREE_BYTES: Final = 64 * 1024**2
"""Below it a database soon cannot commit; evidence keeps a larger reserve of its own."""


class Probe:
    """One check, run in a thread of its own: at most one at a time, however often it is asked for."""

    def __init__(
        self, name: str, check: Callable[[], str], *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """
        Args:
            name: of the part.
            check: gives `ok` or what is wrong.
            timeout_seconds: how long it may take before it counts as hanging.
        """
        self.name = name
        self._check = check
        self._timeout = timeout_seconds
        self._mutex = threading.Lock()
        self._running: _Round | None = None

    def begin(self) -> Callable[[], str]:
        """Joins the round that runs, or begins one; what is returned waits for `ok`, what is wrong, or `hangs`."""
        with self._mutex:
            if self._running is None or self._running.over:
                self._running = _Round(self.name, self._check)
            return partial(self._running.state, self._timeout)

    def state(self) -> str:
        """`ok`, what is wrong, or `hangs`."""
        return self.begin()()


class _Round:
    """One run of a check."""

    def __init__(self, name: str, check: Callable[[], str]) -> None:
        self._check = check
        self._done = threading.Event()
        self._state = HANGS
        threading.Thread(target=self._run, name=f"probe {name}", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self._done.is_set()

    def state(self, timeout_seconds: float) -> str:
        """What it found; `hangs` where it has not within that time."""
        return self._state if self._done.wait(timeout_seconds) else HANGS

    def _run(self) -> None:
        try:
            self._state = self._check()
        except Exception as error:  # noqa: BLE001  # thread boundary: whatever goes wrong is what the probe tells
            self._state = f"failed ({type(error).__name__})"
        finally:
            self._done.set()


class Probes:
    """All checks of one service."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probes)

    def states(self) -> dict[str, str]:
        """Of each part, in no more time than the slowest may take."""
        begun = {probe.name: probe.begin() for probe in self._probes}
        return {name: state() for name, state in begun.items()}


def database_state(database: Database) -> str:
    """Whether the database answers, with the schema of this build."""
    try:
        return OK if current_revision(database.engine) == newest_revision() else "old schema"
    except SQLAlchemyError:
        return "away"


def keys_state(folder: Path) -> str:
    """Whether the key store can be used."""
    try:
        KeyStore.open(folder)
    except PipelineError:
        return "unusable"
    return OK


def disk_state(folders: Iterable[Path], *, least_free_bytes: int = LEAST_FREE_BYTES) -> str:
    """Whether these folders can still be written to.

    Args:
        folders: those that exist are looked at.
        least_free_bytes: what must be free on each one's disk.
    """
    for folder in folders:
        try:
            found = os.statvfs(folder)
        except FileNotFoundError:
            continue  # made when it is first needed
        except OSError:
            return "cannot be read"
        if found.f_flag & os.ST_RDONLY:
            return "read-only"
        if found.f_bavail * found.f_frsize < least_free_bytes or (found.f_files and not found.f_favail):
            return "full"
    return OK


def local_folders(database_url: str, evidence_url: str) -> tuple[Path, ...]:
    """Folders of this machine the service writes to; none of a database or a store over the network."""
    folders = []
    parsed = make_url(database_url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        folders.append(Path(parsed.database).parent)
    evidence = urlsplit(evidence_url)
    if evidence.scheme in ("", "file"):
        folders.append(Path(unquote(evidence.path)))
    return tuple(folders)
