"""Presentations and their pictures as records, and which of them an account may be listed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    case,
    delete,
    exists,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from api.review.presentation import Picture, PictureSource, Presentation, Sighting
from api.review.statement import presentation_document
from api.store.in_lists import one_of
from api.store.models import (
    CandidateRecord,
    PresentedEvidence,
    Review,
    ReviewListing,
    SubjectReference,
)
from api.store.models.base import table_of

_ROW: Final = select(Review).where(Review.review_id == bindparam("review_id"))
_REFERENCES: Final = table_of(SubjectReference)
_EVIDENCE: Final = table_of(PresentedEvidence)
_SEALED_CLIP: Final = case((_EVIDENCE.c.kind == "clip", _EVIDENCE.c.sealed)).label("sealed")


def _pictures_with(*sealed: ColumnElement[Any]) -> Select[Any]:
    """Columns: objects of so many rows would take as long again."""
    return (
        select(
            _EVIDENCE.c.review_id,
            _EVIDENCE.c.evidence_id,
            _EVIDENCE.c.shown_from,
            _EVIDENCE.c.kind,
            _EVIDENCE.c.width,
            _EVIDENCE.c.height,
            _EVIDENCE.c.reference_id,
            *sealed,
        )
        .where(one_of(_EVIDENCE.c.review_id, "review_ids"))
        .order_by(_EVIDENCE.c.position)
    )


# Made once, as `_OPEN_FOR`.
_PICTURES: Final = _pictures_with(_EVIDENCE.c.sealed)
_LISTED_PICTURES: Final = _pictures_with(_SEALED_CLIP)
_SIGNED_PICTURES: Final = _pictures_with(_EVIDENCE.c.sealed, _REFERENCES.c.portrait_sealed).outerjoin(
    _REFERENCES, _REFERENCES.c.reference_id == _EVIDENCE.c.reference_id
)
_REVIEWS: Final = table_of(Review)
_LISTED_ROWS: Final = select(_REVIEWS).where(one_of(_REVIEWS.c.review_id, "review_ids"))


class ReviewRepository:
    """Finds and keeps what judges are shown."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, candidate_id: str, shown: Presentation) -> None:
        """Keeps a presentation of a candidate that has none."""
        self._session.execute(insert(table_of(Review)), [review_values(candidate_id, shown)])
        self._session.execute(insert(table_of(PresentedEvidence)), picture_values(shown))
        self._place(candidate_id, shown)

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

    def replace(self, earlier: Review, shown: Presentation) -> None:
        """Puts another presentation in the place of one that was listed to nobody; its own row stays.

        Who is about to list it waits for that row, and lists what is there then.
        """
        for table in (PresentedEvidence, ReviewListing):
            self._session.execute(delete(table).where(table.review_id == earlier.review_id))
        values = review_values(earlier.candidate_id, shown)
        self._session.execute(
            update(table_of(Review)).where(Review.review_id == earlier.review_id).values(values)
        )
        self._session.execute(insert(table_of(PresentedEvidence)), picture_values(shown))
        self._place(earlier.candidate_id, shown)

    def _place(self, candidate_id: str, shown: Presentation) -> None:
        self._session.execute(
            update(CandidateRecord)
            .where(CandidateRecord.candidate_id == candidate_id)
            .values(queued_at=shown.queued_at, review_id=shown.review_id)
            .execution_options(synchronize_session=False)
        )

    def row(self, review_id: str) -> Review | None:
        """The review's own row."""
        return self._session.scalars(_ROW, {"review_id": review_id}).one_or_none()

    def bring_forward(self, review: Review, queued_at: datetime) -> None:
        """Lets a review enter the queue sooner; where it would have been later already, nothing changes."""
        if queued_at < review.queued_at:
            review.queued_at = queued_at
            self._session.get_one(CandidateRecord, review.candidate_id).queued_at = queued_at
            self._session.flush()

    def of_candidate(self, candidate_id: str) -> Review | None:
        """The review of a candidate."""
        return self._session.scalars(select(Review).where(Review.candidate_id == candidate_id)).one_or_none()

    def load(self, rows: Sequence[Review], now: datetime) -> list[Presentation]:
        """Full presentations of rows, in their order, as they were at the first claim, or are now."""
        review_ids = [row.review_id for row in rows]
        found = self._session.execute(_PICTURES, {"review_ids": review_ids})
        pictures = self._pictures(found, review_ids, now)
        return [_presentation(row, pictures[row.review_id]) for row in rows]

    def listed(self, review_ids: Sequence[str], now: datetime) -> list[Presentation]:
        """Presentations of those reviews that are there, in the order asked for, without the seals of their pictures.

        Two statements that need not see one moment: what was listed changes no more, and what is deleted between them
        is left out.
        """
        wanted = {"review_ids": review_ids}
        pictures = self._pictures(self._session.execute(_LISTED_PICTURES, wanted), review_ids, now)
        rows = self._session.execute(_LISTED_ROWS, wanted)
        found = {row.review_id: row for row in rows}
        return [_presentation(found[one], pictures[one]) for one in review_ids if one in found]

    def _pictures(
        self, rows: Iterable[Sequence[Any]], review_ids: Sequence[str], now: datetime
    ) -> dict[str, list[Picture]]:
        """Pictures and clips by review, each review's in their order; a clip only where it was there in time."""
        found = [
            (
                review_id,
                Picture(evidence_id, PictureSource(kind, width, height, sealed, reference_id), shown_from),
            )
            for review_id, evidence_id, shown_from, kind, width, height, reference_id, sealed, *_ in rows
        ]
        # Only a clip comes later than its review, so without one it does not matter when that was claimed.
        claims = self._claims(review_ids) if any(picture.shown_from for _, picture in found) else {}
        pictures: dict[str, list[Picture]] = {review_id: [] for review_id in review_ids}
        for review_id, picture in found:
            if picture.shown_from is None or picture.shown_from <= (claims.get(review_id) or now):
                pictures[review_id].append(picture)
        return pictures

    def _claims(self, review_ids: Sequence[str]) -> dict[str, datetime | None]:
        found = self._session.execute(
            select(Review.review_id, CandidateRecord.claimed_at)
            .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
            .where(Review.review_id.in_(review_ids))
        )
        return dict(found.all())

    def picture(self, evidence_id: str, now: datetime) -> PresentedEvidence | None:
        """One picture of one review; none where nobody is shown it, or not yet."""
        picture = self._session.get(PresentedEvidence, evidence_id)
        if picture is None or picture.shown_from is None:
            return picture
        review = self._session.get_one(Review, picture.review_id)
        claimed_at = self._claims([review.review_id])[review.review_id]
        return picture if _is_shown(picture, claimed_at or now) else None

    def document(self, review: Review, now: datetime) -> dict[str, Any]:
        """What a review shows as its judges sign it: as at the first claim, or as now."""
        rows = self._session.execute(_SIGNED_PICTURES, {"review_ids": [review.review_id]}).all()
        pictures = self._pictures(rows, [review.review_id], now)[review.review_id]
        portraits = {
            row.reference_id: hashlib.sha256(row.portrait_sealed).hexdigest()
            for row in rows
            if row.portrait_sealed is not None
        }
        return presentation_document(_presentation(review, pictures), portraits)

    def lock(self, candidate_ids: Collection[str]) -> None:
        """Lets nobody list the reviews of these candidates until this transaction ends: what is changed is not shown."""
        self._session.scalars(
            select(Review.review_id)
            .where(Review.candidate_id.in_(candidate_ids))
            .order_by(Review.review_id)  # as they are listed, so that the two never wait for each other
            .with_for_update()
        ).all()

    def with_clip(self, camera_id: str, limit: int) -> list[bool]:
        """Of the newest reviews of a camera that were listed to somebody, controls aside: which show a clip."""
        clip = exists().where(
            PresentedEvidence.review_id == Review.review_id, PresentedEvidence.kind == "clip"
        )
        listed = exists().where(ReviewListing.review_id == Review.review_id)
        query = (
            select(clip)
            .select_from(Review)
            .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
            .where(Review.camera_id == camera_id, CandidateRecord.control_id.is_(None), listed)
            .order_by(Review.queued_at.desc())
            .limit(limit)
        )
        return list(self._session.scalars(query))


def review_values(candidate_id: str, shown: Presentation) -> dict[str, Any]:
    """The row of a presentation."""
    sighting = shown.sighting
    return {
        "review_id": shown.review_id,
        "candidate_id": candidate_id,
        "camera_id": sighting.camera_id,
        "observed_at": sighting.observed_at,
        "pts_seconds": sighting.pts_seconds,
        "queued_at": shown.queued_at,
        "face_xyxy": list(sighting.face_xyxy),
        "face_size_px": sighting.face_size_px,
        "frame_accounting": sighting.frame_accounting,
    }


def picture_values(shown: Presentation) -> list[dict[str, Any]]:
    """The rows of its pictures."""
    return [
        {
            "evidence_id": picture.evidence_id,
            "review_id": shown.review_id,
            "kind": picture.source.kind,
            "position": position,
            "width": picture.source.width,
            "height": picture.source.height,
            "sealed": picture.source.sealed,
            "reference_id": picture.source.reference_id,
            "shown_from": picture.shown_from,
        }
        for position, picture in enumerate(shown.pictures)
    ]


def _is_shown(evidence: PresentedEvidence, at: datetime) -> bool:
    return evidence.shown_from is None or evidence.shown_from <= at


def _presentation(row: Review | Row[Any], pictures: Sequence[Picture]) -> Presentation:
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
