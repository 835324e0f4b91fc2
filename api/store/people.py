"""Accounts and logins as records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.store.models import Account, LoginSession


class PeopleRepository:
    """Finds and keeps accounts and login sessions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, account: Account) -> None:
        """Keeps a new account."""
        self._session.add(account)
        self._session.flush()

    def by_id(self, account_id: str) -> Account | None:
        """The account with this pseudonym."""
        return self._session.get(Account, account_id)

    def by_username(self, username: str) -> Account | None:
        """The account with this login name; case does not matter."""
        return self._session.scalars(
            select(Account).where(Account.username == username.casefold())
        ).one_or_none()

    def all(self) -> Sequence[Account]:
        """Every account, by login name."""
        return self._session.scalars(select(Account).order_by(Account.username)).all()

    def ids_of(self, usernames: frozenset[str]) -> frozenset[str]:
        """Pseudonyms of those among the names that have an account."""
        wanted = [name.casefold() for name in usernames]
        return frozenset(
            self._session.scalars(select(Account.account_id).where(Account.username.in_(wanted)))
        )

    def add_session(self, login: LoginSession) -> None:
        """Keeps a new login."""
        self._session.add(login)
        self._session.flush()

    def by_token(self, token_sha256: str) -> tuple[LoginSession, Account] | None:
        """The login a token belongs to, and its account."""
        row = self._session.execute(
            select(LoginSession, Account)
            .join(Account, Account.account_id == LoginSession.account_id)
            .where(LoginSession.token_sha256 == token_sha256)
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    def revoke(self, account_id: str, now: datetime, *, session_id: str | None = None) -> None:
        """Ends one login of an account, or all of them."""
        statement = update(LoginSession).where(
            LoginSession.account_id == account_id, LoginSession.revoked_at.is_(None)
        )
        if session_id is not None:
            statement = statement.where(LoginSession.session_id == session_id)
        self._session.execute(statement.values(revoked_at=now))

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
