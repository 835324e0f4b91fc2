"""Stretches of time in which a camera gave nothing to look at, kept on the worker's disk until the service has them.

"No alert" must never look like "not there", so what was not seen outlives the process that did not see it. A gap is
on disk, forced there, before anybody is told of it. A gap that was open when the worker died is closed as of the
restart and says so; the time in which the worker was away is a gap of its own.

One file of lines per camera, each a JSON document; a later line about a number takes the place of an earlier one. A
line that was torn by a crash is passed over. The oldest go when there are too many, and their numbers with them: who
keeps them sees by the numbers that some are missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Final, Self

from pipelines.errors import PipelineError, SealingError
from pipelines.events import utc_now
from pipelines.key_files import make_private_folder, sync_folder
from pipelines.live.gap_records import GapRecord, parse_moment, read_gap

KEPT: Final = 1000
"""Gaps kept of each camera: three weeks of one every half hour."""

TOLD: Final = 64
"""Newest gaps told in a camera's hash; about 9 KB."""

AWAY: Final = "worker_away"
"""The reason of the time between a worker's last sign of life and its restart."""

BEAT_SECONDS: Final = 1.0
MAX_NAME_BYTES: Final = 200
_LOG_ID: Final = "log-id"
_ALIVE: Final = "alive"


class GapLogError(PipelineError):
    """The gap log cannot be written or is another process's."""


class GapLog:
    """The gaps of one worker's cameras; safe to use from several threads of one process; a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        kept: int = KEPT,
        away_reason: str | None = AWAY,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Opens the log and closes what a crash left open.

        Args:
            folder: made where missing, its owner's alone.
            kept: gaps of each camera.
            away_reason: of the gap from the last `beat` before now; None where somebody else tells of it.
            now: the machine's clock.

        Raises:
            GapLogError: the folder cannot be used, or another process uses it.
        """
        self._folder = folder
        self._kept = kept
        self._now = now
        self._mutex = threading.RLock()
        self._lines: dict[str, int] = {}
        self._told: dict[str, str] = {}
        self._beaten_at: datetime | None = None
        self._gaps: dict[str, OrderedDict[int, GapRecord]] = {}
        try:
            make_private_folder(folder)
            self._lock = _locked(folder)
        except (OSError, SealingError) as error:
            raise GapLogError(f"{folder}: the gaps of the cameras cannot be kept: {error}") from error
        try:
            self.log_id = self._read_log_id()
            for path in sorted(folder.glob("*.jsonl")):
                self._read(path)
            self._settle(away_reason)
        except (OSError, GapLogError) as error:
            self.close()
            raise GapLogError(f"{folder}: the gaps of the cameras cannot be kept: {error}") from error

    def note(self, camera_id: str, reason: str, began_at: datetime, ended_at: datetime | None) -> GapRecord:
        """Takes a gap down when it begins, and again when it ends; on disk when this returns.

        The same gap told twice is one gap: it is known by the moment it began.

        Raises:
            GapLogError: the disk refuses.
        """
        with self._mutex:
            gaps = self._of(camera_id)
            known = next((one for one in reversed(gaps.values()) if one.began_at == began_at), None)
            if known is None:
                number = next(reversed(gaps), 0) + 1
                known = GapRecord(number, began_at, ended_at, reason)
            elif known.ended_at is not None and not known.ended_by_restart:
                return known
            else:
                known = replace(known, ended_at=ended_at, reason=reason, ended_by_restart=False)
            self._keep(camera_id, known)
            return known

    def newest(self, camera_id: str, count: int = TOLD) -> tuple[GapRecord, ...]:
        """The newest gaps of a camera, oldest first."""
        with self._mutex:
            return tuple(self._of(camera_id).values())[-count:]

    def open_gap(self, camera_id: str) -> GapRecord | None:
        """The gap a camera is in; None where it gives pictures."""
        with self._mutex:
            gaps = self._of(camera_id)
            return next((one for one in reversed(gaps.values()) if one.ended_at is None), None)

    def told(self, camera_id: str) -> str:
        """The newest gaps as the camera's hash carries them: a JSON document."""
        with self._mutex:
            if camera_id not in self._told:
                document = {"log": self.log_id, "gaps": [one.document() for one in self.newest(camera_id)]}
                self._told[camera_id] = json.dumps(document, separators=(",", ":"))
            return self._told[camera_id]

    def beat(self, camera_ids: Iterable[str]) -> None:
        """Says that the worker lives and watches these cameras; call it about once a second.

        Raises:
            GapLogError: the disk refuses.
        """
        now = self._now()
        with self._mutex:
            if self._beaten_at is not None and abs(now - self._beaten_at) < timedelta(seconds=BEAT_SECONDS):
                return
            self._write_alive(now, sorted(camera_ids))
            self._beaten_at = now

    def close(self) -> None:
        """Lets another process use the folder. What is open stays open: the worker stops, and sees nothing."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _of(self, camera_id: str) -> OrderedDict[int, GapRecord]:
        return self._gaps.setdefault(camera_id, OrderedDict())

    def _keep(self, camera_id: str, gap: GapRecord) -> None:
        gaps = self._of(camera_id)
        try:
            self._append(camera_id, gap)
            gaps[gap.number] = gap
            self._told.pop(camera_id, None)
            while len(gaps) > self._kept:
                gaps.popitem(last=False)
            if self._lines[camera_id] > 2 * self._kept + 2:
                self._rewrite(camera_id)
        except OSError as error:
            raise GapLogError(f"{self._folder}: a gap cannot be kept: {error.strerror}") from error

    def _append(self, camera_id: str, gap: GapRecord) -> None:
        path = self._path(camera_id)
        is_new = not path.exists()
        with _opened(path, os.O_APPEND) as file:
            file.write(_line(camera_id, gap))
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_folder(self._folder)
        self._lines[camera_id] = self._lines.get(camera_id, 0) + 1

    def _rewrite(self, camera_id: str) -> None:
        gaps = self._gaps[camera_id]
        self._replace(self._path(camera_id), b"".join(_line(camera_id, one) for one in gaps.values()))
        self._lines[camera_id] = len(gaps)

    def _replace(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.part")
        with _opened(part, os.O_TRUNC) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(self._folder)

    def _read(self, path: Path) -> None:
        found: dict[int, GapRecord] = {}
        camera_id = ""
        content = path.read_bytes()
        lines = content.split(b"\n")
        for line in lines:
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                document = json.loads(line)
                gap, camera_id = read_gap(document), str(document["camera_id"])
                found[gap.number] = gap
        if self._path(camera_id) != path:
            return  # nothing in it can be read, or somebody put it here
        kept = OrderedDict((number, found[number]) for number in sorted(found)[-self._kept :])
        self._gaps[camera_id], self._lines[camera_id] = kept, len(lines)
        if not content.endswith(b"\n"):  # torn by a crash: the next line must not join it
            self._rewrite(camera_id)

    def _settle(self, away_reason: str | None) -> None:
        """Closes what the process before left open, and says how long nobody watched."""
        now = self._now()
        last, cameras = self._read_alive()
        for camera_id, gaps in self._gaps.items():
            for gap in [one for one in gaps.values() if one.ended_at is None]:
                self._keep(camera_id, replace(gap, ended_at=max(now, gap.began_at), ended_by_restart=True))
                cameras.discard(camera_id)  # its gap covers the time in which the worker was away
        if away_reason is not None and last is not None and last < now:
            for camera_id in sorted(cameras):
                number = next(reversed(self._of(camera_id)), 0) + 1
                self._keep(camera_id, GapRecord(number, last, now, away_reason, ended_by_restart=True))
        self._write_alive(now, [])

    def _write_alive(self, now: datetime, camera_ids: list[str]) -> None:
        # Not forced to disk: losing the last second of it to a power cut makes the gap longer, never shorter.
        document = {"at": now.isoformat(), "cameras": camera_ids}
        part = self._folder / f".{_ALIVE}.part"
        try:
            with _opened(part, os.O_TRUNC) as file:
                file.write(json.dumps(document).encode())
            part.replace(self._folder / _ALIVE)
        except OSError as error:
            raise GapLogError(f"{self._folder}: cannot be written: {error.strerror}") from error

    def _read_alive(self) -> tuple[datetime | None, set[str]]:
        try:
            document = json.loads((self._folder / _ALIVE).read_bytes())
            return parse_moment(document["at"]), {str(one) for one in document["cameras"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None, set()

    def _read_log_id(self) -> str:
        """Tells this log from one that was begun anew in its place, whose numbers begin anew too."""
        path = self._folder / _LOG_ID
        with suppress(OSError):
            known = path.read_text("ascii", "replace").strip()
            if known.isalnum() and len(known) == 16:
                return known
        self._replace(path, secrets.token_hex(8).encode())
        return path.read_text("ascii")

    def _path(self, camera_id: str) -> Path:
        """The file of a camera: its id, which holds no slash, where that is no longer than a file's name may be."""
        encoded = camera_id.encode()
        name = camera_id if len(encoded) <= MAX_NAME_BYTES else hashlib.sha256(encoded).hexdigest()
        return self._folder / f"{name}.jsonl"


def _line(camera_id: str, gap: GapRecord) -> bytes:
    return json.dumps({"camera_id": camera_id} | gap.document(), separators=(",", ":")).encode() + b"\n"


def _opened(path: Path, flags: int) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o600), "wb")


def _locked(folder: Path) -> IO[bytes]:
    lock = _opened(folder / ".lock", 0)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise GapLogError(f"{folder}: another process keeps this log") from error
    return lock
