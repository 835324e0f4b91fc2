"""Accounts: who may log in, as what, and which two people said so."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from api.approvals import Asked, ask_for, decide, new_account_request
from api.clock import Clock
from api.errors import ApiError, ConflictError, NotFoundError, RefusedLoginError, UnprocessableError
from api.passwords import Passwords, one_time_password
from api.principals import (
    ACCOUNT_READERS,
    ADMINISTRATORS,
    APPROVERS,
    CONSOLE,
    MIN_APPROVERS,
    Principal,
    append,
    check_role,
)
from api.replays import WriteRequest, keep_result, replayed
from api.review.cases import Role
from api.store.engine import Database
from api.store.models import Account, AccountRequest
from api.store.passkeys import PasskeyRepository
from api.store.people import PeopleRepository
from api.store.rights import RightsRepository

__all__ = ["AccountLine", "AccountService", "NewAccount", "Principal", "Standing"]

_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Standing(StrEnum):
    """Where an account stands."""

    ACTIVE = "active"
    PENDING = "pending"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made.

    Attributes:
        username: letters a-z, digits, '.', '_', '-'; case does not matter.
        role: the one role it has.
        person: name or staff number of who will use it; the user name where None. A machine has none.
    """

    username: str
    role: Role
    person: str | None = None


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account as those who keep accounts see it listed.

    Attributes:
        asked: what waits for a second person, and for which role; None where nothing does.
    """

    account_id: str
    username: str
    role: Role
    standing: Standing
    must_change_password: bool
    oidc_subject: str | None = None
    asked: tuple[Asked, Role] | None = None

    @property
    def active(self) -> bool:
        """Whether it may log in."""
        return self.standing is Standing.ACTIVE


class AccountService:
    """Makes accounts and changes them, each time with a second person."""

    def __init__(self, database: Database, clock: Clock, *, passwords: Passwords | None = None) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords or Passwords()

    def add(self, username: str, role: Role, *, person: str | None = None) -> str:
        """A new account that waits for approval; returns its one-time password, which is kept nowhere.

        Raises:
            ConflictError: the user name is taken, or the person has an account.
            UnprocessableError: the user name has other characters than letters, digits, '.', '_', '-'.
        """
        with self._database.write() as session:
            return self._add(session, NewAccount(username, role, person), CONSOLE)[1]

    def needs_first_people(self) -> bool:
        """Whether there are not two people who could approve others."""
        with self._database.read() as session:
            return PeopleRepository(session).active_of_roles(APPROVERS) < MIN_APPROVERS

    def add_first(self, people: Sequence[NewAccount]) -> dict[str, str]:
        """The first people of a system, made together: each is approved by the next of them.

        Returns:
            Their one-time passwords by user name.

        Raises:
            ConflictError: there are people who approve already; or as `add`.
            UnprocessableError: fewer than two of them could approve others; or as `add`.
        """
        with self._database.write() as session:
            if PeopleRepository(session).active_of_roles(APPROVERS) >= MIN_APPROVERS:
                raise ConflictError("not_the_first", "there are people who approve new accounts already")
            made = [(*self._add(session, person, CONSOLE), person) for person in people]
            approvers = [account for account, _, person in made if person.role in APPROVERS]
            if len(approvers) < MIN_APPROVERS:
                raise UnprocessableError(
                    "no_second_person",
                    "the first people are made together, two administrators or authorisers among them",
                )
            for account, _, _ in made:
                other = next(one for one in approvers if one is not account)
                decide(session, account, other.account_id, self._clock(), granted=True, how="first_people")
            return {account.username: password for account, password, _ in made}

    def create(self, principal: Principal, new: NewAccount, request: WriteRequest) -> dict[str, Any]:
        """A new account that waits for approval.

        Returns:
            `{account_id, username, role, one_time_password}`; the password only the first time: it is kept nowhere.

        Raises:
            ForbiddenError: not an administrator.
            ConflictError, UnprocessableError: as `add`.
        """
        check_role(principal, ADMINISTRATORS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            account, password = self._add(session, new, principal.account_id)
            result = {
                "account_id": account.account_id,
                "username": account.username,
                "role": account.role,
                "one_time_password": None,
            }
            keep_result(session, request, 201, result, self._clock())
            return result | {"one_time_password": password}

    def reset(self, username: str) -> str:
        """A fresh one-time password for an account whose logins and passkeys all end now.

        Raises:
            ConflictError: no such account.
        """
        now, password = self._clock(), one_time_password()
        with self._database.write() as session:
            account = _named(session, username)
            account.password_hash = self._passwords.hash(password)
            account.must_change_password = True
            PeopleRepository(session).revoke(account.account_id, now)
            for passkey_id in PasskeyRepository(session).revoke(account.account_id, now):
                detail = {"passkey": passkey_id}
                append(session, "passkey_removed", now, CONSOLE, account.account_id, detail)
            append(session, "password_reset", now, CONSOLE, account.account_id)
        return password

    def all(self) -> list[AccountLine]:
        """Every account, by user name."""
        with self._database.read() as session:
            return _lines(session, PeopleRepository(session).all())

    def page(self, principal: Principal, after: str | None, limit: int) -> list[AccountLine]:
        """Accounts by user name, later than `after`.

        Raises:
            ForbiddenError: a role that has no need to know them.
        """
        check_role(principal, ACCOUNT_READERS)
        with self._database.read() as session:
            return _lines(session, PeopleRepository(session).page(after, limit))

    def one(self, principal: Principal, account_id: str) -> AccountLine:
        """One account.

        Raises:
            ForbiddenError: a role that has no need to know it.
            NotFoundError: no such account.
        """
        check_role(principal, ACCOUNT_READERS)
        with self._database.read() as session:
            account = PeopleRepository(session).by_id(account_id)
            if account is None:
                raise NotFoundError
            return _lines(session, [account])[0]

    def note_denial(self, principal: Principal | None, route: str, error: ApiError) -> None:
        """Writes into the ledger that somebody was refused something."""
        actor, kind = principal.account_id if principal else "anyone", "denied"
        detail = {"route": route, "code": error.code, "status": error.status}
        if isinstance(error, RefusedLoginError):
            kind, detail = "login_refused", {"how": error.how, "why": error.why}
        with self._database.write() as session:
            append(session, kind, self._clock(), actor, None, detail)

    def _add(self, session: Session, new: NewAccount, by: str) -> tuple[Account, str]:
        now, username, password = self._clock(), new.username.strip().casefold(), one_time_password()
        if not _USERNAME.fullmatch(username):
            raise UnprocessableError(
                "bad_username", "a user name is up to 63 letters a-z, digits, '.', '_' and '-'"
            )
        people = PeopleRepository(session)
        if people.by_username(username) is not None:
            raise ConflictError("username_taken", f"there is an account {username} already")
        digest = None
        if new.role is not Role.INTEGRATOR:
            digest = self._passwords.person_digest(new.person or username, people.salt())
            if people.by_person(digest) is not None:
                raise ConflictError(
                    "person_has_account", "this person has an account: ask for another role of that one"
                )
        account = Account(
            account_id=f"acc_{secrets.token_hex(12)}",
            username=username,
            role=new.role.value,
            password_hash=self._passwords.hash(password),
            must_change_password=True,
            active=False,
            created_at=now,
            person_sha256=digest,
        )
        people.add(account)
        RightsRepository(session).replace(account.account_id, [(None, None)], by, now)
        append(session, "account_added", now, by, account.account_id, {"role": new.role.value})
        ask_for(session, account, new_account_request(new.role, by, now))
        return account, password


def _named(session: Session, username: str) -> Account:
    account = PeopleRepository(session).by_username(username.strip())
    if account is None:
        raise ConflictError("unknown_account", "there is no such account; see: aiqyn users list")
    return account


def _lines(session: Session, accounts: Sequence[Account]) -> list[AccountLine]:
    asked = PeopleRepository(session).asked([account.account_id for account in accounts])
    return [_line(account, asked.get(account.account_id)) for account in accounts]


def _line(account: Account, asked: AccountRequest | None) -> AccountLine:
    standing = Standing.ACTIVE if account.active else Standing.OFF if asked is None else Standing.PENDING
    return AccountLine(
        account.account_id,
        account.username,
        Role(account.role),
        standing,
        account.must_change_password,
        account.oidc_subject,
        None if asked is None else (Asked(asked.kind), Role(asked.role)),
    )
