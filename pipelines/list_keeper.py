"""Which list each camera of a worker searches now: followed out of Redis, ended by the clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from pipelines.events import ModelRef
from pipelines.galleries import GalleryPackage
from pipelines.gallery_bus import GalleryFollower, GalleryLoss
from pipelines.search_lists import SearchList, choose_lists, prepare_list
from vision.errors import GalleryError

_log = structlog.get_logger(__name__)


class ListTaker(Protocol):
    """A camera that searches one list at a time."""

    def set_list(self, search_list: SearchList | None) -> None:
        """Puts another list in force from the next frame on; None: nothing may be searched."""


class ListKeeper:
    """Puts lists in force on cameras; for one thread, beside another that calls `follower.refresh`."""

    def __init__(
        self,
        follower: GalleryFollower,
        models: Iterable[ModelRef],
        preprocessing: str,
        now: Callable[[], datetime],
    ) -> None:
        """
        Args:
            follower: knows the galleries.
            models: those this worker runs.
            preprocessing: of this worker's models.
            now: the machine's clock.
        """
        self._follower = follower
        self._models = tuple(models)
        self._preprocessing = preprocessing
        self._now = now
        self._prepared: dict[tuple[str, int], SearchList | None] = {}
        self._refused: dict[tuple[str, int], str] = {}
        self._crowded: dict[str, tuple[str, ...]] = {}

    def put_in_force(
        self,
        cameras: Mapping[str, ListTaker],
        admit: Callable[[Sequence[str]], Collection[str]] = lambda asking: asking,
    ) -> tuple[GalleryLoss, ...]:
        """Gives every camera the list it may search at this moment; waits for nothing.

        Args:
            cameras: by id.
            admit: of those that may be searched, the ones this machine has room for.

        Returns:
            What may no longer be searched since the last call: it resembles nobody from now on.
        """
        active = self._follower.active(self._now())
        packages = {(package.deployment_id, package.version): package for package in active.values()}
        for key in set(self._prepared) - set(packages):
            del self._prepared[key]  # nothing of a list that was withdrawn is kept
            self._refused.pop(key, None)
        usable = [package for key, package in packages.items() if self._prepare(key, package) is not None]
        choices = choose_lists(usable, cameras)
        admitted = admit([camera_id for camera_id, (package, _) in choices.items() if package])
        for camera_id, (package, waiting) in choices.items():
            chosen = None
            if package and camera_id in admitted:
                chosen = self._prepared[package.deployment_id, package.version]
            cameras[camera_id].set_list(chosen)
            if waiting and self._crowded.get(camera_id) != waiting:
                _log.warning("deployments_wait", camera_id=camera_id, deployment_ids=waiting)
            self._crowded[camera_id] = waiting
        return self._follower.take_losses()

    def waiting_json(self, camera_id: str) -> str:
        """Deployments that wait for a camera, as its hash tells them."""
        return json.dumps(self._crowded.get(camera_id, ()))

    def refused_json(self) -> str:
        """Why lists cannot be searched here, by deployment, as the hashes tell it."""
        return json.dumps({name: reason for (name, _), reason in list(self._refused.items())})

    def _prepare(self, key: tuple[str, int], package: GalleryPackage) -> SearchList | None:
        known = self._prepared.get(key)
        # The same version may have been withdrawn and put back since: what was opened then is overwritten.
        if key not in self._prepared or (known is not None and known.package is not package):
            try:
                self._prepared[key] = prepare_list(package, self._models, self._preprocessing)
            except GalleryError as error:
                _log.error("list_refused", deployment_id=package.deployment_id, reason=str(error))
                self._prepared[key] = None
                self._refused[key] = str(error)
        return self._prepared[key]
