"""Passkeys and challenges as records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, delete, or_, select, tuple_, update
from sqlalchemy.orm import Session

from api.store.models import Account, Passkey, WebAuthnChallenge

PasskeyPosition = tuple[datetime, str]
"""Where a page of passkeys ended: `created_at` and passkey id of its last row."""


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
        return self._session.scalars(
            select(Passkey)
            .where(Passkey.account_id == account_id, Passkey.revoked_at.is_(None))
            .order_by(Passkey.created_at, Passkey.passkey_id)
        ).all()

    def by_credential(self, credential_id: str) -> Passkey | None:
        """A passkey by its authenticator's name for it, good or revoked; locked until the transaction ends."""
        return self._session.scalars(
            select(Passkey).where(Passkey.credential_id == credential_id).with_for_update()
        ).one_or_none()

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
        earlier = (
            WebAuthnChallenge.session_id == challenge.session_id,
            WebAuthnChallenge.purpose == challenge.purpose,
            WebAuthnChallenge.review_id.is_not_distinct_from(challenge.review_id),
            WebAuthnChallenge.used_at.is_(None),
        )
        self._session.execute(
            delete(WebAuthnChallenge).where(
                WebAuthnChallenge.account_id == challenge.account_id,
                or_(WebAuthnChallenge.expires_at <= challenge.issued_at, and_(*earlier)),
            )
        )
        self._session.add(challenge)
        self._session.flush()

    def asked(self, challenge: str) -> WebAuthnChallenge | None:
        """A challenge as it was issued, used or not; locked until the transaction ends."""
        return self._session.scalars(
            select(WebAuthnChallenge).where(WebAuthnChallenge.challenge == challenge).with_for_update()
        ).one_or_none()
