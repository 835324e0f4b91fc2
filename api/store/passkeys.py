"""Passkeys and challenges as records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, delete, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

from api.store.models import Account, Passkey, WebAuthnChallenge
from api.store.models.base import table_of

PasskeyPosition = tuple[datetime, str]
"""Where a page of passkeys ended: `created_at` and passkey id of its last row."""


# Statements that every judgement runs are made once: to make one takes longer than to run it.
_ACTIVE: Final = (
    select(Passkey)
    .where(Passkey.account_id == bindparam("account_id"), Passkey.revoked_at.is_(None))
    .order_by(Passkey.created_at, Passkey.passkey_id)
)
_BY_CREDENTIAL: Final = (
    select(Passkey).where(Passkey.credential_id == bindparam("credential_id")).with_for_update()
)
_ASKED: Final = (
    select(WebAuthnChallenge).where(WebAuthnChallenge.challenge == bindparam("challenge")).with_for_update()
)
_CHALLENGES: Final = table_of(WebAuthnChallenge)
_FORGET: Final = delete(_CHALLENGES).where(
    _CHALLENGES.c.account_id == bindparam("account_id"),
    or_(
        _CHALLENGES.c.expires_at <= bindparam("now"),
        and_(
            _CHALLENGES.c.session_id == bindparam("session_id"),
            _CHALLENGES.c.purpose == bindparam("purpose"),
            _CHALLENGES.c.review_id.is_not_distinct_from(bindparam("review_id")),
            _CHALLENGES.c.used_at.is_(None),
        ),
    ),
)
_KEEP: Final = insert(_CHALLENGES)
_USE: Final = (
    update(_CHALLENGES).where(_CHALLENGES.c.challenge == bindparam("used")).values(used_at=bindparam("now"))
)
_PASSKEYS: Final = table_of(Passkey)
_COUNT: Final = (
    update(_PASSKEYS).where(_PASSKEYS.c.passkey_id == bindparam("used")).values(sign_count=bindparam("count"))
)


class PasskeyRepository:
    """Finds and keeps passkeys and what they are asked to sign."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, passkey: Passkey) -> None:
        """Keeps a new passkey; the database refuses a credential it knows, whoever's it was."""
        self._session.add(passkey)
        self._session.flush()

    def hold(self, account_id: str) -> None:
        """Lets nobody else register for this account until the transaction ends: who is first is decided once."""
        self._session.get(Account, account_id, with_for_update=True)

    def active(self, account_id: str) -> Sequence[Passkey]:
        """An account's passkeys that are good, oldest first."""
        return self._session.scalars(_ACTIVE, {"account_id": account_id}).all()

    def by_credential(self, credential_id: str) -> Passkey | None:
        """A passkey by its authenticator's name for it, good or revoked; locked until the transaction ends."""
        return self._session.scalars(_BY_CREDENTIAL, {"credential_id": credential_id}).one_or_none()

    def page(self, after: PasskeyPosition | None, limit: int) -> Sequence[Passkey]:
        """Everybody's passkeys, revoked ones too, oldest first."""
        query = select(Passkey).order_by(Passkey.created_at, Passkey.passkey_id).limit(limit)
        if after is not None:
            query = query.where(tuple_(Passkey.created_at, Passkey.passkey_id) > tuple_(*after))
        return self._session.scalars(query).all()

    def revoke(self, account_id: str, now: datetime, *, passkey_id: str | None = None) -> list[str]:
        """Ends one passkey of an account, or all of them; returns those that were good until now."""
        statement = update(Passkey).where(Passkey.account_id == account_id, Passkey.revoked_at.is_(None))
        if passkey_id is not None:
            statement = statement.where(Passkey.passkey_id == passkey_id)
        ended = self._session.scalars(statement.values(revoked_at=now).returning(Passkey.passkey_id))
        return sorted(ended)

    def ask(self, challenge: WebAuthnChallenge) -> None:
        """Keeps a challenge, in place of an earlier one of the same login for the same thing.

        The account's challenges whose time is over go: a used one has done its work, and is told from an unknown
        one by nobody.
        """
        self._session.execute(
            _FORGET,
            {
                "account_id": challenge.account_id,
                "session_id": challenge.session_id,
                "purpose": challenge.purpose,
                "review_id": challenge.review_id,
                "now": challenge.issued_at,
            },
        )
        values = {column.name: getattr(challenge, column.name) for column in _CHALLENGES.columns}
        self._session.execute(_KEEP, values)

    def asked(self, challenge: str) -> WebAuthnChallenge | None:
        """A challenge as it was issued, used or not; locked until the transaction ends."""
        return self._session.scalars(_ASKED, {"challenge": challenge}).one_or_none()

    def use(self, challenge: str, now: datetime) -> None:
        """Notes that a challenge has been answered, for as long as the transaction stands."""
        self._session.execute(_USE, {"used": challenge, "now": now})

    def count(self, passkey_id: str, sign_count: int) -> None:
        """Keeps how often a passkey's authenticator says that it has signed."""
        self._session.execute(_COUNT, {"used": passkey_id, "count": sign_count})
