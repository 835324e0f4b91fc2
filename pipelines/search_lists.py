"""The list a camera searches now: put in force by the worker's main thread, taken up between two frames."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from pipelines.events import ModelRef
from pipelines.galleries import GalleryPackage
from pipelines.recipes import TemplateRecipe, embedder_part
from vision.errors import GalleryError
from vision.identify.gallery import Gallery


@dataclass(frozen=True, slots=True, repr=False)
class SearchList:
    """A gallery ready to be searched, and the package it came in."""

    package: GalleryPackage
    gallery: Gallery

    def __repr__(self) -> str:
        return f"SearchList({self.package!r})"


class ListSlot:
    """Holds the list of one camera; safe to use from two threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._list: SearchList | None = None
        self._refused: SearchList | None = None
        self._changed = threading.Condition()

    def put(self, search_list: SearchList | None) -> None:
        """Puts a list in force; None: nothing may be searched."""
        with self._changed:
            self._list = search_list
            self._changed.notify_all()

    def current(self) -> SearchList | None:
        """The list in force; None where there is none, or its time is over whatever Redis says."""
        current = self._list
        if current is None or current is self._refused or not current.package.active_at(self._now()):
            return None
        return current

    def refuse(self, search_list: SearchList) -> None:
        """Sets a list aside that cannot be searched, until another is put in force."""
        self._refused = search_list

    def wait(self, timeout_seconds: float) -> None:
        """Waits for a change, or for a while."""
        with self._changed:
            self._changed.wait(timeout_seconds)

    def wake(self) -> None:
        """Ends every wait."""
        with self._changed:
            self._changed.notify_all()


def prepare_list(package: GalleryPackage, models: Iterable[ModelRef], preprocessing: str) -> SearchList:
    """The package as a searchable list.

    Args:
        package: opened and verified.
        models: those this worker runs.
        preprocessing: of this worker's models.

    Raises:
        GalleryError: its templates were made by another model, another file of it, or from faces prepared in
            another way; nothing they were compared with would mean anything.
    """
    enrolled = TemplateRecipe(
        package.embedder_id, package.embedder_sha256, embedder_part(package.preprocessing)
    )
    own = TemplateRecipe.of(models, preprocessing)
    if not enrolled.fits(own):
        same_file = enrolled.embedder_sha256 == own.embedder_sha256
        how = "; faces were prepared in another way" if same_file else ""
        raise GalleryError(
            f"templates are of embedder {enrolled}, this worker uses {own}{how}: run `aiqyn enrol --refresh`"
        )
    templates = package.templates if package.memory is None else package.memory
    return SearchList(package, Gallery(templates, package.subject_ids))


def choose_lists(
    packages: Iterable[GalleryPackage], cameras: Iterable[str]
) -> dict[str, tuple[GalleryPackage | None, tuple[str, ...]]]:
    """Which list each camera searches, and which deployments have to wait for it.

    A camera searches one list at a time: the one whose deployment began first.
    """
    ordered = sorted(packages, key=lambda package: (package.active_from, package.deployment_id))
    chosen: dict[str, tuple[GalleryPackage | None, tuple[str, ...]]] = {}
    for camera_id in cameras:
        covering = [package for package in ordered if camera_id in package.cameras]
        chosen[camera_id] = (
            covering[0] if covering else None,
            tuple(package.deployment_id for package in covering[1:]),
        )
    return chosen
