"""The masks in force on a worker's cameras: from the service, kept on disk, else from the settings file.

A mask is never lost silently. What the service signed is kept on this worker's disk, where it
holds while Redis is away, empty or forged, and after a restart. Only a later package with its signature takes
its place, a removal among them. Where what was kept cannot be read any more, or where Redis does not let this worker
ask, the whole picture is masked until it is known what holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from pipelines.config import CameraConfig
from pipelines.config_gate import polygons
from pipelines.errors import PipelineError, SealingError
from pipelines.key_files import make_private_folder, read_private, write_private
from pipelines.live.camera_slot import Masks
from pipelines.overlay_package import CameraOverlays, read_overlays
from pipelines.signing import VerifyingKeys
from pipelines.streams import bus_errors, overlays_key
from vision.polygons import Polygon

_log = structlog.get_logger(__name__)

WHOLE_PICTURE = Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))


class OverlayFollower:
    """Says which masks hold, camera by camera; looks at Redis when one thread asks, answers any.

    Args:
        redis: a client of the worker's user.
        signers: who may have signed, `WorkerKeys.gallery_signers`.
        folder: on this worker's disk, its owner's alone; made where it is missing.
        configured: masks of the settings file by camera: all cameras of this worker.

    Raises:
        SealingError: the folder cannot be made, or is open to others.
    """

    def __init__(
        self, redis: Redis, signers: VerifyingKeys, folder: Path, configured: Mapping[str, Masks]
    ) -> None:
        self._redis = redis
        self._signers = signers
        self._folder = folder
        self._known: dict[str, CameraOverlays] = {}
        self._unreadable: set[str] = set()
        self._unsaved: set[str] = set()
        self._refused: dict[str, bytes] = {}
        self._configured: dict[str, Masks] = {}
        self._forbidden: set[str] = set()
        make_private_folder(folder)
        self.configure(configured)

    def configure(self, configured: Mapping[str, Masks]) -> None:
        """Takes the cameras and masks of a settings file that was read again."""
        for camera_id in configured:
            if camera_id not in self._configured:
                self._recall(camera_id)
        self._configured = dict(configured)

    @property
    def cameras(self) -> frozenset[str]:
        """All of this worker."""
        return frozenset(self._configured)

    def masks(self, camera_id: str) -> Masks:
        """What holds on a camera now; versions drawn in the service win over the settings file."""
        own = self._configured.get(camera_id, Masks())
        if camera_id in self._unreadable:
            return Masks((WHOLE_PICTURE,), own.detection)
        drawn = self._known.get(camera_id)
        if drawn is None:
            return Masks((WHOLE_PICTURE,), own.detection) if camera_id in self._forbidden else own
        return Masks(
            own.privacy if drawn.privacy_masks is None else drawn.privacy_masks,
            own.detection if drawn.detection_masks is None else drawn.detection_masks,
        )

    def refresh(self) -> tuple[str, ...]:
        """Looks for later overlays of every camera.

        Returns:
            Cameras whose masks changed.

        Raises:
            BusError: Redis is away or refused; what is known stays.
        """
        cameras = tuple(self._configured)
        with (
            bus_errors("overlays cannot be looked up"),
            self._redis.pipeline(transaction=False) as pipe,
        ):
            for camera_id in cameras:
                pipe.get(overlays_key(camera_id))
            found: list[Any] = pipe.execute(raise_on_error=False)
        pairs = zip(cameras, found, strict=True)
        return tuple(camera_id for camera_id, content in pairs if self._look(camera_id, content))

    def _look(self, camera_id: str, content: Any) -> bool:
        if isinstance(content, NoPermissionError):
            return self._note_forbidden(camera_id)
        before = self.masks(camera_id)
        self._forbidden.discard(camera_id)
        if isinstance(content, ResponseError):  # on Redis 6.2 a worker can put another kind of value there
            content = b""
        if content is None or content == self._refused.get(camera_id):
            return self.masks(camera_id) != before
        try:
            self._take(camera_id, content)
        except SealingError as error:
            self._refused[camera_id] = content
            _log.error("overlays_refused", camera_id=camera_id, reason=str(error))
        return self.masks(camera_id) != before

    def _note_forbidden(self, camera_id: str) -> bool:
        """What may not be asked may be a mask: until it may, all of the picture is one, where none is known."""
        if camera_id in self._forbidden:
            return False
        before = self.masks(camera_id)
        self._forbidden.add(camera_id)
        _log.error("overlays_forbidden", camera_id=camera_id, mend="the ACL file of Redis lacks this camera")
        return self.masks(camera_id) != before

    def _take(self, camera_id: str, content: bytes) -> None:
        found = read_overlays(content, self._signers, camera_id)
        known = self._known.get(camera_id)
        if known is not None and found.changed_at < known.changed_at:
            raise SealingError("older than those in force")
        if known == found and camera_id not in self._unsaved:
            return
        self._known[camera_id] = found
        self._unreadable.discard(camera_id)
        self._refused.pop(camera_id, None)
        self._save(camera_id, content)
        _log.info("overlays_changed", camera_id=camera_id, changed_at=found.changed_at.isoformat())

    def _save(self, camera_id: str, content: bytes) -> None:
        """A full disk puts off keeping the masks, never putting them in force."""
        self._unsaved.add(camera_id)
        try:
            write_private(self._path(camera_id), content, replace=True)
        except SealingError as error:
            _log.error("overlays_not_kept", camera_id=camera_id, reason=str(error))
        else:
            self._unsaved.discard(camera_id)

    def _recall(self, camera_id: str) -> None:
        path = self._path(camera_id)
        if not path.exists():
            return
        try:
            self._known[camera_id] = read_overlays(read_private(path), self._signers, camera_id)
        except PipelineError as error:
            self._unreadable.add(camera_id)
            _log.error("overlays_unreadable", camera_id=camera_id, reason=str(error), now="all masked")

    def _path(self, camera_id: str) -> Path:
        # Ids may hold what file names may not, and two may differ in case alone.
        return self._folder / f"{hashlib.sha256(camera_id.encode()).hexdigest()}.json"


def configured_masks(cameras: Mapping[str, CameraConfig]) -> dict[str, Masks]:
    """The masks of the settings file, by camera."""
    return {
        camera_id: Masks(polygons(camera.privacy_masks), polygons(camera.detection_masks))
        for camera_id, camera in cameras.items()
    }
