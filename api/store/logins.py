"""Refresh tokens, open logins, counted failures and logins begun at an identity provider, as records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from api.store.missing import add_missing
from api.store.models import LoginCount, LoginSession, OidcFlow, RefreshToken

CountKey = tuple[str, str]
"""Kind and salted hash."""


class LoginRepository:
    """Finds and keeps what goes on around logins."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open_of(self, account_id: str, now: datetime) -> Sequence[LoginSession]:
        """Logins of an account that are not over, newest first."""
        return self._session.scalars(
            select(LoginSession)
            .where(
                LoginSession.account_id == account_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.ends_at > now,
            )
            .order_by(LoginSession.created_at.desc(), LoginSession.session_id)
        ).all()

    def refreshable(self, token_sha256: str) -> tuple[RefreshToken, LoginSession] | None:
        """A refresh token and its login, locked: of two who bring the same token one is first."""
        token = self._session.scalars(
            select(RefreshToken).where(RefreshToken.token_sha256 == token_sha256).with_for_update()
        ).one_or_none()
        if token is None:
            return None
        return token, self._session.get_one(LoginSession, token.session_id)

    def add_refresh(self, token_sha256: str, session_id: str, now: datetime) -> None:
        """Keeps a new refresh token of a login."""
        self._session.add(RefreshToken(token_sha256=token_sha256, session_id=session_id, issued_at=now))
        self._session.flush()

    def forget_refresh_tokens(self, ended_before: datetime) -> None:
        """Drops the tokens of logins that are long over."""
        over = select(LoginSession.session_id).where(LoginSession.ends_at < ended_before)
        self._session.execute(delete(RefreshToken).where(RefreshToken.session_id.in_(over)))

    def counts(self, keys: Iterable[CountKey], now: datetime) -> dict[CountKey, LoginCount]:
        """The counts under these keys, made where there are none, locked, always in the same order."""
        wanted = sorted(set(keys))
        for kind, key in wanted:
            fresh = {"kind": kind, "key_sha256": key, "failures": 0, "last_at": now}
            add_missing(self._session, LoginCount, fresh)
        return {key: self._session.get_one(LoginCount, key, with_for_update=True) for key in wanted}

    def count(self, key: CountKey) -> LoginCount | None:
        """The count under a key."""
        return self._session.get(LoginCount, key)

    def forget_counts(self, kinds: Iterable[str], before: datetime) -> None:
        """Drops counts of these kinds to which nothing was added since."""
        self._session.execute(
            delete(LoginCount).where(LoginCount.kind.in_(list(kinds)), LoginCount.last_at < before)
        )

    def lift(self, kind: str, key_prefix: str) -> None:
        """Drops the counts of one kind whose key begins so."""
        self._session.execute(
            delete(LoginCount).where(LoginCount.kind == kind, LoginCount.key_sha256.startswith(key_prefix))
        )

    def begin_flow(self, flow: OidcFlow, stale_before: datetime) -> None:
        """Keeps a login that begins at the identity provider; drops those nobody came back from."""
        self._session.execute(delete(OidcFlow).where(OidcFlow.began_at < stale_before))
        self._session.add(flow)
        self._session.flush()

    def take_flow(self, state_sha256: str) -> OidcFlow | None:
        """A login begun, taken out: nobody gets it a second time."""
        row = self._session.execute(
            delete(OidcFlow)
            .where(OidcFlow.state_sha256 == state_sha256)
            .returning(OidcFlow.binding_sha256, OidcFlow.nonce, OidcFlow.verifier, OidcFlow.began_at)
        ).one_or_none()
        if row is None:
            return None
        return OidcFlow(
            state_sha256=state_sha256,
            binding_sha256=row.binding_sha256,
            nonce=row.nonce,
            verifier=row.verifier,
            began_at=row.began_at,
        )
