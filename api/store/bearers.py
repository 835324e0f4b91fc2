"""Whose token it is: login, account and rights in one statement, which every request runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from api.review.scopes import Scope
from api.store.models import Account, CameraGroupMember, Grant, LoginSession
from api.store.models.base import table_of
from api.store.rights import scope_from

_LOGINS: Final = table_of(LoginSession)
_ACCOUNTS: Final = table_of(Account)
_GRANTS: Final = table_of(Grant)
_MEMBERS: Final = table_of(CameraGroupMember)

_BEARER: Final = (
    select(
        _ACCOUNTS.c.account_id,
        _ACCOUNTS.c.username,
        _ACCOUNTS.c.role,
        _ACCOUNTS.c.active,
        _ACCOUNTS.c.must_change_password,
        _LOGINS.c.session_id,
        _LOGINS.c.how,
        _LOGINS.c.device_id,
        _LOGINS.c.revoked_at,
        _LOGINS.c.ends_at,
        _LOGINS.c.expires_at,
        _GRANTS.c.grant_id,
        _GRANTS.c.watchlist_id,
        _GRANTS.c.camera_group_id,
        _MEMBERS.c.camera_id,
    )
    .join(_ACCOUNTS, _ACCOUNTS.c.account_id == _LOGINS.c.account_id)
    .outerjoin(_GRANTS, _GRANTS.c.account_id == _ACCOUNTS.c.account_id)
    .outerjoin(_MEMBERS, _MEMBERS.c.camera_group_id == _GRANTS.c.camera_group_id)
    .where(_LOGINS.c.token_sha256 == bindparam("token_sha256"))
    .order_by(_GRANTS.c.grant_id)
)
_OF_GRANTS: Final = 4
"""The last columns, of which there may be several rows."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A login and its account, as `LoginSession` and `Account` have them, and the account's rights."""

    account_id: str
    username: str
    role: str
    active: bool
    must_change_password: bool
    session_id: str
    how: str
    device_id: str | None
    revoked_at: datetime | None
    ends_at: datetime
    expires_at: datetime
    scope: Scope


def bearer_of(session: Session, token_sha256: str) -> Bearer | None:
    """Whose token it is, whether or not it is good still; None where nobody's."""
    rows = session.execute(_BEARER, {"token_sha256": token_sha256}).all()
    if not rows:
        return None
    scope = scope_from([row[-_OF_GRANTS:] for row in rows if row.grant_id is not None])
    return Bearer(*tuple(rows[0])[:-_OF_GRANTS], scope)  # type: ignore[call-arg]  # a row's length is not known to it
