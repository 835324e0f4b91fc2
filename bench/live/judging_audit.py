"""What must hold once nobody judges any more and all is sent: the records and the stream held against each other."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.ledger.chain import Entry, LedgerError, check_chain
from api.ledger.verify import (
    ReceiptError,
    load_keys,
    receipt_in_event,
    retraction_in_event,
    verify_receipt,
    verify_retraction,
)
from api.store.ledger import LedgerRepository
from api.store.models import (
    CandidateRecord,
    Disclosure,
    JudgementRecord,
    JudgementWithdrawal,
    Receipt,
    Retraction,
)
from bench.live.judging_site import JudgingSite
from bench.live.kills_site import KillsSite
from pipelines import streams
from pipelines.events import RETRACTED_SCHEMA

_PAGE = 500


@dataclass(slots=True)
class Audit:
    """What is found in records and stream, held against each other.

    Attributes:
        receipts, retractions: how many there are.
        unfounded: receipts without exactly two people apart who said the same, untold, and stand by it.
        unsent: receipts and retractions that are not in the stream.
        unknown: entries of the stream that no record knows.
        unverified: entries that do not verify, or are acted on although retracted.
        repeated: entries that came again under the `jti` they had.
        twice: candidates with more than one receipt in the stream.
        early: retractions that came before their receipt.
        lost: candidates two people confirmed, past their hold, that have no receipt.
        chain: what is wrong with the ledger; empty: nothing.
    """

    receipts: int = 0
    retractions: int = 0
    unfounded: int = 0
    unsent: int = 0
    unknown: int = 0
    unverified: int = 0
    repeated: int = 0
    twice: int = 0
    early: int = 0
    lost: int = 0
    chain: str = ""


def audited(here: JudgingSite) -> Audit:
    """Everything that must hold once nobody works any more and all is sent."""
    audit = Audit()
    with here.records.database.read() as session:
        receipts = {row.receipt_id: row for row in session.scalars(select(Receipt))}
        retractions = {row.retraction_id: row for row in session.scalars(select(Retraction))}
        founded = {row.candidate_id for row in receipts.values() if is_founded(session, row)}
        states = session.scalars(
            select(CandidateRecord.candidate_id).where(
                CandidateRecord.state.in_(["confirmed", "confirmed_held"])
            )
        )
        audit.lost = len(set(states) - {row.candidate_id for row in receipts.values()})
        audit.chain = _chain(LedgerRepository(session))
    audit.receipts, audit.retractions = len(receipts), len(retractions)
    audit.unfounded = len(receipts) - len(founded)
    _audit_stream(here, audit, receipts, retractions)
    return audit


def is_founded(session: Session, receipt: Receipt) -> bool:
    """Whether two people apart, who were told nothing before, said the same, and both stand by it."""
    row = session.get_one(CandidateRecord, receipt.candidate_id)
    judgements = session.scalars(
        select(JudgementRecord)
        .outerjoin(JudgementWithdrawal, JudgementWithdrawal.judgement_id == JudgementRecord.judgement_id)
        .where(
            JudgementRecord.candidate_id == receipt.candidate_id,
            JudgementRecord.round == row.round,
            JudgementWithdrawal.judgement_id.is_(None),
        )
    ).all()
    told = session.execute(
        select(Disclosure.account_id, Disclosure.disclosed_at).where(
            Disclosure.candidate_id == receipt.candidate_id
        )
    )
    told_at: dict[str, datetime] = dict(told.all())
    return (
        row.event is not None
        and row.control_id is None
        and [one.answer for one in judgements] == ["same_person"] * 2
        and len({one.account_id for one in judgements}) == 2
        and len({one.session_id for one in judgements}) == 2
        and all(told_at.get(one.account_id, one.answered_at) >= one.answered_at for one in judgements)
    )


def _audit_stream(
    here: JudgingSite, audit: Audit, receipts: Mapping[str, Receipt], retractions: Mapping[str, Retraction]
) -> None:
    keys = load_keys(here.records.keys.receipts_key().public_pem().decode())
    seen: Counter[str] = Counter()
    of_candidate: dict[str, set[str]] = {}
    for schema, event in confirmed_entries(here.site):
        try:
            if schema == RETRACTED_SCHEMA:
                retraction = verify_retraction(retraction_in_event(event), keys)
                number = str(retraction.claims["jti"])
                audit.early += seen[retraction.receipt_id] == 0
            else:
                token = receipt_in_event(event)
                claims = verify_receipt(token, keys, at=_issued_at(token)).claims
                number = str(claims["jti"])
                of_candidate.setdefault(claims["candidate"]["candidate_id"], set()).add(number)
        except ReceiptError:
            audit.unverified += 1
            continue
        seen[number] += 1
        audit.unknown += number not in (retractions if schema == RETRACTED_SCHEMA else receipts)
    audit.unsent = sum(seen[number] == 0 for number in (*receipts, *retractions))
    audit.repeated = sum(seen.values()) - len(seen)
    audit.twice = sum(len(numbers) > 1 for numbers in of_candidate.values())


def confirmed_entries(site: KillsSite) -> list[tuple[str, str]]:
    """Schema and event of every entry of the confirmed stream, in order."""
    with site.redis.connect() as client:
        entries: Any = client.xrange(streams.CONFIRMED)
    return [(fields[b"schema"].decode(), fields[b"event"].decode()) for _, fields in entries]


def _issued_at(token: str) -> datetime:
    """When a receipt says it was issued; what it says is verified as of then."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return datetime.fromisoformat(claims["issued_at"])


def _chain(ledger: LedgerRepository) -> str:
    entries: list[Entry] = []
    while page := ledger.page(len(entries), _PAGE):
        entries += page
    try:
        check_chain(entries)
    except LedgerError as error:
        return str(error)
    return "" if entries else "there is none"
