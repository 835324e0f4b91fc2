"""Counts over the records for those who watch the service; none says how a candidate stands between two answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.review.cases import JUDGEABLE
from api.store.cameras import CameraRepository
from api.store.duty import DutyRepository
from api.store.models import CandidateRecord, Deployment, GalleryVersion, OutboxEvent


@dataclass(frozen=True, slots=True)
class Figures:
    """The records in numbers.

    Attributes:
        waiting: candidates and controls an answer is awaited for.
        oldest_waiting: when the oldest of them came; None where none waits.
        unsent: receipts that have not left yet.
        galleries: newest version of each deployment in force.
        reported: when each camera was last heard of.
        on_duty: operators on duty.
        understaffed: whether fewer than two of them may judge what waits.
        understaffed_seconds: for how long that has been so, ever.
    """

    waiting: int
    oldest_waiting: datetime | None
    unsent: int
    galleries: dict[str, int]
    reported: dict[str, datetime]
    on_duty: int
    understaffed: bool
    understaffed_seconds: float


def figures_of(session: Session, at: datetime) -> Figures:
    """The records as of now.

    Args:
        session: of the database.
        at: now; deployments that have ended are left out.
    """
    judgeable = CandidateRecord.state.in_([state.value for state in sorted(JUDGEABLE)])
    waiting, oldest = session.execute(
        select(func.count(), func.min(CandidateRecord.created_at)).where(judgeable)
    ).one()
    unsent = session.scalar(
        select(func.count()).select_from(OutboxEvent).where(OutboxEvent.sent_at.is_(None))
    )
    galleries = session.execute(
        select(GalleryVersion.deployment_id, func.max(GalleryVersion.version))
        .join(Deployment, Deployment.deployment_id == GalleryVersion.deployment_id)
        .where(Deployment.ends_at > at)
        .group_by(GalleryVersion.deployment_id)
    )
    duty = DutyRepository(session)
    return Figures(
        waiting=waiting,
        oldest_waiting=oldest,
        unsent=unsent or 0,
        galleries={row[0]: row[1] for row in galleries},
        reported={row.camera_id: row.reported_at for row in CameraRepository(session).reports()},
        on_duty=len(duty.on_duty()),
        understaffed=duty.understaffed() is not None,
        understaffed_seconds=duty.understaffed_seconds(datetime.min.replace(tzinfo=UTC), at),
    )
