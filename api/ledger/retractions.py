"""Builds the retraction of a confirmed match: `aiqyn.retracted/1`, a compact JWS signed like its receipt."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from api.ledger.receipts import LedgerPlace
from api.ledger.verify import RETRACTED_HEADER_TYPE
from pipelines.canonical import canonical_json
from pipelines.events import LedgerRef, Retracted
from pipelines.signing import SigningKey


@dataclass(frozen=True, slots=True)
class RetractionContent:
    """All a retraction says. Why, in words, stays in the records: words name people.

    Attributes:
        retraction_id: becomes `jti`.
        issuer: who issued the receipt, and issues this.
        issued_at: when; aware.
        receipt_id: `jti` of the receipt.
        candidate_id: what it was about.
        reason_code: why, in a word.
        ledger: where the log holds it.
    """

    retraction_id: str
    issuer: str
    issued_at: datetime
    receipt_id: str
    candidate_id: str
    reason_code: str
    ledger: LedgerPlace


def build_retraction(content: RetractionContent, key: SigningKey) -> str:
    """The signed retraction, a compact JWS."""
    claims = Retracted(
        jti=uuid.UUID(content.retraction_id),
        iss=content.issuer,
        issued_at=content.issued_at,
        receipt_id=uuid.UUID(content.receipt_id),
        candidate_id=uuid.UUID(content.candidate_id),
        reason_code=content.reason_code,
        ledger=LedgerRef(index=content.ledger.index, entry_hash=content.ledger.entry_hash),
    )
    return key.sign(canonical_json(claims.model_dump(mode="json")), content=RETRACTED_HEADER_TYPE)
