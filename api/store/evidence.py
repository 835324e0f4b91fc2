"""Sealed blobs by owner, and holds on candidates, as records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, insert, or_, select, text
from sqlalchemy.orm import Session

from api.review.cases import State
from api.store.models import CandidateRecord, EvidenceRecord, LegalHold
from api.store.models.base import table_of
from api.store.models.evidence import SHOWN_CLIPS
from pipelines.events import EvidenceItem


class EvidenceRepository:
    """Who names which blob."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def note(
        self,
        owner_id: str,
        candidate_id: str | None,
        items: Iterable[EvidenceItem],
        now: datetime,
        *,
        late: bool = False,
    ) -> list[EvidenceItem]:
        """Keeps which blobs an owner names; returns those it had not named before."""
        given = {item.ref: item for item in items}
        known = set(
            self._session.scalars(
                select(EvidenceRecord.ref).where(
                    EvidenceRecord.owner_id == owner_id, EvidenceRecord.ref.in_(given)
                )
            )
        )
        fresh = [item for ref, item in given.items() if ref not in known]
        if fresh:
            rows = record_values(owner_id, candidate_id, fresh, now, late=late)
            self._session.execute(insert(table_of(EvidenceRecord)), rows)
        return fresh

    def of_candidate(self, candidate_id: str) -> Sequence[EvidenceRecord]:
        """Every blob of a candidate, deleted ones too, oldest first."""
        return self._session.scalars(
            select(EvidenceRecord)
            .where(EvidenceRecord.candidate_id == candidate_id)
            .order_by(EvidenceRecord.created_at, EvidenceRecord.ref)
        ).all()

    def due(
        self,
        kind: str,
        states: Iterable[State],
        taken_before: datetime,
        now: datetime,
        limit: int,
        *,
        locked: bool,
    ) -> Sequence[EvidenceRecord]:
        """Blobs of a kind that came before a time, of candidates in these states on which there is no hold.

        Args:
            kind: of the blobs.
            states: of their candidates.
            taken_before: when they came, at the latest.
            now: a hold is in force at.
            limit: blobs at most.
            locked: whether the candidates are locked, so that a hold is set before this, or after it.
        """
        query = (
            select(EvidenceRecord)
            .join(CandidateRecord, CandidateRecord.candidate_id == EvidenceRecord.candidate_id)
            .where(
                EvidenceRecord.kind == kind,
                EvidenceRecord.created_at <= taken_before,
                EvidenceRecord.deleted_at.is_(None),
                CandidateRecord.state.in_([state.value for state in sorted(states)]),
                ~exists().where(LegalHold.candidate_id == EvidenceRecord.candidate_id, *_in_force(now)),
            )
            .order_by(EvidenceRecord.created_at)
            .limit(limit)
        )
        return self._session.scalars(query.with_for_update(of=CandidateRecord) if locked else query).all()

    def named(self, refs: Iterable[str]) -> set[str]:
        """Those of the references some owner still names."""
        return set(
            self._session.scalars(
                select(EvidenceRecord.ref).where(
                    EvidenceRecord.ref.in_(list(refs)), EvidenceRecord.deleted_at.is_(None)
                )
            )
        )

    def newest_clip_delay(self, camera_id: str, since: datetime) -> timedelta | None:
        """How long after its candidate a camera's newest clip came; None where none came since that time."""
        query = (
            select(EvidenceRecord.created_at, CandidateRecord.created_at)
            .join(CandidateRecord, CandidateRecord.candidate_id == EvidenceRecord.candidate_id)
            .where(
                CandidateRecord.camera_id == camera_id,
                text(f"evidence_records.{SHOWN_CLIPS}"),
                EvidenceRecord.created_at >= since,
            )
            .order_by(EvidenceRecord.created_at.desc())
            .limit(1)
        )
        found = self._session.execute(query).first()
        return None if found is None else found[0] - found[1]


def record_values(
    owner_id: str,
    candidate_id: str | None,
    items: Iterable[EvidenceItem],
    now: datetime,
    *,
    late: bool = False,
) -> list[dict[str, Any]]:
    """The rows of blobs an owner names, each once."""
    return [
        {
            "ref": item.ref,
            "owner_id": owner_id,
            "candidate_id": candidate_id,
            "kind": item.kind,
            "item": item.model_dump(mode="json"),
            "late": late,
            "created_at": now,
        }
        for item in {item.ref: item for item in items}.values()
    ]


class HoldRepository:
    """Orders that nothing of a candidate may be deleted."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, hold: LegalHold) -> None:
        """Keeps a new hold."""
        self._session.add(hold)
        self._session.flush()

    def row(self, hold_id: str) -> LegalHold | None:
        """A hold by its id."""
        return self._session.get(LegalHold, hold_id, with_for_update=True)

    def of_candidate(self, candidate_id: str) -> Sequence[LegalHold]:
        """Every hold a candidate ever had, oldest first."""
        return self._session.scalars(
            select(LegalHold)
            .where(LegalHold.candidate_id == candidate_id)
            .order_by(LegalHold.set_at, LegalHold.hold_id)
        ).all()


def _in_force(now: datetime) -> list[ColumnElement[bool]]:
    return [LegalHold.lifted_at.is_(None), or_(LegalHold.until.is_(None), LegalHold.until > now)]
