"""Accounts, what is asked for about them, and login sessions as records."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from api.review.cases import Role
from api.store.missing import add_missing
from api.store.models import Account, AccountRequest, Installation, LoginSession

SALT_BYTES = 32


class PeopleRepository:
    """Finds and keeps accounts and login sessions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def salt(self) -> bytes:
        """The salt of this installation; made at its first use, within a transaction that writes."""
        found = self._session.get(Installation, 1)
        if found is None:
            made = {"installation_id": 1, "salt": secrets.token_bytes(SALT_BYTES)}
            add_missing(self._session, Installation, made)  # of two who are first, one makes it
            found = self._session.get_one(Installation, 1)
        return found.salt

    def add(self, account: Account) -> None:
        """Keeps a new account."""
        self._session.add(account)
        self._session.flush()

    def by_id(self, account_id: str, *, lock: bool = False) -> Account | None:
        """The account with this pseudonym; locked, nobody else changes it until the transaction ends."""
        return self._session.get(Account, account_id, with_for_update=lock)

    def by_username(self, username: str) -> Account | None:
        """The account with this login name; case does not matter."""
        return self._session.scalars(
            select(Account).where(Account.username == username.casefold())
        ).one_or_none()

    def by_person(self, person_sha256: str) -> Account | None:
        """The one account of a person."""
        return self._session.scalars(
            select(Account).where(Account.person_sha256 == person_sha256)
        ).one_or_none()

    def by_oidc_subject(self, subject: str) -> Account | None:
        """The account an identity provider's subject belongs to."""
        return self._session.scalars(select(Account).where(Account.oidc_subject == subject)).one_or_none()

    def all(self) -> Sequence[Account]:
        """Every account, by login name."""
        return self._session.scalars(select(Account).order_by(Account.username)).all()

    def page(self, after: str | None, limit: int) -> Sequence[Account]:
        """Accounts by login name, later than `after`."""
        query = select(Account).order_by(Account.username).limit(limit)
        return self._session.scalars(query if after is None else query.where(Account.username > after)).all()

    def active_of_roles(self, roles: frozenset[Role]) -> int:
        """How many people with one of these roles may log in now."""
        query = select(func.count()).select_from(Account)
        wanted = [role.value for role in sorted(roles)]
        return self._session.scalar(query.where(Account.active, Account.role.in_(wanted))) or 0

    def ids_of(self, usernames: frozenset[str]) -> frozenset[str]:
        """Pseudonyms of those among the names that have an account."""
        wanted = [name.casefold() for name in usernames]
        return frozenset(
            self._session.scalars(select(Account.account_id).where(Account.username.in_(wanted)))
        )

    def ask(self, request: AccountRequest) -> None:
        """Keeps what somebody asked for."""
        self._session.add(request)
        self._session.flush()

    def asked(self, account_ids: Sequence[str]) -> dict[str, AccountRequest]:
        """What waits for a second person, by account."""
        rows = self._session.scalars(
            select(AccountRequest).where(
                AccountRequest.account_id.in_(account_ids), AccountRequest.decided_at.is_(None)
            )
        )
        return {row.account_id: row for row in rows}

    def add_session(self, login: LoginSession) -> None:
        """Keeps a new login."""
        self._session.add(login)
        self._session.flush()

    def revoke(self, account_id: str, now: datetime, *, session_id: str | None = None) -> int:
        """Ends one login of an account, or all of them; says how many were open."""
        statement = update(LoginSession).where(
            LoginSession.account_id == account_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.ends_at > now,
        )
        if session_id is not None:
            statement = statement.where(LoginSession.session_id == session_id)
        ended = self._session.scalars(statement.values(revoked_at=now).returning(LoginSession.session_id))
        return len(ended.all())

    def revoke_others(self, account_id: str, session_id: str, now: datetime) -> None:
        """Ends every login of an account but one."""
        self._session.execute(
            update(LoginSession)
            .where(
                LoginSession.account_id == account_id,
                LoginSession.session_id != session_id,
                LoginSession.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )
