"""What an account may see and do, by list and camera: its rights, as a value that travels with who is asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from api.review.cases import Role
from api.review.errors import RecordError

MIN_LISTS_OF_AN_OPERATOR: Final = 2


@dataclass(frozen=True, slots=True)
class Right:
    """One list on some cameras.

    Attributes:
        watchlist_id: the list; None: every list, those made later too.
        camera_ids: the cameras; None: every camera, those added later too.
    """

    watchlist_id: str | None = None
    camera_ids: frozenset[str] | None = None

    def allows(self, watchlist_id: str, camera_id: str) -> bool:
        """Whether this right alone covers the list on the camera."""
        return self.watchlist_id in (None, watchlist_id) and self.allows_camera(camera_id)

    def allows_camera(self, camera_id: str) -> bool:
        """Whether this right covers the camera, for whatever list."""
        return self.camera_ids is None or camera_id in self.camera_ids


@dataclass(frozen=True, slots=True)
class Scope:
    """All rights of an account. Without any it covers nothing."""

    rights: tuple[Right, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it covers every list on every camera, now and later."""
        return Right() in self.rights

    def allows(self, watchlist_id: str, camera_id: str) -> bool:
        """Whether a candidate of this list on this camera lies within it."""
        return any(right.allows(watchlist_id, camera_id) for right in self.rights)

    def allows_camera(self, camera_id: str) -> bool:
        """Whether the camera lies within it, for any list."""
        return any(right.allows_camera(camera_id) for right in self.rights)

    def allows_list(self, watchlist_id: str) -> bool:
        """Whether the list lies within it, on any camera."""
        return any(right.watchlist_id in (None, watchlist_id) for right in self.rights)

    def allows_deployment(self, watchlist_id: str, camera_ids: Iterable[str]) -> bool:
        """Whether a list on all these cameras lies within it."""
        return all(self.allows(watchlist_id, camera_id) for camera_id in camera_ids)


WHOLE: Final = Scope((Right(),))
NOTHING: Final = Scope()


def check_scope(role: Role, scope: Scope) -> None:
    """Lets through rights that tell their owner nothing before her own answer.

    An operator whose queue can only hold one list knows the list of everything in it. Rights by camera are
    harmless: the camera is shown to her anyway.

    Raises:
        RecordError: an operator's rights name lists, and on some camera a single one.
    """
    if role is not Role.OPERATOR:
        return
    named = {camera_id for right in scope.rights for camera_id in right.camera_ids or ()}
    for camera_id in (*sorted(named), None):
        lists = {
            right.watchlist_id
            for right in scope.rights
            if right.camera_ids is None or (camera_id is not None and camera_id in right.camera_ids)
        }
        if lists and None not in lists and len(lists) < MIN_LISTS_OF_AN_OPERATOR:
            raise RecordError(
                "an operator with rights to one list alone knows the list of everything she is shown: name every "
                "list, or two at least on each camera"
            )
