"""Reads the pictures of an import in several children at once; each picture once, however many rows name it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiqyn.roster.journal import ReadJournal, Result
from aiqyn.roster.pictures import FoundPicture, read_found
from pipelines.enrol import reference_of
from pipelines.reference_reader import PictureReader

UNREPEATED = frozenset({"failed"})
"""Results that are not kept: another try may fare better."""


class PictureReaders:
    """As many readers as threads; each thread has its own, made when it first needs one."""

    def __init__(self, reader_of: Callable[[], PictureReader], threads: int) -> None:
        """
        Args:
            reader_of: makes a reader.
            threads: how many pictures are read at once.
        """
        self._reader_of, self._threads = reader_of, threads
        self._own = threading.local()
        self._all: list[PictureReader] = []

    def read(
        self,
        folder: Path,
        pictures: Sequence[FoundPicture],
        journal: ReadJournal,
        on_picture: Callable[[object], None],
    ) -> dict[str, Result]:
        """Results by the hash of each picture.

        Args:
            folder: the only one files are taken from.
            pictures: files that were found.
            journal: what is known already, and where new results go.
            on_picture: told after each picture, in the caller's thread.

        Raises:
            EnrolError: no reader can work.
        """
        first = {picture.sha256: picture for picture in reversed(pictures)}
        unread = [one for digest, one in first.items() if digest not in journal.results]
        results = {digest: journal.results[digest] for digest in first if digest in journal.results}
        for _ in results:
            on_picture(None)
        try:
            # The threads live until the last picture is read: a child ends with the thread that started it.
            with ThreadPoolExecutor(self._threads) as pool:
                answers = pool.map(lambda one: self._read(folder, one), unread)
                self._gather(zip(unread, answers, strict=True), journal, results, on_picture)
        finally:
            for reader in self._all:
                reader.close()
            self._all.clear()
        return results

    def _gather(
        self,
        answered: Iterable[tuple[FoundPicture, Result]],
        journal: ReadJournal,
        results: dict[str, Result],
        on_picture: Callable[[object], None],
    ) -> None:
        for picture, result in answered:
            results[picture.sha256] = result
            if not (isinstance(result, str) and result in UNREPEATED):
                journal.add(picture.sha256, result)
            on_picture(picture)

    def _read(self, folder: Path, picture: FoundPicture) -> Result:
        reader = getattr(self._own, "reader", None)
        if reader is None:
            reader = self._own.reader = self._reader_of()
            self._all.append(reader)
        data = read_found(folder, picture)
        face = reader.read(data) if data else "failed"
        return face if isinstance(face, str) else reference_of(face, "", "", picture.sha256)
