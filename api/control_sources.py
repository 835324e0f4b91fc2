"""Where controls come from by themselves: probes two people rejected, and probes of lists for tests two people confirmed.

Nothing is decrypted for it. A rejected probe is paired with another entry of the same list that it resembled, as its own
event says; its sealed pictures are named by reference, and no longer than they are kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from api.clock import Clock
from api.ledger.chain import Happening
from api.retention import RetentionPolicy
from api.review.cases import State, Truth
from api.review.controls import ControlSource
from api.review.policies import ReviewPolicy
from api.store.controls import ControlRepository
from api.store.engine import Database
from api.store.evidence import EvidenceRepository
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, ControlItem, EvidenceRecord
from pipelines.events import Candidate

LOOK_BACK: Final = timedelta(days=7)
"""How old a probe may be when it is taken up."""

ENOUGH: Final = 50
"""Items of a deployment that wait to be shown; more are not made."""

BATCH: Final = 20
SHOWN: Final = ("frame_redacted", "probe")
CLIPS_KNOWN_FOR: Final = timedelta(days=7)


class ControlSources:
    """Makes control items of what has been judged."""

    def __init__(
        self, database: Database, policy: ReviewPolicy, retention: RetentionPolicy, clock: Clock
    ) -> None:
        self._database = database
        self._policy = policy
        self._retention = retention
        self._clock = clock

    def run_once(self) -> int:
        """Takes up what has been judged since; returns how many items were made."""
        if not self._policy.control_share:
            return 0
        now = self._clock()
        with self._database.write() as session:
            controls = ControlRepository(session)
            rejected = controls.rejected_by_two(now - LOOK_BACK, BATCH)
            confirmed = controls.confirmed_of_test_lists(now - LOOK_BACK, BATCH)
            made = [self._take_up(session, row, ControlSource.REJECTED, now) for row in rejected]
            made += [self._take_up(session, row, ControlSource.TEST_LIST, now) for row in confirmed]
        return sum(made)

    def _take_up(self, session: Session, row: CandidateRecord, source: ControlSource, now: datetime) -> bool:
        controls, event = ControlRepository(session), Candidate.model_validate(row.event)
        partner = _look_alike(session, event, now) if source is ControlSource.REJECTED else _itself(event)
        evidence = {one.kind: one for one in controls.evidence(row.candidate_id)}
        if partner is None or not set(SHOWN) <= set(evidence):
            return False
        if controls.unused(row.deployment_id, now) >= ENOUGH:
            return False
        clip = evidence.get("clip_redacted")
        if clip is None and _has_clips(session, row, now):
            return False  # one control without a clip would hide the clips of all others
        until = self._usable_until(
            [evidence[kind] for kind in SHOWN] + ([clip] if clip else []), State(row.state)
        )
        if until is not None and until <= now:
            return False
        subject_id, similarity = partner
        item = _item(row, event, subject_id, similarity)
        item.source, item.usable_until, item.created_at = source.value, until, now
        item.truth = (Truth.DIFFERENT if source is ControlSource.REJECTED else Truth.SAME).value
        item.clip = None if clip is None else clip.item
        controls.add(item)
        detail = {"source": source.value, "candidate_id": row.candidate_id}
        LedgerRepository(session).append(
            Happening("control_item_added", now, "controls", f"control:{item.control_id}", detail)
        )
        return True

    def _usable_until(self, evidence: Sequence[EvidenceRecord], state: State) -> datetime | None:
        """Until when a control may enter the queue so that its pictures outlast its review; None: for ever."""
        ends = [
            one.created_at + limit
            for one in evidence
            if (limit := self._retention.after(one.kind, state)) is not None
        ]
        review = self._policy.expire_after + self._policy.control_spread
        return min(ends) - 2 * review if ends else None


def _look_alike(session: Session, event: Candidate, now: datetime) -> tuple[str, float] | None:
    """The listed subject a rejected probe resembles most after its own, too little for the search to name it."""
    lists = ListRepository(session)
    others = [
        (one.subject_id, one.similarity)
        for one in event.alternatives
        if one.subject_id != event.subject_id
        and one.similarity < event.threshold
        and lists.is_listed(one.subject_id, now)
        and _is_of(lists, one.subject_id, event.watchlist_id)
    ]
    return max(others, key=lambda one: one[1], default=None)


def _itself(event: Candidate) -> tuple[str, float]:
    return event.subject_id, event.similarity


def _is_of(lists: ListRepository, subject_id: str, watchlist_id: str) -> bool:
    subject = lists.subject(subject_id)
    return subject is not None and subject.watchlist_id == watchlist_id and bool(lists.references(subject_id))


def _has_clips(session: Session, row: CandidateRecord, now: datetime) -> bool:
    return EvidenceRepository(session).newest_clip_delay(row.camera_id, now - CLIPS_KNOWN_FOR) is not None


def _item(row: CandidateRecord, event: Candidate, subject_id: str, similarity: float) -> ControlItem:
    shown: Mapping[str, Any] = {one.kind: one.model_dump() for one in reversed(event.evidence)}
    document = event.model_dump(mode="json")
    return ControlItem(
        control_id=f"ctl_{secrets.token_hex(12)}",
        deployment_id=row.deployment_id,
        camera_id=row.camera_id,
        subject_id=subject_id,
        pts_seconds=event.pts_seconds,
        face_xyxy=list(event.face_xyxy),
        face_size_px=event.quality.face_size_px,
        similarity=similarity,
        threshold=event.threshold,
        frame=shown["frame_redacted"],
        probe=shown["probe"],
        frame_accounting=document["frame_accounting"],
        times_used=0,
        origin_candidate_id=row.candidate_id,
        taken_at=row.observed_at,
    )
