"""What is asked for an account, and the second person who decides it."""

from __future__ import annotations

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from api.principals import (
    ADMINISTRATORS,
    APPROVERS,
    MIN_APPROVERS,
    Principal,
    append,
    check_another,
    check_role,
)
from api.replays import WriteRequest, keep_result, replayed
from api.review.cases import Role
from api.review.errors import RecordError
from api.review.scopes import check_scope
from api.store.engine import Database
from api.store.models import Account, AccountRequest
from api.store.people import PeopleRepository
from api.store.rights import RightsRepository


class Asked(StrEnum):
    """What may be asked for an account."""

    NEW = "new"
    ROLE = "role"
    REACTIVATION = "reactivation"


class ApprovalService:
    """Changes accounts that exist, each time with a second person."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def decide(
        self, principal: Principal, account_id: str, *, granted: bool, request: WriteRequest
    ) -> dict[str, Any]:
        """Approves or refuses what is asked for an account.

        Raises:
            ForbiddenError: neither administrator nor authoriser, who asked, or the account itself.
            NotFoundError: no such account.
            ConflictError: nothing is asked for it, or too few people would be left who approve.
            UnprocessableError: its rights do not suit the role that is asked for.
        """
        check_role(principal, APPROVERS)
        with self._database.write() as session:
            account = _locked(session, account_id)
            before = replayed(session, request)
            if before is not None:
                return before
            decide(session, account, principal.account_id, self._clock(), granted=granted)
            return self._kept(session, account, request)

    def approve_by_name(self, username: str, approver: Principal) -> None:
        """Approves what is asked for an account, for somebody who has shown who she is.

        Raises:
            ForbiddenError, ConflictError, UnprocessableError: as `decide`, or no such account.
        """
        check_role(approver, APPROVERS)
        with self._database.write() as session:
            account = PeopleRepository(session).by_username(username.strip())
            if account is None:
                raise ConflictError("unknown_account", "there is no such account; see: aiqyn users list")
            decide(session, account, approver.account_id, self._clock(), granted=True)

    def ask(
        self, principal: Principal, account_id: str, role: Role | None, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """Asks for another role, or (None) that an account is switched on again; waits for a second person.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: no such account.
            ConflictError: something is asked already, it has that role, or is on already.
            UnprocessableError: a person cannot become a machine, nor a machine a person.
        """
        check_role(principal, ADMINISTRATORS)
        with self._database.write() as session:
            account, now = _locked(session, account_id), self._clock()
            before = replayed(session, request)
            if before is not None:
                return before
            kind = Asked.REACTIVATION if role is None else Asked.ROLE
            wanted = role or Role(account.role)
            _check_may_be_asked(session, account, kind, wanted)
            ask_for(session, account, _request(kind, wanted, principal.account_id, now, reason))
            detail = {"kind": kind.value, "role": wanted.value, "from": account.role}
            append(session, "account_change_asked", now, principal.account_id, account_id, detail)
            return self._kept(session, account, request)

    def switch_off(self, principal: Principal, account_id: str, request: WriteRequest) -> dict[str, Any]:
        """Switches an account off at once; its logins end, and what is asked for it is refused.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: no such account.
            ConflictError: it is off, or too few people would be left who approve.
        """
        check_role(principal, ADMINISTRATORS)
        with self._database.write() as session:
            account, now = _locked(session, account_id), self._clock()
            before = replayed(session, request)
            if before is not None:
                return before
            asked = PeopleRepository(session).asked([account_id]).get(account_id)
            if not account.active and asked is None:
                raise ConflictError("account_off", "the account is switched off already")
            _check_approvers_left(session, account)
            if asked is not None and asked.requested_by != principal.account_id:
                asked.decided_by, asked.decided_at, asked.granted = principal.account_id, now, False
            elif asked is not None:
                session.delete(asked)  # taken back by who asked: nobody has decided anything
            account.active = False
            PeopleRepository(session).revoke(account_id, now)
            append(session, "account_off", now, principal.account_id, account_id)
            return self._kept(session, account, request)

    def set_oidc_subject(
        self, principal: Principal, account_id: str, subject: str | None, request: WriteRequest
    ) -> dict[str, Any]:
        """Says which subject of the identity provider an account belongs to; None: none.

        Raises:
            ForbiddenError: not an administrator, or her own account.
            NotFoundError: no such account.
            ConflictError: another account has that subject.
        """
        check_role(principal, ADMINISTRATORS)
        check_another(principal, account_id)
        with self._database.write() as session:
            account, people, now = _locked(session, account_id), PeopleRepository(session), self._clock()
            before = replayed(session, request)
            if before is not None:
                return before
            owner = people.by_oidc_subject(subject) if subject is not None else None
            if owner is not None and owner.account_id != account_id:
                raise ConflictError("subject_taken", "another account has this subject")
            account.oidc_subject = subject
            people.revoke(account_id, now)
            detail = {"set": subject is not None}
            append(session, "oidc_subject_set", now, principal.account_id, account_id, detail)
            return self._kept(session, account, request)

    def _kept(self, session: Session, account: Account, request: WriteRequest) -> dict[str, Any]:
        session.flush()
        asked = PeopleRepository(session).asked([account.account_id]).get(account.account_id)
        result = {
            "account_id": account.account_id,
            "role": account.role,
            "active": account.active,
            "asked": None if asked is None else asked.kind,
            "asked_role": None if asked is None else asked.role,
        }
        keep_result(session, request, 200, result, self._clock())
        return result


def ask_for(session: Session, account: Account, request: AccountRequest) -> None:
    """Keeps what is asked for an account."""
    request.account_id = account.account_id
    PeopleRepository(session).ask(request)


def new_account_request(role: Role, by: str, now: datetime) -> AccountRequest:
    """That a new account be switched on."""
    return _request(Asked.NEW, role, by, now, "a new account")


def decide(
    session: Session,
    account: Account,
    decider: str,
    now: datetime,
    *,
    granted: bool,
    how: str = "approval",
) -> None:
    """Approves or refuses what is asked for an account, in the caller's transaction.

    Raises:
        ForbiddenError: the decider asked for it, or is the account.
        ConflictError: nothing is asked, or too few people would be left who approve.
        UnprocessableError: the account's rights do not suit the role that is asked for.
    """
    asked = PeopleRepository(session).asked([account.account_id]).get(account.account_id)
    if asked is None:
        raise ConflictError("nothing_asked", "nothing waits for approval here")
    if not is_second_person(decider, asked):
        raise ForbiddenError("second_person", "a second person decides: not who asked, nor the account")
    if granted and asked.kind == Asked.ROLE:
        _change_role(session, account, Role(asked.role), now)
    if granted:
        account.active = True
    asked.decided_by, asked.decided_at, asked.granted = decider, now, granted
    session.flush()
    detail = {"kind": asked.kind, "role": asked.role, "granted": granted, "how": how}
    append(session, "account_decided", now, decider, account.account_id, detail)


def is_second_person(decider: str, asked: AccountRequest) -> bool:
    """Whether somebody may decide what was asked: neither who asked, nor the account itself."""
    return decider not in (asked.account_id, asked.requested_by)


def _change_role(session: Session, account: Account, role: Role, now: datetime) -> None:
    try:
        check_scope(role, RightsRepository(session).scope_of(account.account_id))
    except RecordError as error:
        raise UnprocessableError("scope_tells", str(error)) from error
    if role not in APPROVERS:
        _check_approvers_left(session, account)
    account.role = role.value
    PeopleRepository(session).revoke(account.account_id, now)


def _request(kind: Asked, role: Role, by: str, now: datetime, reason: str) -> AccountRequest:
    return AccountRequest(
        request_id=f"ask_{secrets.token_hex(12)}",
        kind=kind.value,
        role=role.value,
        reason=reason,
        requested_by=by,
        requested_at=now,
    )


def _locked(session: Session, account_id: str) -> Account:
    account = PeopleRepository(session).by_id(account_id, lock=True)
    if account is None:
        raise NotFoundError
    return account


def _check_may_be_asked(session: Session, account: Account, kind: Asked, role: Role) -> None:
    if PeopleRepository(session).asked([account.account_id]):
        raise ConflictError("asked_already", "something waits for approval here already")
    if kind is Asked.REACTIVATION and account.active:
        raise ConflictError("account_on", "the account is switched on")
    if kind is Asked.ROLE and not account.active:
        raise ConflictError("account_off", "the account is switched off")
    if kind is Asked.ROLE and role.value == account.role:
        raise ConflictError("has_role", "the account has this role")
    if (role is Role.INTEGRATOR) != (account.role == Role.INTEGRATOR.value):
        raise UnprocessableError("machine", "a person cannot become a machine, nor a machine a person")


def _check_approvers_left(session: Session, account: Account) -> None:
    """Raises `ConflictError` where too few people would be left who approve, were this account none of them."""
    approves = account.active and Role(account.role) in APPROVERS
    if approves and PeopleRepository(session).active_of_roles(APPROVERS) <= MIN_APPROVERS:
        raise ConflictError(
            "too_few_approvers", f"{MIN_APPROVERS} people must be left who approve new accounts"
        )
