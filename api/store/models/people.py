"""Accounts, how they came to be, what they may see, and their logins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class Account(Base):
    """A person who may log in, or a machine. `account_id` is the pseudonym that ledger and receipts carry.

    `active` turns true when a second person approves the account, and false when it is switched off.
    """

    __tablename__ = "accounts"

    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(256))
    must_change_password: Mapped[bool]
    active: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    person_sha256: Mapped[str | None] = mapped_column(String(64), index=True, unique=True)
    """Of the person's name or staff number, salted and slow: one person has one account."""
    oidc_subject: Mapped[str | None] = mapped_column(String(255), index=True, unique=True)


class AccountRequest(Base):
    """A new account, another role, or switching on again: asked for by one person, decided by another."""

    __tablename__ = "account_requests"
    __table_args__ = (
        CheckConstraint(
            "decided_by IS NULL OR (decided_by <> requested_by AND decided_by <> account_id)",
            name="second_person",
        ),
    )

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    role: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(500))
    requested_by: Mapped[str] = mapped_column(String(64))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime())
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    granted: Mapped[bool | None]


class CameraGroup(Base):
    """A named set of cameras, for giving rights."""

    __tablename__ = "camera_groups"

    camera_group_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    changed_by: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime())


class CameraGroupMember(Base):
    """A camera of a group."""

    __tablename__ = "camera_group_members"

    camera_group_id: Mapped[str] = mapped_column(
        ForeignKey("camera_groups.camera_group_id"), primary_key=True
    )
    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)


class Grant(Base):
    """A right of an account: a list (null: all) on a group of cameras (null: all)."""

    __tablename__ = "grants"

    grant_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    watchlist_id: Mapped[str | None] = mapped_column(ForeignKey("watchlists.watchlist_id"))
    camera_group_id: Mapped[str | None] = mapped_column(ForeignKey("camera_groups.camera_group_id"))
    granted_by: Mapped[str] = mapped_column(String(64))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime())


class LoginSession(Base):
    """One login, from getting in to leaving.

    Of its access token, and of what marks the browser it began in, only the SHA-256 is kept.

    `expires_at` is the access token's end, `ends_at` that of the login however often it is refreshed.
    """

    __tablename__ = "login_sessions"

    session_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime())
    how: Mapped[str] = mapped_column(String(16))
    device_id: Mapped[str | None] = mapped_column(String(64))


class RefreshToken(Base):
    """A token that gave, or may give once, the next access token of a login; only its SHA-256 is kept."""

    __tablename__ = "refresh_tokens"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("login_sessions.session_id"), index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime())
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class LoginCount(Base):
    """Failed logins in a row of an account, an address, or both; names and addresses only as salted hashes."""

    __tablename__ = "login_counts"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    key_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    wait_until: Mapped[datetime | None] = mapped_column(UtcDateTime())


class OidcFlow(Base):
    """A login at the identity provider that has begun; good once and for minutes."""

    __tablename__ = "oidc_flows"

    state_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    binding_sha256: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime())


class Installation(Base):
    """What belongs to this one installation, in one row: the salt of everything that is kept as a salted hash."""

    __tablename__ = "installation"

    installation_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
