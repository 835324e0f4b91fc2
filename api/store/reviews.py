"""Presentations and their pictures as records, and which of them an account may be listed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from api.review.presentation import Picture, PictureSource, Presentation, Sighting
from api.review.scopes import Scope
from api.review.statement import presentation_document
from api.store.asking import Asking
from api.store.claims import has_room
from api.store.models import (
    CandidateRecord,
    Deployment,
    Disclosure,
    JudgementRecord,
    ListRequest,
    PresentedEvidence,
    Review,
    ReviewListing,
    Subject,
    SubjectReference,
)
from api.store.models.base import UtcDateTime, table_of
from api.store.models.reviews import WAITING
from api.store.reexaminations import is_reexamination, not_judged_before
from api.store.rights import within

QueuePosition = tuple[datetime, str]
"""Where a page of the queue ended: `queued_at` and review id of its last row."""


_PLACE: Final = (CandidateRecord.queued_at, CandidateRecord.review_id)

_PICTURES: Final = (
    select(
        PresentedEvidence.review_id,
        PresentedEvidence.evidence_id,
        PresentedEvidence.shown_from,
        PresentedEvidence.kind,
        PresentedEvidence.width,
        PresentedEvidence.height,
        PresentedEvidence.sealed,
        PresentedEvidence.reference_id,
    )
    .where(PresentedEvidence.review_id.in_(bindparam("review_ids", expanding=True)))
    .order_by(PresentedEvidence.position)
)
"""Columns: objects of so many rows would take as long again. Made once, as `_OPEN_FOR`."""


class ReviewRepository:
    """Finds and keeps what judges are shown."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, candidate_id: str, shown: Presentation) -> None:
        """Keeps a presentation of a candidate that has none."""
        self._session.execute(insert(table_of(Review)), [review_values(candidate_id, shown)])
        self._session.execute(insert(table_of(PresentedEvidence)), picture_values(shown))
        self._session.execute(
            update(CandidateRecord)
            .where(CandidateRecord.candidate_id == candidate_id)
            .values(queued_at=shown.queued_at, review_id=shown.review_id)
            .execution_options(synchronize_session=False)
        )

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

    def forget(self, candidate_id: str) -> None:
        """Takes away the presentation of a candidate, to make room for another."""
        review_ids = select(Review.review_id).where(Review.candidate_id == candidate_id)
        for table in (PresentedEvidence, ReviewListing):
            self._session.execute(delete(table).where(table.review_id.in_(review_ids)))
        self._session.execute(delete(Review).where(Review.candidate_id == candidate_id))

    def row(self, review_id: str) -> Review | None:
        """The review's own row."""
        return self._session.get(Review, review_id)

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
        pictures: dict[str, list[Picture]] = {row.review_id: [] for row in rows}
        found = list(self._pictures(list(pictures)))
        # Only a clip comes later than its review, so without one it does not matter when that was claimed.
        claims = self._claims(rows) if any(picture.shown_from for _, picture in found) else {}
        for review_id, picture in found:
            if picture.shown_from is None or picture.shown_from <= (claims[review_id] or now):
                pictures[review_id].append(picture)
        return [_presentation(row, pictures[row.review_id]) for row in rows]

    def _pictures(self, review_ids: list[str]) -> Iterator[tuple[str, Picture]]:
        """Pictures by review, each review's in their order."""
        found = self._session.execute(_PICTURES, {"review_ids": review_ids})
        for review_id, evidence_id, shown_from, kind, width, height, sealed, reference_id in found:
            source = PictureSource(kind, width, height, sealed, reference_id)
            yield review_id, Picture(evidence_id, source, shown_from)

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
        self, asking: Asking, now: datetime, after: QueuePosition | None, limit: int
    ) -> Sequence[Review]:
        """Reviews she may answer now, oldest first.

        Nothing but age orders them; what is left out is what she answered, was told about, had a part in
        listing, was answered in this browser, or has no right to, and what as many others have open as it needs judges.

        Args:
            asking: an operator.
            now: reviews queued later are not there yet.
            after: where the page before ended.
            limit: rows at most.
        """
        query = _open_within(asking.scope).order_by(*_PLACE).limit(limit)
        if after is not None:
            query = query.where(tuple_(*_PLACE) > tuple_(*after))
        return self._session.scalars(query, asking.bound(now)).all()

    def waiting(self, now: datetime, limit: int) -> Sequence[Review]:
        """Reviews of real candidates an answer is awaited for, whoever may give it, oldest first."""
        real = _answerable().where(CandidateRecord.control_id.is_(None)).order_by(*_PLACE).limit(limit)
        return self._session.scalars(real, {"now": now}).all()

    def is_open_for(self, asking: Asking, review_id: str, now: datetime) -> bool:
        """Whether she may answer this review now."""
        query = _open_within(asking.scope).where(Review.review_id == review_id)
        return self._session.scalars(query, asking.bound(now)).first() is not None

    def lock(self, review_ids: Collection[str]) -> None:
        """Lets nobody revise the candidates of these reviews until this transaction ends."""
        self._session.scalars(
            select(CandidateRecord.candidate_id)
            .join(Review, Review.candidate_id == CandidateRecord.candidate_id)
            .where(Review.review_id.in_(review_ids))
            .order_by(CandidateRecord.candidate_id)  # so that two listings never wait for each other
            .with_for_update(of=CandidateRecord)
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

    def was_listed(self, review_id: str) -> bool:
        """Whether some operator has had the review in her list."""
        query = select(ReviewListing.review_id).where(ReviewListing.review_id == review_id)
        return self._session.scalars(query.limit(1)).first() is not None

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


def _answerable() -> Select[Review]:
    """Reviews an answer is awaited for at `:now`."""
    now = bindparam("now", type_=UtcDateTime())
    return (
        select(Review)
        .join(CandidateRecord, CandidateRecord.candidate_id == Review.candidate_id)
        .join(Subject, Subject.subject_id == CandidateRecord.subject_id)
        .join(Deployment, Deployment.deployment_id == CandidateRecord.deployment_id)
        .where(
            text(f"candidates.{WAITING}"),  # literally: else the index of what waits is not used
            # In this form as PostgreSQL, which knows that nearly all candidates ever stored are over, would else expect a
            # handful, read all that wait and sort them, instead of the first few in the order of what waits.
            func.coalesce(CandidateRecord.expires_at, CandidateRecord.expires_at) > now,
            CandidateRecord.queued_at <= now,
            # Nobody judges for an entry that has left its list: nothing could come of it. What was done while
            # it was on it can be looked at again.
            Subject.removed_at.is_(None),
            or_(Subject.expires_at > now, is_reexamination()),
        )
    )


def _open_within(scope: Scope) -> Select[Review]:
    if scope.is_whole:
        return _OPEN_FOR
    return _OPEN_FOR.where(within(scope, CandidateRecord.watchlist_id, CandidateRecord.camera_id))


def _uninvolved() -> list[ColumnElement[bool]]:
    """Conditions on reviews: the account `:account_id`, called `:username`, in `:device_id` had no part in them."""
    account_id, username = bindparam("account_id", type_=String()), bindparam("username", type_=String())
    device_id = bindparam("device_id", type_=String())
    answered = exists().where(
        JudgementRecord.candidate_id == Review.candidate_id,
        or_(JudgementRecord.account_id == account_id, JudgementRecord.device_id == device_id),
    )
    told = exists().where(Disclosure.candidate_id == Review.candidate_id, Disclosure.account_id == account_id)
    # A renewal has a requester and an authoriser of its own. Not correlated: an operator hardly ever has any.
    hers = (ListRequest.requested_by == account_id) | (ListRequest.ended_by == account_id)
    subjects = select(ListRequest.subject_id).where(hers, ListRequest.subject_id.is_not(None))
    deployments = select(ListRequest.deployment_id).where(hers, ListRequest.deployment_id.is_not(None))
    return [
        ~answered,
        ~told,
        not_judged_before(account_id),
        has_room(account_id, bindparam("now", type_=UtcDateTime())),
        CandidateRecord.subject_id.not_in(subjects),
        CandidateRecord.deployment_id.not_in(deployments),
        Subject.requested_by_key != username,
        Subject.authorised_by_key != username,
        Deployment.requested_by_key != username,
        Deployment.authorised_by_key != username,
    ]


def open_for_anybody() -> Select[Review]:
    """Reviews whoever asks may answer, whatever her rights."""
    return _answerable().where(*_uninvolved())


_OPEN_FOR: Final = open_for_anybody()
"""Made once: to make it takes longer than to run it."""


def _is_shown(evidence: PresentedEvidence, at: datetime) -> bool:
    return evidence.shown_from is None or evidence.shown_from <= at


def _presentation(row: Review, pictures: Sequence[Picture]) -> Presentation:
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
