"""Rights of accounts and groups of cameras as records, and rights as a condition of queries."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    ColumnExpressionArgument,
    and_,
    bindparam,
    delete,
    false,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.review.scopes import Right, Scope
from api.store.models import CameraGroup, CameraGroupMember, Grant

GrantTerms = tuple[str | None, str | None]
"""Watchlist and camera group of one right; None: all of them."""

_GRANTS: Final = (
    select(Grant.grant_id, Grant.watchlist_id, Grant.camera_group_id, CameraGroupMember.camera_id)
    .outerjoin(CameraGroupMember, CameraGroupMember.camera_group_id == Grant.camera_group_id)
    .where(Grant.account_id == bindparam("account_id"))
    .order_by(Grant.grant_id)
)


def within(
    scope: Scope,
    watchlist_id: InstrumentedAttribute[str],
    camera_id: InstrumentedAttribute[str],
) -> ColumnElement[bool]:
    """Rows that lie within the rights of whoever asks, as a condition of the query.

    Args:
        scope: of whoever asks.
        watchlist_id: the column with a row's list.
        camera_id: the column with its camera.
    """
    if scope.is_whole:
        return true()
    return or_(false(), *(_covers(right, watchlist_id, camera_id) for right in scope.rights))


def list_within(scope: Scope, watchlist_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Rows whose list lies within these rights, on whatever camera, as a condition of the query."""
    lists = [
        true() if right.watchlist_id is None else watchlist_id == right.watchlist_id for right in scope.rights
    ]
    return or_(false(), *lists)


def camera_within(
    scope: Scope, camera_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> ColumnElement[bool]:
    """Rows whose camera lies within these rights, for any list, as a condition of the query."""
    cameras = [
        true() if right.camera_ids is None else camera_id.in_(sorted(right.camera_ids))
        for right in scope.rights
    ]
    return or_(false(), *cameras)


def _covers(
    right: Right, watchlist_id: InstrumentedAttribute[str], camera_id: InstrumentedAttribute[str]
) -> ColumnElement[bool]:
    parts: list[ColumnExpressionArgument[bool]] = [true()]
    if right.watchlist_id is not None:
        parts.append(watchlist_id == right.watchlist_id)
    if right.camera_ids is not None:
        parts.append(camera_id.in_(sorted(right.camera_ids)))
    return and_(*parts)


def scope_from(grants: Iterable[Sequence[Any]]) -> Scope:
    """Rights by their rows: grant, watchlist, camera group and one of its cameras."""
    cameras: dict[str, set[str]] = {}
    named: dict[str, GrantTerms] = {}
    for grant_id, watchlist_id, group_id, camera_id in grants:
        named[grant_id] = watchlist_id, group_id
        members = cameras.setdefault(grant_id, set())
        if camera_id is not None:
            members.add(camera_id)
    return Scope(
        tuple(
            Right(watchlist_id, None if group_id is None else frozenset(cameras[grant_id]))
            for grant_id, (watchlist_id, group_id) in named.items()
        )
    )


class RightsRepository:
    """Finds and keeps rights and camera groups."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def scope_of(self, account_id: str) -> Scope:
        """All rights of an account, groups taken apart into their cameras as they are now."""
        return scope_from(self._session.execute(_GRANTS, {"account_id": account_id}).all())

    def grants(self, account_id: str) -> Sequence[Grant]:
        """The rights of an account as they were given."""
        return self._session.scalars(
            select(Grant).where(Grant.account_id == account_id).order_by(Grant.grant_id)
        ).all()

    def replace(self, account_id: str, terms: Iterable[GrantTerms], granted_by: str, now: datetime) -> None:
        """Gives an account these rights in place of those it has."""
        self._session.execute(delete(Grant).where(Grant.account_id == account_id))
        self._session.add_all(
            Grant(
                grant_id=f"grant_{secrets.token_hex(12)}",
                account_id=account_id,
                watchlist_id=watchlist_id,
                camera_group_id=group_id,
                granted_by=granted_by,
                granted_at=now,
            )
            for watchlist_id, group_id in terms
        )
        self._session.flush()

    def group(self, camera_group_id: str) -> CameraGroup | None:
        """A group by its id."""
        return self._session.get(CameraGroup, camera_group_id)

    def groups(self) -> dict[CameraGroup, list[str]]:
        """Every group with its cameras, by id."""
        groups = self._session.scalars(select(CameraGroup).order_by(CameraGroup.camera_group_id)).all()
        members = self._session.scalars(
            select(CameraGroupMember).order_by(CameraGroupMember.camera_group_id, CameraGroupMember.camera_id)
        ).all()
        return {
            group: [one.camera_id for one in members if one.camera_group_id == group.camera_group_id]
            for group in groups
        }

    def keep_group(
        self, camera_group_id: str, camera_ids: Iterable[str], account_id: str, now: datetime
    ) -> None:
        """Makes a group, or gives it these cameras in place of those it has."""
        group = self.group(camera_group_id)
        if group is None:
            group = CameraGroup(camera_group_id=camera_group_id)
            self._session.add(group)
        group.changed_by, group.changed_at = account_id, now
        self._session.flush()
        self._forget_members(camera_group_id)
        self._session.add_all(
            CameraGroupMember(camera_group_id=camera_group_id, camera_id=camera_id)
            for camera_id in sorted(set(camera_ids))
        )
        self._session.flush()

    def remove_group(self, group: CameraGroup) -> None:
        """Forgets a group nobody has rights by."""
        self._forget_members(group.camera_group_id)
        self._session.delete(group)
        self._session.flush()

    def accounts_of_group(self, camera_group_id: str) -> Sequence[str]:
        """Accounts with rights by this group."""
        return self._session.scalars(
            select(Grant.account_id).where(Grant.camera_group_id == camera_group_id).distinct()
        ).all()

    def _forget_members(self, camera_group_id: str) -> None:
        self._session.execute(
            delete(CameraGroupMember).where(CameraGroupMember.camera_group_id == camera_group_id)
        )
