"""Reports, gaps and days of cameras as records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from api.store.models import CameraDay, CameraGap, CameraReport, Deployment, DeploymentCamera, Watchlist
from pipelines.accounting import FrameAccounting
from pipelines.live.gap_records import GapRecord


class CameraRepository:
    """Finds and keeps what workers say of their cameras."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def deployed(self) -> set[str]:
        """Every camera that some deployment ever named."""
        return set(self._session.scalars(select(DeploymentCamera.camera_id).distinct()))

    def reports(self) -> Sequence[CameraReport]:
        """What was last heard of each camera, by its id."""
        return self._session.scalars(select(CameraReport).order_by(CameraReport.camera_id)).all()

    def report(self, camera_id: str) -> CameraReport | None:
        """What was last heard of a camera."""
        return self._session.get(CameraReport, camera_id)

    def add(self, row: CameraReport | CameraDay) -> None:
        """Keeps a new row."""
        self._session.add(row)
        self._session.flush()

    def keep_gaps(
        self, camera_id: str, worker_id: str, log_id: str, gaps: Iterable[GapRecord]
    ) -> tuple[int, int]:
        """Keeps gaps by their numbers; one that is known is brought to its end, and not changed any more after it.

        An end that was only taken down at a restart may be followed by another: the gap went on.

        Returns:
            How many were new, and how many known ones ended.
        """
        new = ended = 0
        told = {gap.number: gap for gap in gaps}
        rows = self._session.scalars(
            select(CameraGap).where(
                CameraGap.camera_id == camera_id,
                CameraGap.worker_id == worker_id,
                CameraGap.log_id == log_id,
                CameraGap.number.in_(told),
            )
        )
        kept = {row.number: row for row in rows}
        for gap in told.values():
            known = kept.get(gap.number)
            if known is None:
                self._session.add(
                    CameraGap(
                        camera_id=camera_id,
                        worker_id=worker_id,
                        log_id=log_id,
                        number=gap.number,
                        began_at=gap.began_at,
                        ended_at=gap.ended_at,
                        reason=gap.reason,
                        ended_by_restart=gap.ended_by_restart,
                    )
                )
                new += 1
            elif known.ended_at is None or known.ended_by_restart:
                ended += known.ended_at is None and gap.ended_at is not None
                known.ended_at, known.ended_by_restart = gap.ended_at, gap.ended_by_restart
        self._session.flush()
        return new, ended

    def end_gaps_of_others(self, camera_id: str, worker_id: str, log_id: str, now: datetime) -> None:
        """Ends what another log left open: a gap that its own worker cannot end any more."""
        self._session.execute(
            update(CameraGap)
            .where(
                CameraGap.camera_id == camera_id,
                CameraGap.ended_at.is_(None),
                or_(CameraGap.worker_id != worker_id, CameraGap.log_id != log_id),
            )
            .values(ended_at=now, ended_by_restart=True)
        )

    def gaps(self, camera_id: str, since: datetime, until: datetime, limit: int) -> Sequence[CameraGap]:
        """The gaps of a camera that touch a stretch of time, oldest first."""
        query = (
            select(CameraGap)
            .where(
                CameraGap.camera_id == camera_id,
                CameraGap.began_at < until,
                or_(CameraGap.ended_at.is_(None), CameraGap.ended_at > since),
            )
            .order_by(CameraGap.began_at, CameraGap.worker_id, CameraGap.number)
            .limit(limit)
        )
        return self._session.scalars(query).all()

    def missing(self, camera_id: str, since: datetime, until: datetime) -> int:
        """Gaps of that stretch the worker numbered and nobody ever got: it told too many at once, or was not heard."""
        rows = self._session.scalars(
            select(CameraGap)
            .where(CameraGap.camera_id == camera_id)
            .order_by(CameraGap.worker_id, CameraGap.log_id, CameraGap.number)
        ).all()
        lacking = 0
        for before, after in pairwise(rows):
            # What is missing lies between the end of the one before and the beginning of the one after it.
            touches = (before.ended_at or before.began_at) < until and after.began_at > since
            if touches and (before.worker_id, before.log_id) == (after.worker_id, after.log_id):
                lacking += after.number - before.number - 1
        return lacking

    def is_for_tests(self, deployment_id: str) -> bool:
        """Whether a deployment searches a list for tests."""
        query = select(Watchlist.is_test).join(Deployment, Deployment.watchlist_id == Watchlist.watchlist_id)
        return bool(self._session.scalar(query.where(Deployment.deployment_id == deployment_id)))

    def count(
        self,
        camera_id: str,
        worker_id: str,
        day: date,
        grown: FrameAccounting,
        faces: int | None,
        now: datetime,
    ) -> None:
        """Adds frames, and faces searched, to a day; a day with frames whose faces nobody counted has none to tell."""
        row = self._session.get(CameraDay, (camera_id, day, worker_id))
        if row is None:
            row = CameraDay(
                camera_id=camera_id, day=day, worker_id=worker_id, read=0, decoded=0, undecodable=0,
                not_sampled=0, gated=0, inferred=0, dropped={}, faces_searched=0, updated_at=now,
            )  # fmt: skip
            self._session.add(row)
        row.read += grown.read
        row.decoded += grown.decoded
        row.undecodable += grown.undecodable
        row.not_sampled += grown.not_sampled
        row.gated += grown.gated
        row.inferred += grown.inferred
        row.faces_searched = (
            None if faces is None or row.faces_searched is None else row.faces_searched + faces
        )
        reasons = {*row.dropped, *grown.dropped}
        row.dropped = {one: row.dropped.get(one, 0) + grown.dropped.get(one, 0) for one in sorted(reasons)}
        row.updated_at = now
        self._session.flush()

    def days(self, camera_id: str, since: date, until: date) -> Sequence[CameraDay]:
        """The days of a camera, both ends among them, in order."""
        query = (
            select(CameraDay)
            .where(CameraDay.camera_id == camera_id, CameraDay.day >= since, CameraDay.day <= until)
            .order_by(CameraDay.day, CameraDay.worker_id)
        )
        return self._session.scalars(query).all()

    def forget_before(self, moment: datetime) -> int:
        """Removes gaps that ended, and days that were over, before a moment; returns how many."""
        gaps = self._session.scalars(
            delete(CameraGap)
            .where(CameraGap.ended_at.is_not(None), CameraGap.ended_at < moment)
            .returning(CameraGap.number)
        ).all()
        days = self._session.scalars(
            delete(CameraDay).where(CameraDay.day < moment.date()).returning(CameraDay.day)
        ).all()
        return len(gaps) + len(days)
