"""Who is asking, and what she may do by her role."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from api.errors import ForbiddenError
from api.ledger.chain import Happening
from api.review.cases import Role
from api.review.scopes import NOTHING, Scope
from api.store.ledger import LedgerRepository

ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})
APPROVERS: Final = frozenset({Role.ADMINISTRATOR, Role.AUTHORISER})
"""Who may be the second person of an account."""

OPERATORS: Final = frozenset({Role.OPERATOR})
SUPERVISORS: Final = frozenset({Role.SUPERVISOR})
OVERSEERS: Final = frozenset({Role.SUPERVISOR, Role.AUDITOR})
"""Who sees what was judged, by whom, and what became of it."""

ACCOUNT_READERS: Final = APPROVERS | {Role.AUDITOR}
CONSOLE: Final = "console"
"""Whoever may write the database of this machine."""

MIN_APPROVERS: Final = 2
"""With fewer nobody new could ever get an account."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and through which login.

    Attributes:
        scope: the lists and cameras the account has rights to; nothing where nobody says otherwise.
        device_id: the browser the login began in; None for a login from before browsers were told apart.
    """

    account_id: str
    username: str
    role: Role
    session_id: str
    must_change_password: bool
    scope: Scope = NOTHING
    device_id: str | None = None


def check_may_work(principal: Principal) -> None:
    """Lets through who has replaced the one-time password.

    Raises:
        ForbiddenError: it is still in use; only registering a passkey, `POST /auth/password` and logging out are
            open.
    """
    if principal.must_change_password:
        raise ForbiddenError(
            "password_change_required", "replace the one-time password first: POST /api/v1/auth/password"
        )


def check_role(principal: Principal, roles: Collection[Role], denial: str = "cannot do this") -> None:
    """Lets these roles through.

    Args:
        principal: who asks.
        roles: that may.
        denial: what is said of any other, after "an account with the role …".

    Raises:
        ForbiddenError: another role.
    """
    if principal.role not in roles:
        raise ForbiddenError("role", f"an account with the role {principal.role.value} {denial}")


def check_another(principal: Principal, account_id: str) -> None:
    """Lets through who changes an account of somebody else.

    Raises:
        ForbiddenError: it is her own.
    """
    if principal.account_id == account_id:
        raise ForbiddenError("own_account", "nobody changes the rights of her own account")


def append(
    session: Session,
    kind: str,
    now: datetime,
    actor: str,
    account_id: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Writes into the ledger what happened about an account."""
    about = f"account:{account_id}" if account_id else None
    LedgerRepository(session).append(Happening(kind, now, actor, about, dict(detail or {})))
