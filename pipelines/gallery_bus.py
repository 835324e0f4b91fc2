"""Galleries through Redis: published by the service, found and followed by the worker they are sealed to.

Each gallery lies under `aiqyn:gallery:<deployment>:<worker>`; the hash `aiqyn:gallery:index:<worker>` lists which
there are, with their versions; a message on the channel `aiqyn:gallery` says that one changed. The message only
saves waiting: what counts is the index, looked at every second too.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from redis import Redis

from pipelines.errors import SealingError
from pipelines.galleries import GalleryInactiveError, GalleryPackage, open_gallery, seal_gallery
from pipelines.gallery_versions import GalleryVersions
from pipelines.signing import SigningKey
from pipelines.streams import GALLERY_CHANNEL, GALLERY_INDEX, bus_errors, gallery_key
from pipelines.worker_keys import WorkerKeys

_log = structlog.get_logger(__name__)


class GalleryPublisher:
    """Hands galleries to workers; for the service."""

    def __init__(self, redis: Redis, key: SigningKey) -> None:
        """
        Args:
            redis: a client of user `api`.
            key: the galleries key.
        """
        self._redis = redis
        self._key = key

    def publish(self, package: GalleryPackage, worker_public: X25519PublicKey) -> None:
        """Puts a gallery in the place of the worker's older one of that deployment.

        Args:
            package: the list.
            worker_public: of the worker the package names.

        Raises:
            SealingError: an id that is not fit for the wire.
            BusError: Redis is away or refused.
        """
        sealed = seal_gallery(package, self._key, worker_public)
        with bus_errors("a gallery cannot be published"), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(gallery_key(package.deployment_id, package.worker_id), sealed)
            pipe.hset(
                gallery_key(GALLERY_INDEX, package.worker_id), package.deployment_id, str(package.version)
            )
            pipe.publish(GALLERY_CHANNEL, f"{package.deployment_id}:{package.worker_id}")
            pipe.execute()

    def withdraw(self, deployment_id: str, worker_id: str) -> None:
        """Takes a gallery away: the worker stops searching it within seconds.

        Raises:
            BusError: Redis is away or refused.
        """
        with bus_errors("a gallery cannot be withdrawn"), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(gallery_key(deployment_id, worker_id))
            pipe.hdel(gallery_key(GALLERY_INDEX, worker_id), deployment_id)
            pipe.publish(GALLERY_CHANNEL, f"{deployment_id}:{worker_id}")
            pipe.execute()


@dataclass(frozen=True, slots=True)
class GalleryLoss:
    """Somebody may no longer be searched: a whole gallery, or subjects of it.

    Attributes:
        deployment_id: whose gallery.
        reason: in a few words.
    """

    deployment_id: str
    reason: str


@dataclass(slots=True)
class _Known:
    """What a worker knows of one deployment's gallery."""

    version: str
    package: GalleryPackage | None = None
    opens_at: datetime | None = None


class GalleryFollower:
    """The galleries one worker may search now; looks at Redis when asked, and overwrites what it may not.

    `refresh` waits for Redis and may run in a thread of its own; `active` never does, so that a list ends by
    the clock whatever Redis does.
    """

    def __init__(self, redis: Redis, keys: WorkerKeys, versions: GalleryVersions | None = None) -> None:
        """
        Args:
            redis: a client of the worker's user.
            keys: the worker's own.
            versions: the newest seen before; None: none was, and none is kept.
        """
        self.redis = redis
        self._keys = keys
        self._versions = versions or GalleryVersions()
        self._known: dict[str, _Known] = {}
        self._losses: list[GalleryLoss] = []
        self._changing = threading.Lock()
        self._swap_is_told = False

    def refresh(self, now: datetime) -> None:
        """Looks at the index and opens what is new.

        Raises:
            BusError: Redis is away or refused; what is known stays, until its own end.
        """
        with bus_errors("galleries cannot be looked up"):
            index: Any = self.redis.hgetall(gallery_key(GALLERY_INDEX, self._keys.worker_id))
        listed = {
            name.decode("utf-8", "replace"): version.decode("utf-8", "replace")
            for name, version in index.items()
        }
        self._forget(listed)
        for deployment_id, version in listed.items():
            known = self._known.get(deployment_id)
            changed = known is None or known.version != version
            due = known is not None and known.opens_at is not None and known.opens_at <= now
            if changed or due:
                opened = self._opened(deployment_id, version, now)
                self._put(deployment_id, opened)

    def active(self, now: datetime) -> dict[str, GalleryPackage]:
        """The galleries that may be searched at this moment, by deployment; ends those whose time is over."""
        with self._changing:
            for deployment_id, known in self._known.items():
                if known.package is not None and not known.package.active_at(now):
                    self._lose(deployment_id, known, "it has expired")
            return {name: known.package for name, known in self._known.items() if known.package is not None}

    def take_losses(self) -> tuple[GalleryLoss, ...]:
        """What may no longer be searched since this was asked last; its templates are overwritten already."""
        with self._changing:
            losses, self._losses = tuple(self._losses), []
        return losses

    def _forget(self, listed: Mapping[str, str]) -> None:
        with self._changing:
            for deployment_id in set(self._known) - set(listed):
                self._lose(deployment_id, self._known.pop(deployment_id), "it was withdrawn")

    def _put(self, deployment_id: str, opened: _Known) -> None:
        """Puts what was opened in the place of what was known; what was left out of it is lost."""
        with self._changing:
            before = self._known.get(deployment_id)
            self._known[deployment_id] = opened
            if before is None or before.package is None:
                return
            kept = set(opened.package.subject_ids) if opened.package else set()
            gone = len(set(before.package.subject_ids) - kept)
            if opened.package is None:
                self._lose(deployment_id, before, "its new version cannot be searched")
            elif gone:
                reason = (
                    f"version {opened.package.version} lacks {gone} of the subjects of the version before"
                )
                self._lose(deployment_id, before, reason)

    def _lose(self, deployment_id: str, known: _Known, reason: str) -> None:
        """Overwrites a gallery and remembers that; called with the lock held."""
        _log.info("gallery_left", deployment_id=deployment_id, version=known.version, reason=reason)
        if known.package is not None:
            known.package.forget()
            known.package = None
            self._losses.append(GalleryLoss(deployment_id, reason))

    def _opened(self, deployment_id: str, version: str, now: datetime) -> _Known:
        with bus_errors("a gallery cannot be read"):
            blob: Any = self.redis.get(gallery_key(deployment_id, self._keys.worker_id))
        try:
            if blob is None:
                raise SealingError("the gallery is listed and missing")
            package = open_gallery(blob, self._keys, deployment_id, now)
            self._refuse_older(package)
        except GalleryInactiveError as inactive:
            waits = inactive.active_from if inactive.active_from > now else None
            _log.info("gallery_inactive", deployment_id=deployment_id, version=version, reason=str(inactive))
            return _Known(version, opens_at=waits)
        except SealingError as error:
            _log.error("gallery_refused", deployment_id=deployment_id, version=version, reason=str(error))
            return _Known(version)
        _log.info(
            "gallery_opened",
            deployment_id=deployment_id,
            version=package.version,
            subjects=package.subject_count,
            templates=len(package.subject_ids),
        )
        self._tell_of_swap(package)
        return _Known(version, package)

    def _refuse_older(self, package: GalleryPackage) -> None:
        """A genuine older list, put back by whoever can write to Redis, would bring back who was removed."""
        newest = self._versions.newest(package.deployment_id)
        if package.version < newest:
            package.forget()
            raise SealingError(f"version {package.version} is older than version {newest} seen before")
        self._versions.saw(package.deployment_id, package.version)

    def _tell_of_swap(self, package: GalleryPackage) -> None:
        if package.memory is not None and not package.memory.locked and not self._swap_is_told:
            self._swap_is_told = True
            _log.warning(
                "templates_may_be_swapped",
                reason="memory cannot be locked: raise RLIMIT_MEMLOCK (LimitMEMLOCK=, --ulimit memlock) or "
                "switch swap off",
            )
