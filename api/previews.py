"""Redacted previews of cameras for whoever looks: asked for, read, and noted that somebody looked."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any, Final

from redis import Redis

from api.cameras import CameraService
from api.clock import Clock
from api.ledger.chain import Happening
from api.principals import Principal, check_role
from api.review.cases import Role
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from pipelines.streams import bus_errors, preview_key, preview_wanted_key

VIEWERS: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.AUDITOR})
WANTED_SECONDS: Final = 5
"""Whoever looks asks once a second; so long after the last time the worker stops."""

ONE_LOOK: Final = timedelta(minutes=5)
"""Requests that follow each other are one look, and one entry of the ledger."""

MAX_PREVIEW_BYTES: Final = 512 * 1024
_MAX_LOOKS: Final = 1000


class PreviewBox:
    """The keys of previews in Redis. Anything may stand there that a worker could write."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def look(self, camera_id: str) -> bytes | None:
        """Says that somebody looks; the newest preview, None where there is none yet.

        Raises:
            BusError: Redis is away or refuses.
        """
        with bus_errors("the preview cannot be read"):
            self._redis.set(preview_wanted_key(camera_id), b"1", ex=WANTED_SECONDS)
            jpeg: Any = self._redis.get(preview_key(camera_id))
        if (
            not isinstance(jpeg, bytes)
            or len(jpeg) > MAX_PREVIEW_BYTES
            or not jpeg.startswith(b"\xff\xd8\xff")
        ):
            return None
        return jpeg


class PreviewService:
    """Shows previews to those who may look, and writes down that they did."""

    def __init__(
        self, database: Database, cameras: CameraService, box: PreviewBox | None, clock: Clock
    ) -> None:
        """
        Args:
            database: holds the ledger.
            cameras: knows which there are.
            box: None: there is no bus, and no preview.
            clock: gives the time.
        """
        self._database = database
        self._cameras = cameras
        self._box = box
        self._clock = clock
        self._mutex = threading.Lock()
        self._looks: dict[tuple[str, str], datetime] = {}

    def preview(self, principal: Principal, camera_id: str) -> bytes | None:
        """The newest preview of a camera, JPEG; None where there is none yet: ask again in a second.

        Raises:
            ForbiddenError: a role that has no need to look.
            NotFoundError: no such camera.
            BusError: Redis is away.
        """
        check_role(principal, VIEWERS, "cannot see this")
        self._cameras.check_known(camera_id, principal.scope)
        if self._begins(principal.account_id, camera_id):
            with self._database.write() as session:
                LedgerRepository(session).append(
                    Happening("preview_viewed", self._clock(), principal.account_id, f"camera:{camera_id}")
                )
        return None if self._box is None else self._box.look(camera_id)

    def _begins(self, account_id: str, camera_id: str) -> bool:
        now = self._clock()
        with self._mutex:
            began = self._looks.get((account_id, camera_id))
            if began is not None and now - began < ONE_LOOK:
                return False
            if len(self._looks) >= _MAX_LOOKS:
                self._looks = {key: at for key, at in self._looks.items() if now - at < ONE_LOOK}
            self._looks[account_id, camera_id] = now
            return True
