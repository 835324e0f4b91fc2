"""Galleries through Redis: published by the service, found and followed by the worker they are sealed to.

Each gallery lies under `aiqyn:gallery:<deployment>:<worker>`; the hash `aiqyn:gallery:index:<worker>` lists which
there are, with their versions; a message on the channel `aiqyn:gallery` says that one changed. The message only
saves waiting: what counts is the index, looked at every few seconds too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from redis import Redis

from pipelines.bus import bus_errors
from pipelines.errors import SealingError
from pipelines.galleries import GalleryInactiveError, GalleryPackage, open_gallery, seal_gallery
from pipelines.signing import SigningKey
from pipelines.streams import GALLERY_CHANNEL, GALLERY_INDEX, gallery_key
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


@dataclass(slots=True)
class _Known:
    """What a worker knows of one deployment's gallery."""

    version: str
    package: GalleryPackage | None = None
    opens_at: datetime | None = None


@dataclass(slots=True)
class GalleryFollower:
    """The galleries one worker may search now; looks at Redis when asked, and forgets what it may not.

    Args:
        redis: a client of the worker's user.
        keys: the worker's own.
    """

    redis: Redis
    keys: WorkerKeys
    _known: dict[str, _Known] = field(default_factory=dict)
    _newest: dict[str, int] = field(default_factory=dict)

    def refresh(self, now: datetime) -> None:
        """Looks at the index and opens what is new.

        Raises:
            BusError: Redis is away or refused; what is known stays, until its own end.
        """
        with bus_errors("galleries cannot be looked up"):
            index: Any = self.redis.hgetall(gallery_key(GALLERY_INDEX, self.keys.worker_id))
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
                self._known[deployment_id] = self._opened(deployment_id, version, now)

    def active(self, now: datetime) -> dict[str, GalleryPackage]:
        """The galleries that may be searched at this moment, by deployment; forgets those whose time is over."""
        for known in self._known.values():
            if known.package is not None and not known.package.active_at(now):
                known.package = None
        return {name: known.package for name, known in self._known.items() if known.package is not None}

    def _forget(self, listed: Mapping[str, str]) -> None:
        for deployment_id in set(self._known) - set(listed):
            del self._known[deployment_id]
            _log.info("gallery_withdrawn", deployment_id=deployment_id)

    def _opened(self, deployment_id: str, version: str, now: datetime) -> _Known:
        with bus_errors("a gallery cannot be read"):
            blob: Any = self.redis.get(gallery_key(deployment_id, self.keys.worker_id))
        try:
            if blob is None:
                raise SealingError("the gallery is listed and missing")
            package = open_gallery(blob, self.keys, deployment_id, now)
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
        return _Known(version, package)

    def _refuse_older(self, package: GalleryPackage) -> None:
        """A genuine older list, put back by whoever can write to Redis, would bring back who was removed."""
        newest = self._newest.get(package.deployment_id, 0)
        if package.version < newest:
            raise SealingError(f"version {package.version} is older than version {newest} seen before")
        self._newest[package.deployment_id] = package.version
