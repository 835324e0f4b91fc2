"""Sealed blobs on their way to a store over the network: on disk first, sent by a thread of their own.

A worker never waits for a server, and one that is away loses nothing: what lies here is sealed, so nobody can read
it, and goes once the server has taken it. The queue is bounded; past its bound new evidence is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from pipelines.errors import EvidenceError, EvidenceFullError, EvidenceMissingError
from pipelines.evidence_blobs import SHELVES, Place
from pipelines.evidence_folder import FolderPlace, free_bytes

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
IDLE_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class SealedQueue:
    """Keeps blobs on disk until a server has them; safe to use from several threads of one process."""

    def __init__(
        self,
        folder: Path,
        target: Place,
        *,
        limit_bytes: int,
        min_free_bytes: int = 0,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        """
        Args:
            folder: its own; what an earlier process left there is sent first.
            target: where blobs go.
            limit_bytes: what may wait.
            min_free_bytes: what stays free on its disk.
            free: says what is free.

        Raises:
            EvidenceError: the folder cannot be read.
        """
        self._place = FolderPlace(folder, min_free_bytes=min_free_bytes, free=free)
        self._target = target
        self._limit_bytes = limit_bytes
        self._mutex = threading.Lock()
        self._sizes = {blob.ref: blob.size_bytes for shelf in SHELVES for blob in self._place.blobs(shelf)}
        self._away = ""
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence queue", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        with self._mutex:
            return len(self._sizes)

    @property
    def away(self) -> str:
        """Why the server does not take what waits; empty where it does."""
        return self._away

    def has_room(self) -> bool:
        """Whether more may wait: a twentieth of the limit is free, and the disk has room."""
        with self._mutex:
            waiting_bytes = sum(self._sizes.values())
        return waiting_bytes <= 0.95 * self._limit_bytes and self._place.has_room()

    def add(self, ref: str, content: bytes) -> None:
        """Puts a blob on disk and returns; the thread sends it.

        Raises:
            EvidenceFullError: as much waits as may, or the disk is full.
            EvidenceError: the disk refuses.
        """
        with self._mutex:
            waiting_bytes = sum(self._sizes.values())
        if waiting_bytes + len(content) > self._limit_bytes:
            raise EvidenceFullError(
                f"{waiting_bytes // 2**20} MiB of evidence wait for the store, and evidence.waiting_limit_bytes "
                f"allows no more: {self._away or 'it takes them too slowly'}"
            )
        self._place.write(ref, content)
        with self._mutex:
            self._sizes[ref] = len(content)
        self._news.set()

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Ends the thread, once it has sent what it can in that time; what is left waits for the next start."""
        self._stop.set()
        self._news.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            sent = self._send_all()
            if self._stop.is_set():
                return
            self._news.clear()
            if sent:
                retry_seconds = FIRST_RETRY_SECONDS
                if not len(self):
                    self._news.wait(IDLE_SECONDS)
            else:
                self._stop.wait(retry_seconds)
                retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)

    def _send_all(self) -> bool:
        """Sends what waits, in the order it came; False where the server does not take it."""
        with self._mutex:
            waiting = list(self._sizes)
        for ref in waiting:
            try:
                self._send(ref)
            except EvidenceError as error:
                if not self._away:
                    _log.warning("evidence_store_away", reason=str(error), waiting=len(self))
                self._away = str(error)
                return False
        if waiting and self._away:
            _log.info("evidence_store_back", sent=len(waiting))
            self._away = ""
        return True

    def _send(self, ref: str) -> None:
        try:
            self._target.write(ref, self._place.read(ref))
        except EvidenceMissingError:
            _log.error("evidence_gone_while_waiting", ref=ref)
        self._place.delete(ref)
        with self._mutex:
            self._sizes.pop(ref, None)
