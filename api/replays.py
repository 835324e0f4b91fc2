"""Writes that can be sent twice and happen once: results kept under the client's Idempotency-Key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.errors import UnprocessableError
from api.store.ledger import IdempotencyRepository
from pipelines.canonical import canonical_json


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A write as its client identified it.

    Attributes:
        account_id: who sent it; two accounts never share a key.
        key: the Idempotency-Key.
        request_sha256: of what was asked, so that a key used for something else is noticed.
    """

    account_id: str
    key: str
    request_sha256: str

    @classmethod
    def of(cls, account_id: str, key: str, action: str, body: dict[str, Any]) -> WriteRequest:
        """A request by its route with its parameters, and its body."""
        digest = hashlib.sha256(canonical_json({"action": action, "body": body})).hexdigest()
        return cls(account_id, key, digest)


def replayed(session: Session, request: WriteRequest) -> dict[str, Any] | None:
    """What was answered to this request before; None when it is new.

    Raises:
        UnprocessableError: the key was used for another request.
    """
    kept = IdempotencyRepository(session).find(request.account_id, request.key)
    if kept is None:
        return None
    if kept.request_sha256 != request.request_sha256:
        raise UnprocessableError(
            "idempotency_key_reused", "this Idempotency-Key was used for another request; choose a new one"
        )
    return dict(kept.body)


def keep_result(
    session: Session, request: WriteRequest, status_code: int, body: dict[str, Any], now: datetime
) -> None:
    """Keeps the answer in the transaction that made it true."""
    IdempotencyRepository(session).keep(
        {
            "account_id": request.account_id,
            "idempotency_key": request.key,
            "request_sha256": request.request_sha256,
            "status_code": status_code,
            "body": body,
            "created_at": now,
        }
    )
