"""Rights by list and camera group, given by administrators to others than themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import ConflictError, NotFoundError, UnprocessableError
from api.ledger.chain import Happening
from api.principals import ACCOUNT_READERS, ADMINISTRATORS, Principal, append, check_another, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.cases import Role
from api.review.errors import RecordError
from api.review.scopes import Scope, check_scope
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.people import PeopleRepository
from api.store.rights import RightsRepository


@dataclass(frozen=True, slots=True)
class RightTerms:
    """A right as it is given.

    Attributes:
        watchlist_id: None: every list.
        camera_group_id: None: every camera.
    """

    watchlist_id: str | None = None
    camera_group_id: str | None = None


@dataclass(frozen=True, slots=True)
class GroupView:
    """A named set of cameras."""

    camera_group_id: str
    camera_ids: tuple[str, ...]
    changed_at: datetime


class RightsService:
    """Gives rights and keeps camera groups."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def rights(self, principal: Principal, account_id: str) -> list[RightTerms]:
        """The rights of an account as they were given.

        Raises:
            ForbiddenError: a role that has no need to know them.
            NotFoundError: no such account.
        """
        check_role(principal, ACCOUNT_READERS)
        with self._database.read() as session:
            if PeopleRepository(session).by_id(account_id) is None:
                raise NotFoundError
            return [
                RightTerms(grant.watchlist_id, grant.camera_group_id)
                for grant in RightsRepository(session).grants(account_id)
            ]

    def give(
        self, principal: Principal, account_id: str, terms: Sequence[RightTerms], request: WriteRequest
    ) -> dict[str, Any]:
        """Gives an account these rights in place of all it has; they hold from its next request on.

        Raises:
            ForbiddenError: not an administrator, or her own account.
            NotFoundError: no such account.
            UnprocessableError: no such list or group, or rights that would tell an operator the list.
        """
        check_role(principal, ADMINISTRATORS)
        check_another(principal, account_id)
        with self._database.write() as session:
            account = PeopleRepository(session).by_id(account_id, lock=True)
            if account is None:
                raise NotFoundError
            before = replayed(session, request)
            if before is not None:
                return before
            wanted = list(dict.fromkeys(terms))
            _check_known(session, wanted)
            rights, now = RightsRepository(session), self._clock()
            pairs = [(one.watchlist_id, one.camera_group_id) for one in wanted]
            rights.replace(account_id, pairs, principal.account_id, now)
            _check_tells_nothing(Role(account.role), rights.scope_of(account_id))
            items = [{"watchlist_id": one[0], "camera_group_id": one[1]} for one in pairs]
            append(session, "rights_given", now, principal.account_id, account_id, {"rights": items})
            result = {"items": items}
            keep_result(session, request, 200, result, now)
            return result

    def groups(self, principal: Principal) -> list[GroupView]:
        """Every camera group.

        Raises:
            ForbiddenError: a role that has no need to know them.
        """
        check_role(principal, ACCOUNT_READERS)
        with self._database.read() as session:
            return [
                GroupView(group.camera_group_id, tuple(cameras), group.changed_at)
                for group, cameras in RightsRepository(session).groups().items()
            ]

    def keep_group(
        self, principal: Principal, group_id: str, camera_ids: Sequence[str], request: WriteRequest
    ) -> dict[str, Any]:
        """Makes a group, or gives it these cameras in place of those it has; rights by it follow at once.

        Raises:
            ForbiddenError: not an administrator, or her own rights depend on it.
            UnprocessableError: rights by it would tell an operator the list.
        """
        check_role(principal, ADMINISTRATORS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            rights, now = RightsRepository(session), self._clock()
            depending = rights.accounts_of_group(group_id)
            if principal.account_id in depending:
                check_another(principal, principal.account_id)
            rights.keep_group(group_id, camera_ids, principal.account_id, now)
            for account_id in depending:
                account = PeopleRepository(session).by_id(account_id)
                if account is not None:
                    _check_tells_nothing(Role(account.role), rights.scope_of(account_id))
            cameras = sorted(set(camera_ids))
            _note_group(session, "camera_group_kept", now, principal, group_id, {"cameras": cameras})
            result = {"camera_group_id": group_id, "camera_ids": cameras, "changed_at": now.isoformat()}
            keep_result(session, request, 200, result, now)
            return result

    def remove_group(self, principal: Principal, group_id: str) -> None:
        """Forgets a group.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: no such group.
            ConflictError: somebody has rights by it.
        """
        check_role(principal, ADMINISTRATORS)
        with self._database.write() as session:
            rights = RightsRepository(session)
            group = rights.group(group_id)
            if group is None:
                raise NotFoundError
            if rights.accounts_of_group(group_id):
                raise ConflictError("group_in_use", "somebody has rights by this group: change those first")
            rights.remove_group(group)
            _note_group(session, "camera_group_removed", self._clock(), principal, group_id, {})


def _check_known(session: Session, terms: Sequence[RightTerms]) -> None:
    lists, rights = ListRepository(session), RightsRepository(session)
    for one in terms:
        if one.watchlist_id is not None and lists.watchlist(one.watchlist_id) is None:
            raise UnprocessableError("unknown_list", "a right names a list there is not")
        if one.camera_group_id is not None and rights.group(one.camera_group_id) is None:
            raise UnprocessableError("unknown_group", "a right names a camera group there is not")


def _check_tells_nothing(role: Role, scope: Scope) -> None:
    try:
        check_scope(role, scope)
    except RecordError as error:
        raise UnprocessableError("scope_tells", str(error)) from error


def _note_group(
    session: Session, kind: str, now: datetime, principal: Principal, group_id: str, detail: dict[str, Any]
) -> None:
    about = f"camera_group:{group_id}"
    LedgerRepository(session).append(Happening(kind, now, principal.account_id, about, detail))
