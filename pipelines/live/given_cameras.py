"""The cameras the service gives this worker: followed out of Redis, kept on this worker's disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from pipelines.errors import PipelineError, SealingError
from pipelines.given_cameras import GivenCamera, GivenCameras, read_cameras
from pipelines.key_files import make_private_folder, read_private, write_private
from pipelines.signing import VerifyingKeys
from pipelines.streams import bus_errors, cameras_key

_log = structlog.get_logger(__name__)


class GivenCameraFollower:
    """Says which cameras the service gives; looks at Redis when one thread asks.

    With Redis away, emptied or forged those that were given last go on, after a restart, too. Only what the service
    signed later takes their place.
    """

    def __init__(self, redis: Redis, signers: VerifyingKeys, folder: Path, worker_id: str) -> None:
        """
        Args:
            redis: a client of the worker's user.
            signers: who may have signed, `WorkerKeys.gallery_signers`.
            folder: on this worker's disk, its owner's alone; made where it is missing.
            worker_id: whose cameras.

        Raises:
            SealingError: the folder cannot be made, or is open to others.
        """
        self._redis = redis
        self._signers = signers
        self._path = folder / f"{worker_id}.json"
        self._worker_id = worker_id
        self._known: GivenCameras | None = None
        self._saved = True
        self._refused: bytes | None = None
        self._new = False
        self._forbidden = False
        make_private_folder(folder)
        self._recall()

    @property
    def cameras(self) -> Mapping[str, GivenCamera]:
        """Given last, by id."""
        return {} if self._known is None else self._known.cameras

    def refresh(self) -> bool:
        """Looks for later ones; whether there are others than were asked for before, at first those of the disk.

        Raises:
            BusError: Redis is away or refused; what is known stays.
        """
        with bus_errors("given cameras cannot be looked up"):
            content = self._asked()
        if content is not None and content != self._refused:
            try:
                self._take(content)
            except SealingError as error:
                self._refused = content
                _log.error("cameras_refused", reason=str(error))
        new, self._new = self._new, False
        return new

    def _asked(self) -> bytes | None:
        try:
            found: Any = self._redis.get(cameras_key(self._worker_id))
        except (
            NoPermissionError
        ):  # an ACL file from before there were given cameras: this worker is given none
            if not self._forbidden:
                _log.warning("given_cameras_forbidden", mend="write the ACL file of Redis anew")
            self._forbidden = True
            return None
        except ResponseError:
            return b""  # on Redis 6.2 another kind of value can stand there
        return found if isinstance(found, bytes) else None

    def _take(self, content: bytes) -> None:
        found = read_cameras(content, self._signers, self._worker_id)
        if self._known is not None and found.changed_at < self._known.changed_at:
            raise SealingError("older than those in force")
        self._refused = None
        if found == self._known and self._saved:
            return
        self._new = self._new or self._known is None or found.cameras != self._known.cameras
        self._known = found
        self._save(content)

    def _save(self, content: bytes) -> None:
        """A full disk puts off keeping them, never putting them in force."""
        try:
            write_private(self._path, content, replace=True)
            self._saved = True
        except SealingError as error:
            self._saved = False
            _log.error("cameras_not_kept", reason=str(error))

    def _recall(self) -> None:
        if not self._path.exists():
            return
        try:
            self._known = read_cameras(read_private(self._path), self._signers, self._worker_id)
            self._new = True
        except PipelineError as error:
            _log.error("cameras_unreadable", reason=str(error), now="none until the service says which")
