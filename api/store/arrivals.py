"""New candidates of one transaction, written together: a row at a time would take several times as long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from api.review.deployments import DeploymentTerms
from api.review.presentation import PictureSource, Presentation
from api.store.evidence import record_values
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, EvidenceRecord, PresentedEvidence, Review, Subject
from api.store.models.base import table_of
from api.store.reviews import picture_values, review_values
from pipelines.events import EvidenceItem


class Arrivals:
    """Candidates that wait to be written, and what was looked up for them."""

    def __init__(self, session: Session, known: Sequence[str]) -> None:
        """
        Args:
            session: one that writes.
            known: ids of candidates of the batch that are in the database already.
        """
        self._session = session
        self._known = set(known)
        self._lists = ListRepository(session)
        self._deployments: dict[str, DeploymentTerms | None] = {}
        self._subjects: dict[str, Subject | None] = {}
        self._listed: dict[str, bool] = {}
        self._references: dict[str, list[PictureSource]] = {}
        self._delays: dict[tuple[str, str], timedelta | None] = {}
        self._candidates: list[dict[str, Any]] = []
        self._reviews: list[dict[str, Any]] = []
        self._pictures: list[dict[str, Any]] = []
        self._records: list[dict[str, Any]] = []

    def is_new(self, candidate_id: str) -> bool:
        """Whether nobody has told of the candidate before."""
        return candidate_id not in self._known

    def deployment(self, deployment_id: str) -> DeploymentTerms | None:
        """A deployment, looked up once."""
        if deployment_id not in self._deployments:
            self._deployments[deployment_id] = self._lists.deployment(deployment_id)
        return self._deployments[deployment_id]

    def subject(self, subject_id: str) -> Subject | None:
        """An entry, looked up once."""
        if subject_id not in self._subjects:
            self._subjects[subject_id] = self._lists.subject(subject_id)
        return self._subjects[subject_id]

    def is_listed(self, subject_id: str, now: datetime) -> bool:
        """Whether an entry is searched as of now, looked up once."""
        if subject_id not in self._listed:
            self._listed[subject_id] = self._lists.is_listed(subject_id, now)
        return self._listed[subject_id]

    def references(self, subject_id: str) -> list[PictureSource]:
        """The reference portraits of an entry, in order, looked up once."""
        if subject_id not in self._references:
            self._references[subject_id] = [
                PictureSource("reference", width, height, reference_id=reference_id)
                for reference_id, width, height in self._lists.reference_sizes(subject_id)
            ]
        return self._references[subject_id]

    def delay(
        self, deployment_id: str, camera_id: str, look_up: Callable[[], timedelta | None]
    ) -> timedelta | None:
        """How long a camera's clips take to come, looked up once."""
        key = deployment_id, camera_id
        if key not in self._delays:
            self._delays[key] = look_up()
        return self._delays[key]

    def add(
        self,
        candidate: dict[str, Any],
        evidence: Sequence[EvidenceItem],
        shown: Presentation | None,
        now: datetime,
    ) -> None:
        """A new candidate.

        Args:
            candidate: its row, without its place in the queue.
            evidence: the blobs it names.
            shown: what judges see; None where it was taken back before it came.
            now: as of now.
        """
        candidate_id = candidate["candidate_id"]
        self._known.add(candidate_id)
        place = {
            "queued_at": shown.queued_at if shown else None,
            "review_id": shown.review_id if shown else None,
        }
        self._candidates.append(candidate | place)
        self._records += record_values(candidate_id, candidate_id, evidence, now)
        if shown is not None:
            self._reviews.append(review_values(candidate_id, shown))
            self._pictures += picture_values(shown)

    def write(self) -> None:
        """Writes what waits; before anything looks for it in the database."""
        for model, rows in (
            (CandidateRecord, self._candidates),
            (EvidenceRecord, self._records),
            (Review, self._reviews),
            (PresentedEvidence, self._pictures),
        ):
            if rows:
                self._session.execute(insert(table_of(model)), rows)
                rows.clear()
