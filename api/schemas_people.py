"""Accounts, logins and rights on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.accounts import Standing
from api.approvals import Asked
from api.logins import How
from api.review.cases import Role
from api.schemas import Wire

MAX_GROUP_CAMERAS = 1000
Username = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", strip_whitespace=False)
]
CameraGroupId = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")]
CameraId = Annotated[str, StringConstraints(max_length=128, pattern=r"^[\w.:@-]+$")]
Token = Annotated[str, Field(min_length=20, max_length=128, repr=False)]


class RefreshIn(Wire):
    """The refresh token of the pair given last."""

    refresh_token: Token


class OidcBegun(Wire):
    """Where the login goes on, and what the client shows at its end."""

    authorization_url: str
    binding: str = Field(repr=False)


class OidcFinish(Wire):
    """What came back from the identity provider, and what was given at the beginning."""

    code: str = Field(min_length=1, max_length=4096, repr=False)
    state: Token
    binding: Token


class LoginWays(Wire):
    """How one may log in here."""

    password: bool
    oidc: str | None = Field(description="the identity provider's name; null: there is none")
    proxy: bool


class SessionOut(Wire):
    """One of one's own logins."""

    session_id: str
    how: How
    began_at: datetime
    ends_at: datetime
    current: bool


class SessionList(Wire):
    """One's own logins that are not over."""

    items: list[SessionOut]


class AccountIn(Wire):
    """A new account; it waits for a second person."""

    username: Username
    role: Role
    person: str = Field(
        min_length=1,
        max_length=200,
        repr=False,
        description="name or staff number; kept as a salted hash: one person has one account",
    )


class AccountMade(Wire):
    """The new account; the password is shown this once."""

    account_id: str
    username: str
    role: Role
    one_time_password: str | None = Field(repr=False, description="null where the request is repeated")


class AskedOut(Wire):
    """What waits for a second person."""

    kind: Asked
    role: Role


class AccountOut(Wire):
    """An account."""

    account_id: str
    username: str
    role: Role
    standing: Standing
    oidc_subject: str | None
    asked: AskedOut | None


class AccountPage(Wire):
    """Accounts by user name."""

    items: list[AccountOut]
    next_cursor: str | None


class ApprovalIn(Wire):
    """The second person's word."""

    granted: bool


class RoleIn(Wire):
    """Another role, and why; it waits for a second person."""

    role: Role
    reason: str = Field(min_length=1, max_length=500)


class ReactivationIn(Wire):
    """Why an account is to be switched on again; it waits for a second person."""

    reason: str = Field(min_length=1, max_length=500)


class OidcSubjectIn(Wire):
    """The identity provider's name for whose account it is; null: none."""

    subject: str | None = Field(min_length=1, max_length=255)


class AccountChanged(Wire):
    """How an account stands after a change."""

    account_id: str
    role: Role
    active: bool
    asked: Asked | None
    asked_role: Role | None


class RightIn(Wire):
    """A right; null stands for all lists or all cameras."""

    watchlist_id: str | None = Field(default=None, max_length=128)
    camera_group_id: CameraGroupId | None = None


class RightsIn(Wire):
    """All rights of an account."""

    items: list[RightIn] = Field(max_length=200)


class RightOut(Wire):
    """A right; null stands for all lists or all cameras."""

    watchlist_id: str | None
    camera_group_id: str | None


class RightsOut(Wire):
    """All rights of an account."""

    items: list[RightOut]


class CameraGroupIn(Wire):
    """The cameras of a group."""

    camera_ids: list[CameraId] = Field(max_length=MAX_GROUP_CAMERAS)


class CameraGroupOut(Wire):
    """A named set of cameras."""

    camera_group_id: str
    camera_ids: list[str]
    changed_at: datetime


class CameraGroupList(Wire):
    """Every camera group."""

    items: list[CameraGroupOut]
