"""Redacted previews of cameras, written only while somebody looks: coarse blocks, so that nobody can be told from it.

What an operator wants to know of a camera is whether it points where it should and gives pictures; for that nobody's
face is needed. Privacy masks are burnt in before pictures come here. The service says who is looked at with a key
that ends by itself; the preview ends by itself, too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import structlog
from redis import ConnectionPool, Redis
from redis.exceptions import NoPermissionError, RedisError

from pipelines.acl import preview_user
from pipelines.streams import preview_key, preview_wanted_key
from vision.errors import ImageError
from vision.images import encode_jpeg
from vision.redact import pixelate
from vision.types import Image

WIDTH_PX = 480
JPEG_QUALITY = 70
ROUND_SECONDS = 0.5
SHOWN_EVERY_SECONDS = 0.6
"""Of one camera; with rounds of half a second, one to two pictures a second."""

LIVES_MS = 4000
"""A preview that is not renewed is gone after this."""

SILENT_SECONDS = 3.0
"""A camera that gave no picture for so long has no preview, however still its scene is."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Shown:
    """One camera's newest preview."""

    jpeg: bytes = b""
    made_seconds: float = float("-inf")
    alive_seconds: float = float("-inf")


class PreviewWriter:
    """Previews of one worker's cameras; cameras never wait for Redis."""

    def __init__(
        self,
        redis: Redis,
        worker_id: str,
        camera_ids: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            redis: a client of the worker's user.
            worker_id: whose cameras.
            camera_ids: them.
            clock: seconds that only grow.
        """
        self._redis = redis
        self._writing = redis
        self._user = preview_user(worker_id)
        self._cameras = {camera_id: _Shown() for camera_id in camera_ids}
        self._clock = clock
        self._wanted: frozenset[str] = frozenset()
        self._away = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="previews", daemon=True)

    def start(self) -> None:
        """Begins to look who is looked at."""
        self._thread.start()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Ends; what was written ends by itself."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        if self._writing is not self._redis:
            self._writing.close()

    def cameras_are(self, camera_ids: Iterable[str]) -> None:
        """Which cameras there are from now on."""
        self._cameras = {camera_id: self._cameras.get(camera_id) or _Shown() for camera_id in camera_ids}

    def alive(self, camera_id: str) -> None:
        """The camera has just given a picture, whether anything moved in it or not."""
        shown = self._cameras.get(camera_id)  # one that was removed may give a last picture
        if shown is not None:
            shown.alive_seconds = self._clock()

    def show(self, camera_id: str, image: Image) -> None:
        """Makes a preview, if somebody looks and it is time.

        Args:
            camera_id: the camera.
            image: (H, W, 3) uint8 BGR, privacy masks burnt in; not modified.
        """
        shown, now = self._cameras.get(camera_id), self._clock()
        if shown is None or camera_id not in self._wanted or now - shown.made_seconds < SHOWN_EVERY_SECONDS:
            return
        try:
            shown.jpeg, shown.made_seconds = preview_of(image), now
        except ImageError as error:
            _log.warning("preview_failed", camera_id=camera_id, reason=str(error))

    def write(self) -> int:
        """One round: asks who is looked at, writes what there is; returns how many were written.

        Raises:
            RedisError: Redis is away or refuses.
        """
        self._wanted = self._asked()
        now, written = self._clock(), 0
        for camera_id, shown in list(self._cameras.items()):
            if camera_id not in self._wanted:
                shown.jpeg = b""  # what nobody looks at is not kept
            elif shown.jpeg and now - shown.alive_seconds < SILENT_SECONDS:
                self._set(preview_key(camera_id), shown.jpeg)
                written += 1
        return written

    def _asked(self) -> frozenset[str]:
        camera_ids = list(self._cameras)
        if not camera_ids:
            return frozenset()
        pipeline = self._redis.pipeline(transaction=False)
        for camera_id in camera_ids:
            pipeline.get(preview_wanted_key(camera_id))
        # A camera this worker may not ask about (the ACL file is older than it) costs the others nothing.
        answers: list[Any] = pipeline.execute(raise_on_error=False)
        pairs = zip(camera_ids, answers, strict=True)
        return frozenset(name for name, wanted in pairs if isinstance(wanted, bytes) and wanted)

    def _set(self, key: str, jpeg: bytes) -> None:
        try:
            self._writing.set(key, jpeg, px=LIVES_MS)
        except NoPermissionError:
            if self._writing is not self._redis:
                raise
            # Before Redis 7 a user of its own writes previews, with the worker's password.
            pool = self._redis.connection_pool
            options = {**pool.connection_kwargs, "username": self._user}
            self._writing = Redis(
                connection_pool=ConnectionPool(connection_class=pool.connection_class, **options)
            )
            self._writing.set(key, jpeg, px=LIVES_MS)

    def _run(self) -> None:
        while not self._stop.wait(ROUND_SECONDS):
            try:
                self.write()
                self._away = False
            except RedisError as error:
                if not self._away:
                    _log.warning("previews_not_written", reason=type(error).__name__)
                self._away = True


def preview_of(image: Image) -> bytes:
    """A small JPEG of a picture, wholly in coarse blocks.

    Raises:
        ImageError: not an image.
    """
    coarse = pixelate(image)
    height, width = coarse.shape[:2]
    if width > WIDTH_PX:
        size_wh = (WIDTH_PX, max(1, round(height * WIDTH_PX / width)))
        coarse = np.asarray(cv2.resize(coarse, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return encode_jpeg(coarse, JPEG_QUALITY)
