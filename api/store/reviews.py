"""Presentations and their pictures as records, and which of them an account may be listed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, tuple_
from sqlalchemy.orm import Session

from api.review.cases import JUDGEABLE
from api.review.presentation import Picture, PictureSource, Presentation, Sighting
from api.review.statement import presentation_document
from api.store.models import (
    Account,
    CandidateRecord,
    Deployment,
    Disclosure,
    JudgementRecord,
    PresentedEvidence,
    Review,
    ReviewListing,
    Subject,
    SubjectReference,
)

QueuePosition = tuple[datetime, str]
"""Where a page of the queue ended: `queued_at` and review id of its last row."""


class ReviewRepository:
    """Finds and keeps what judges are shown."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, candidate_id: str, shown: Presentation) -> None:
        """Keeps a presentation, in place of an earlier one of the same candidate."""
        self._forget(candidate_id)
        sighting = shown.sighting
        self._session.add(
            Review(
                review_id=shown.review_id,
                candidate_id=candidate_id,
                camera_id=sighting.camera_id,
                observed_at=sighting.observed_at,
                pts_seconds=sighting.pts_seconds,
                queued_at=shown.queued_at,
                face_xyxy=list(sighting.face_xyxy),
                face_size_px=sighting.face_size_px,
                frame_accounting=sighting.frame_accounting,
            )
        )
        self._session.flush()
        self._session.add_all(
            PresentedEvidence(
                evidence_id=picture.evidence_id,
                review_id=shown.review_id,
                kind=picture.source.kind,
                position=position,
                width=picture.source.width,
                height=picture.source.height,
                sealed=picture.source.sealed,
                reference_id=picture.source.reference_id,
                shown_from=picture.shown_from,
            )
            for position, picture in enumerate(shown.pictures)
        )
        self._session.flush()

    def add_clip(self, review: Review, clip: Picture) -> None:
        """Adds a clip to a presentation that stays as it is otherwise."""
        rows = self._session.scalars(
            select(PresentedEvidence).where(PresentedEvidence.review_id == review.review_id)
        ).all()
        self._session.add(
            PresentedEvidence(
                evidence_id=clip.evidence_id,
                review_id=review.review_id,
                kind=clip.source.kind,
                position=max(row.position for row in rows) + 1,
                width=clip.source.width,
                height=clip.source.height,
                sealed=clip.source.sealed,
                shown_from=clip.shown_from,
            )
        )
        self._session.flush()

    def shown(self, review: Review) -> dict[str, str]:
        """The sealed hash of each picture of evidence in a presentation, by its kind."""
        rows = self._session.scalars(
            select(PresentedEvidence).where(
                PresentedEvidence.review_id == review.review_id, PresentedEvidence.reference_id.is_(None)
            )
        )
        return {row.kind: str(row.sealed["sha256_sealed"]) for row in rows if row.sealed}

    def _forget(self, candidate_id: str) -> None:
        review_ids = select(Review.review_id).where(Review.candidate_id == candidate_id)
        for table in (PresentedEvidence, ReviewListing):
            self._session.execute(delete(table).where(table.review_id.in_(review_ids)))
        self._session.execute(delete(Review).where(Review.candidate_id == candidate_id))

    def row(self, review_id: str) -> Review | None:
        """The review's own row."""
        return self._session.get(Review, review_id)

    def of_candidate(self, candidate_id: str) -> Review | None:
        """The review of a candidate."""
        return self._session.scalars(select(Review).where(Review.candidate_id == candidate_id)).one_or_none()

    def load(self, rows: Sequence[Review], now: datetime) -> list[Presentation]:
        """Full presentations of rows, in their order, as they were at the first claim, or are now."""
        evidence = self._session.scalars(
            select(PresentedEvidence)
            .where(PresentedEvidence.review_id.in_([row.review_id for row in rows]))
            .order_by(PresentedEvidence.position)
        ).all()
        claims = self._claims(rows)
        return [
            _presentation(
                row,
                [
                    one
                    for one in evidence
                    if one.review_id == row.review_id and _is_shown(one, claims[row.review_id] or now)
                ],
            )
            for row in rows
        ]

    def _claims(self, rows: Sequence[Review]) -> dict[str, datetime | None]:
        found = self._session.execute(
            select(Review.review_id, CandidateRecord.claimed_at)
            .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
            .where(Review.review_id.in_([row.review_id for row in rows]))
        )
        return dict(found.all())

    def picture(self, evidence_id: str, now: datetime) -> PresentedEvidence | None:
        """One picture of one review; none where nobody is shown it, or not yet."""
        picture = self._session.get(PresentedEvidence, evidence_id)
        if picture is None or picture.shown_from is None:
            return picture
        review = self._session.get_one(Review, picture.review_id)
        claimed_at = self._claims([review])[review.review_id]
        return picture if _is_shown(picture, claimed_at or now) else None

    def document(self, review: Review, now: datetime) -> dict[str, Any]:
        """What a review shows as its judges sign it: as at the first claim, or as now."""
        shown = self.load([review], now)[0]
        wanted = [picture.source.reference_id for picture in shown.references]
        rows = self._session.execute(
            select(SubjectReference.reference_id, SubjectReference.portrait_sealed).where(
                SubjectReference.reference_id.in_(wanted)
            )
        )
        portraits = {
            reference_id: hashlib.sha256(portrait).hexdigest() for reference_id, portrait in rows.all()
        }
        return presentation_document(shown, portraits)

    def open_for(
        self,
        account: Account,
        device_id: str | None,
        now: datetime,
        after: QueuePosition | None,
        limit: int,
    ) -> Sequence[Review]:
        """Reviews the account may answer now, oldest first.

        Nothing but age orders them; what is left out is what she answered, was told about, had a part in
        listing, or what was answered in this browser.

        Args:
            account: an operator's.
            device_id: the browser she works in.
            now: reviews queued later are not there yet.
            after: where the page before ended.
            limit: rows at most.
        """
        query = (
            _answerable(now)
            .where(*_uninvolved(account, device_id))
            .order_by(Review.queued_at, Review.review_id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(Review.queued_at, Review.review_id) > tuple_(*after))
        return self._session.scalars(query).all()

    def is_open_for(self, account: Account, device_id: str | None, review_id: str, now: datetime) -> bool:
        """Whether the account may answer this review now, in this browser."""
        query = _answerable(now).where(Review.review_id == review_id, *_uninvolved(account, device_id))
        return self._session.scalars(query).first() is not None

    def unlisted(self, account_id: str, review_ids: Sequence[str]) -> list[str]:
        """Those of the reviews never listed to the account before, in their order."""
        known = set(
            self._session.scalars(
                select(ReviewListing.review_id).where(
                    ReviewListing.account_id == account_id, ReviewListing.review_id.in_(review_ids)
                )
            )
        )
        return [review_id for review_id in review_ids if review_id not in known]

    def note_listed(self, account_id: str, review_ids: Sequence[str], now: datetime) -> None:
        """Notes that reviews were listed to the account."""
        self._session.add_all(
            ReviewListing(review_id=review_id, account_id=account_id, listed_at=now)
            for review_id in review_ids
        )
        self._session.flush()


def _answerable(now: datetime) -> Select[Review]:
    return (
        select(Review)
        .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
        .join(Subject, Subject.subject_id == CandidateRecord.subject_id)
        .join(Deployment, Deployment.deployment_id == CandidateRecord.deployment_id)
        .where(
            CandidateRecord.state.in_([state.value for state in sorted(JUDGEABLE)]),
            CandidateRecord.expires_at > now,
            Review.queued_at <= now,
            # Nobody judges for an entry that has left its list: nothing could come of it.
            Subject.removed_at.is_(None),
            Subject.expires_at > now,
        )
    )


def _uninvolved(account: Account, device_id: str | None) -> list[ColumnElement[bool]]:
    hers = JudgementRecord.account_id == account.account_id
    if device_id is not None:
        hers = or_(hers, JudgementRecord.device_id == device_id)
    answered = exists().where(JudgementRecord.candidate_id == Review.candidate_id, hers)
    told = exists().where(
        Disclosure.candidate_id == Review.candidate_id, Disclosure.account_id == account.account_id
    )
    return [
        ~answered,
        ~told,
        Subject.requested_by_key != account.username,
        Subject.authorised_by_key != account.username,
        Deployment.requested_by_key != account.username,
        Deployment.authorised_by_key != account.username,
    ]


def _is_shown(evidence: PresentedEvidence, at: datetime) -> bool:
    return evidence.shown_from is None or evidence.shown_from <= at


def _presentation(row: Review, evidence: Sequence[PresentedEvidence]) -> Presentation:
    pictures = [
        Picture(
            item.evidence_id,
            PictureSource(item.kind, item.width, item.height, item.sealed, item.reference_id),  # type: ignore[arg-type]  # written from the same literal
            item.shown_from,
        )
        for item in evidence
    ]
    left, top, right, bottom = row.face_xyxy
    sighting = Sighting(
        row.camera_id,
        row.observed_at,
        row.pts_seconds,
        (left, top, right, bottom),
        row.face_size_px,
        row.frame_accounting,
    )
    frame, probe, *others = pictures
    references = tuple(one for one in others if one.source.kind == "reference")
    clip = next((one for one in others if one.source.kind == "clip"), None)
    return Presentation(row.review_id, row.queued_at, sighting, frame, probe, references, clip)
