"""Passkeys, and what they are about to be put to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from api.store.models.base import Base, UtcDateTime


class Passkey(Base):
    """The public half of a passkey. `passkey_id` is the pseudonym that judgements, ledger and receipts carry.

    Never deleted, and its key never changed: judgements given with it are checked for as long as they are kept.
    """

    __tablename__ = "passkeys"

    passkey_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary())
    rp_id: Mapped[str] = mapped_column(String(255))
    sign_count: Mapped[int] = mapped_column(BigInteger())
    aaguid: Mapped[str] = mapped_column(String(36))
    transports: Mapped[list[Any]] = mapped_column(JSON)
    label: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class WebAuthnChallenge(Base):
    """What one login was asked to sign: good once, for a short time, for one thing."""

    __tablename__ = "webauthn_challenges"

    challenge: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.account_id"), index=True)
    session_id: Mapped[str] = mapped_column(String(64))
    review_id: Mapped[str | None] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
