"""What reviewers may ask about cameras: what each is doing, when it gave nothing to look at, what it counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import BadRequestError, NotFoundError
from api.review.scopes import Scope
from api.store.cameras import CameraRepository
from api.store.engine import Database
from api.store.given_cameras import GivenCameraRepository
from api.store.models import CameraDay, CameraGap, CameraReport
from pipelines.live.gap_records import EARLIEST_YEAR, LATEST_YEAR

SILENT_AFTER: Final = timedelta(seconds=30)
"""Workers speak once a second; one that has not for so long is not heard any more."""

NOT_HEARD: Final = "not_heard"
"""The reason of a gap nobody told: the worker itself is silent, and may have seen nothing since."""

NEVER_HEARD: Final = "never_heard"
MAX_STRETCH: Final = timedelta(days=92)
MAX_GAPS: Final = 5000


@dataclass(frozen=True, slots=True)
class CameraView:
    """One camera as it is now.

    Attributes:
        camera_id: the camera.
        report: what was last heard of it; None: nothing ever.
        silent: whether its worker is not heard any more.
    """

    camera_id: str
    report: CameraReport | None
    silent: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time without anything to look at; `worker_id` is empty where no worker told it."""

    worker_id: str
    began_at: datetime
    ended_at: datetime | None
    reason: str
    ended_by_restart: bool = False


@dataclass(frozen=True, slots=True)
class GapList:
    """The gaps of a stretch of time.

    Attributes:
        gaps: oldest first.
        missing: gaps a worker numbered and nobody got.
        complete: whether all there are is in `gaps`.
    """

    since: datetime
    until: datetime
    gaps: tuple[Gap, ...]
    missing: int
    complete: bool


class CameraService:
    """Answers what reviewers ask about cameras."""

    def __init__(self, database: Database, clock: Clock, *, configured: Iterable[str] = ()) -> None:
        """
        Args:
            database: where reports are kept.
            clock: gives the time.
            configured: cameras of this system's settings.
        """
        self._database = database
        self._clock = clock
        self._configured = frozenset(configured)

    def all(self, scope: Scope) -> tuple[CameraView, ...]:
        """Every camera within the rights that is configured, given, deployed or was ever heard of, by its id."""
        now = self._clock()
        with self._database.read() as session:
            cameras = CameraRepository(session)
            reports = {row.camera_id: row for row in cameras.reports()}
            given = {one.camera_id for one in GivenCameraRepository(session).current() if one.active}
            known = {*self._configured, *cameras.deployed(), *given, *reports}
        return tuple(
            CameraView(camera_id, reports.get(camera_id), _is_silent(reports.get(camera_id), now))
            for camera_id in sorted(known)
            if scope.allows_camera(camera_id)
        )

    def check_known(self, camera_id: str, scope: Scope) -> None:
        """Raises `NotFoundError` where there is no such camera within the rights of whoever asks."""
        if not scope.allows_camera(camera_id):
            raise NotFoundError("no such camera")
        with self._database.read() as session:
            self._known(session, camera_id)

    def gaps(self, camera_id: str, since: datetime | None, until: datetime | None) -> GapList:
        """When a camera gave nothing to look at.

        Args:
            camera_id: the camera.
            since: the stretch's beginning; a day before its end where None.
            until: its end; now where None.

        Raises:
            NotFoundError: no such camera.
            BadRequestError: a stretch that ends before it begins, or is longer than `MAX_STRETCH`.
        """
        now = self._clock()
        begin, end = _stretch(since, until, now)
        with self._database.read() as session:
            cameras = CameraRepository(session)
            report = self._known(session, camera_id)
            rows = cameras.gaps(camera_id, begin, end, MAX_GAPS + 1)
            missing = cameras.missing(camera_id, begin, end)
        found = [*map(_gap, rows[:MAX_GAPS]), *_unheard(report, begin, min(end, now), now)]
        found.sort(key=lambda gap: (gap.began_at, gap.worker_id))
        return GapList(begin, end, tuple(found), missing, len(rows) <= MAX_GAPS)

    def days(self, camera_id: str, since: date | None, until: date | None) -> tuple[CameraDay, ...]:
        """What became of a camera's frames, by day (UTC) and worker.

        Raises:
            NotFoundError: no such camera.
            BadRequestError: a stretch that ends before it begins, or is too long.
        """
        end = until or self._clock().date()
        _check_year(since or end, end)
        begin = since or end - timedelta(days=6)
        if begin > end or end - begin > timedelta(days=366):
            raise BadRequestError(
                "bad_stretch", "`from` must not lie after `to`, nor more than 366 days before"
            )
        with self._database.read() as session:
            cameras = CameraRepository(session)
            self._known(session, camera_id)
            return tuple(cameras.days(camera_id, begin, end))

    def _known(self, session: Session, camera_id: str) -> CameraReport | None:
        cameras = CameraRepository(session)
        report, given = cameras.report(camera_id), GivenCameraRepository(session).newest(camera_id)
        if report is None and camera_id not in self._configured | cameras.deployed() and not given:
            raise NotFoundError("no such camera")
        return report


def _check_year(*moments: date) -> None:
    if not all(EARLIEST_YEAR < one.year < LATEST_YEAR for one in moments):
        raise BadRequestError("bad_stretch", f"`from` and `to` lie between {EARLIEST_YEAR} and {LATEST_YEAR}")


def _stretch(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of time that is asked for."""
    end = until or now
    _check_year(since or end, end)
    begin = since or end - timedelta(days=1)
    if begin.tzinfo is None or end.tzinfo is None:
        raise BadRequestError("bad_stretch", "`from` and `to` need a time zone, e.g. 2026-03-01T12:00:00Z")
    if begin >= end or end - begin > MAX_STRETCH:
        raise BadRequestError(
            "bad_stretch", f"`from` must lie before `to`, and at most {MAX_STRETCH.days} days before"
        )
    return begin, end


def _is_silent(report: CameraReport | None, now: datetime) -> bool:
    return report is None or now - report.reported_at > SILENT_AFTER


def _unheard(report: CameraReport | None, begin: datetime, end: datetime, now: datetime) -> list[Gap]:
    """The time since a worker was last heard: nobody says that anything was seen in it."""
    if not _is_silent(report, now):
        return []
    if report is None:
        return [Gap("", begin, None, NEVER_HEARD)] if begin < end else []
    return [Gap("", report.reported_at, None, NOT_HEARD)] if report.reported_at < end else []


def _gap(row: CameraGap) -> Gap:
    return Gap(row.worker_id, row.began_at, row.ended_at, row.reason, row.ended_by_restart)
