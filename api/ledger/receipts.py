"""Builds the receipt of a confirmed match: `aiqyn.confirmed/1`, a compact JWS signed with Ed25519.

The receipt alone is what may be acted on, until `act_before`; `api.ledger.verify` checks one.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.ledger.verify import HEADER_TYPE, ReceiptError
from pipelines.canonical import canonical_json
from pipelines.events import CONFIRMED_SCHEMA, Candidate, unsigned_document
from pipelines.signing import SigningKey

JUDGES = 2
"""The floor of two people, apart; no setting lowers it."""

_CANDIDATE_FIELDS = (
    "candidate_id",
    "revision",
    "worker_id",
    "camera_id",
    "deployment_id",
    "watchlist_id",
    "subject_id",
    "observed_at",
    "observed_at_source",
    "observed_at_uncertainty_seconds",
    "pts_seconds",
    "frame_index",
    "track_id",
    "similarity",
    "threshold",
    "expected_false_alerts_per_1000_faces",
    "calibration",
    "frames_fused",
    "single_look",
    "models",
    "preprocessing",
    "gallery",
    "input_sha256",
    "software",
)
_EVIDENCE_FIELDS = ("kind", "ref", "sha256_plain", "sha256_sealed")


@dataclass(frozen=True, slots=True)
class ReceiptJudgement:
    """One judge's answer.

    Attributes:
        judge: pseudonym, the same for the same person within one system.
        answer: `same_person` in every receipt there can be.
        answered_at: when; aware.
        reason: what she wrote; None where she wrote nothing.
        reason_code: the word she chose; None where she chose none.
        webauthn: what her passkey was put to and what it gave; `api.ledger.assertions.verify_judgement` checks it.
            None only for an answer from before judgements were signed.
    """

    judge: str
    answer: str
    answered_at: datetime
    reason: str | None = None
    reason_code: str | None = None
    webauthn: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ReceiptPolicy:
    """By which rule it was confirmed.

    Attributes:
        id: name and version of the rule.
        hold_seconds: how long the confirmation was held back after the second answer.
        judges: how many people, apart; never fewer than two.
    """

    id: str
    hold_seconds: float
    judges: int = JUDGES


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where the log holds the confirmation.

    Attributes:
        index: 0-based number of the entry.
        entry_hash: SHA-256 of the entry, hex.
    """

    index: int
    entry_hash: str


@dataclass(frozen=True, slots=True)
class ReceiptContent:
    """All a receipt says.

    Attributes:
        receipt_id: becomes `jti`.
        issuer: who issues it: the address or name of the system.
        issued_at: when; aware.
        act_before: from then on it may not be acted on; aware.
        candidate: the event that was judged, with its signature.
        judgements: the answers that confirmed it.
        policy: by which rule.
        ledger: where the log holds it.
        presentation: what the judges were shown, in the words their passkeys were put to.
    """

    receipt_id: uuid.UUID
    issuer: str
    issued_at: datetime
    act_before: datetime
    candidate: Candidate
    judgements: tuple[ReceiptJudgement, ...]
    policy: ReceiptPolicy
    ledger: LedgerPlace
    presentation: dict[str, Any] | None = None


def build_receipt(content: ReceiptContent, key: SigningKey) -> str:
    """The signed receipt, a compact JWS.

    Raises:
        ReceiptError: not two different judges who both said *same person*, or dates that cannot be.
    """
    _refuse_unconfirmed(content)
    return key.sign(canonical_json(receipt_claims(content)), content=HEADER_TYPE)


def receipt_claims(content: ReceiptContent) -> dict[str, Any]:
    """What the receipt says, as JSON values."""
    event = content.candidate.model_dump(mode="json")
    unsigned = unsigned_document(content.candidate)
    return {
        "schema": CONFIRMED_SCHEMA,
        "jti": str(content.receipt_id),
        "iss": content.issuer,
        "status": "confirmed",
        "issued_at": _rfc3339(content.issued_at),
        "act_before": _rfc3339(content.act_before),
        "candidate": {
            **{name: event[name] for name in _CANDIDATE_FIELDS},
            "event_sha256": hashlib.sha256(canonical_json(unsigned)).hexdigest(),
            "signature": event["signature"],
        },
        "evidence": [{name: item[name] for name in _EVIDENCE_FIELDS} for item in event["evidence"]],
        "presentation": content.presentation,
        "judgements": [
            {
                "judge": one.judge,
                "answer": one.answer,
                "answered_at": _rfc3339(one.answered_at),
                "reason": one.reason,
                "reason_code": one.reason_code,
                "webauthn": one.webauthn,
            }
            for one in content.judgements
        ],
        "policy": {
            "id": content.policy.id,
            "judges": content.policy.judges,
            "hold_seconds": content.policy.hold_seconds,
        },
        "ledger": {
            "index": content.ledger.index,
            "entry_hash": content.ledger.entry_hash,
            "merkle": None,
            "merkle_note": "no inclusion proof yet: the log is an append-only table without a Merkle tree",
        },
    }


def _refuse_unconfirmed(content: ReceiptContent) -> None:
    judges = [one.judge for one in content.judgements]
    if (
        content.policy.judges < JUDGES
        or len(judges) < content.policy.judges
        or len(set(judges)) != len(judges)
    ):
        raise ReceiptError("not_two_judges", "a receipt needs two different judges")
    if any(one.answer != "same_person" for one in content.judgements):
        raise ReceiptError("not_confirmed", "a receipt needs the answer `same_person` from each judge")
    if any(one.answered_at > content.issued_at for one in content.judgements):
        raise ReceiptError("not_confirmed", "a receipt cannot be older than a judgement in it")
    if content.act_before <= content.issued_at:
        raise ReceiptError("stale", "act_before must lie after issued_at")


def _rfc3339(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ReceiptError("incomplete", "a time in a receipt needs its offset")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
