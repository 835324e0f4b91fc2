"""Shifts: who is on duty, what is handed over to the next, and what an operator is told at the end of hers.

What the next operators see is what waits, and nothing about answers. A note in words goes to supervisors alone: between two
judges of one candidate it would be a way to agree.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.control_results import ControlReport, Tally
from api.errors import ConflictError, NotFoundError
from api.ledger.chain import Happening
from api.principals import OPERATORS, OVERSEERS, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.sight import asking
from api.store.duty import DutyRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.models import Shift
from api.store.queue import QueueRepository

COUNTED: Final = 1000
"""Waiting reviews that are counted; more are that many."""


@dataclass(frozen=True, slots=True)
class DutyView:
    """Who is on duty, and for how long too few were.

    Attributes:
        on_duty: accounts of operators.
        understaffed_since: None while there are enough.
        understaffed_seconds_day: of the last 24 hours.
        understaffed_seconds_month: of the last 30 days.
    """

    on_duty: tuple[str, ...]
    understaffed_since: datetime | None
    understaffed_seconds_day: float
    understaffed_seconds_month: float


class ShiftService:
    """Begins and ends shifts."""

    def __init__(self, database: Database, report: ControlReport, clock: Clock) -> None:
        self._database = database
        self._report = report
        self._clock = clock

    def begin(self, principal: Principal, request: WriteRequest) -> dict[str, Any]:
        """Puts her on duty.

        Returns:
            `{shift_id, began_at, waiting}` as JSON values.

        Raises:
            ForbiddenError: she is no operator.
            ConflictError: she is on duty already.
        """
        check_role(principal, OPERATORS, "has no shifts")
        now = self._clock()
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            duty = DutyRepository(session)
            if duty.current(principal.account_id) is not None:
                raise ConflictError("on_duty", "you are on duty already: end that shift first")
            shift = Shift(
                shift_id=f"shf_{secrets.token_hex(12)}", account_id=principal.account_id, began_at=now
            )
            duty.add(shift)
            _note(session, "shift_began", now, principal, shift.shift_id)
            result = _standing(session, principal, shift, now)
            keep_result(session, request, 201, result, now)
            return result

    def current(self, principal: Principal) -> dict[str, Any]:
        """Her shift, and what waits for her.

        Raises:
            NotFoundError: she is not on duty.
        """
        check_role(principal, OPERATORS, "has no shifts")
        with self._database.read() as session:
            shift = DutyRepository(session).current(principal.account_id)
            if shift is None:
                raise NotFoundError("you are not on duty")
            return _standing(session, principal, shift, self._clock())

    def end(self, principal: Principal, handover_note: str | None, request: WriteRequest) -> dict[str, Any]:
        """Takes her off duty, and tells her how she answered the controls of this shift.

        Returns:
            `{shift_id, began_at, ended_at, controls: {shift, pooled}}` as JSON values.

        Raises:
            ConflictError: she is not on duty.
        """
        check_role(principal, OPERATORS, "has no shifts")
        now = self._clock()
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            shift = DutyRepository(session).current(principal.account_id, lock=True)
            if shift is None:
                raise ConflictError("not_on_duty", "you are not on duty")
            shift.ended_at, shift.handover_note = now, handover_note
            own, pooled = self._report.of_operator(session, principal.account_id, shift.began_at, now)
            _note(session, "shift_ended", now, principal, shift.shift_id, {"controls": own.answered})
            result = {
                **_document(shift),
                "controls": {"shift": tally_document(own), "pooled": tally_document(pooled)},
            }
            keep_result(session, request, 200, result, now)
            return result

    def shifts(self, principal: Principal, after: tuple[datetime, str] | None, limit: int) -> Sequence[Shift]:
        """Shifts, newest first, with their notes; for supervisors and auditors."""
        check_role(principal, OVERSEERS, "cannot see this")
        with self._database.write() as session:
            rows = DutyRepository(session).page(after, limit)
            _note(session, "shifts_read", self._clock(), principal, None, {"shifts": len(rows)})
            return rows

    def duty(self, principal: Principal) -> DutyView:
        """Who is on duty now; for supervisors and auditors."""
        check_role(principal, OVERSEERS, "cannot see this")
        now = self._clock()
        with self._database.read() as session:
            duty = DutyRepository(session)
            period = duty.understaffed()
            return DutyView(
                tuple(sorted(duty.on_duty())),
                None if period is None else period.began_at,
                duty.understaffed_seconds(now - timedelta(days=1), now),
                duty.understaffed_seconds(now - timedelta(days=30), now),
            )


def tally_document(tally: Tally) -> dict[str, Any]:
    """Answers to controls as JSON values."""
    return asdict(tally)


def _standing(session: Session, principal: Principal, shift: Shift, now: datetime) -> dict[str, Any]:
    """A shift and what waits for her: what her own list would show, counted."""
    rows = QueueRepository(session).open_for(asking(principal), now, None, COUNTED)
    cameras = Counter(row.camera_id for row in rows)
    waiting = {
        "reviews": len(rows),
        "oldest_queued_at": rows[0].queued_at.replace(microsecond=0).isoformat() if rows else None,
        "cameras": [{"camera_id": camera, "reviews": cameras[camera]} for camera in sorted(cameras)],
    }
    return {"shift_id": shift.shift_id, "began_at": shift.began_at.isoformat(), "waiting": waiting}


def _document(shift: Shift) -> dict[str, Any]:
    ended_at = None if shift.ended_at is None else shift.ended_at.isoformat()
    return {"shift_id": shift.shift_id, "began_at": shift.began_at.isoformat(), "ended_at": ended_at}


def _note(
    session: Session,
    kind: str,
    now: datetime,
    principal: Principal,
    shift_id: str | None,
    detail: dict[str, int] | None = None,
) -> None:
    about = None if shift_id is None else f"shift:{shift_id}"
    LedgerRepository(session).append(Happening(kind, now, principal.account_id, about, dict(detail or {})))
