"""Watches whether two people who may judge are on duty: says so, calls for more, and counts the time."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.clock import Clock
from api.ledger.chain import Happening
from api.pager import Page, Pager
from api.review.duty import LONGEST_SHIFT, is_understaffed
from api.store.duty import DutyRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.models import UnderstaffedPeriod

HANDOVER: Final = timedelta(seconds=60)
"""Too few for no longer than that is one who goes and another who comes."""

PAGE_AGAIN_AFTER: Final = timedelta(minutes=10)
NOTICE: Final = "fewer than two people on duty may judge what waits, so that nothing can be confirmed"


class DutyWatch:
    """Looks at who is on duty, and at what waits for them."""

    def __init__(self, database: Database, pager: Pager, clock: Clock) -> None:
        self._database = database
        self._pager = pager
        self._clock = clock
        self._short_since: datetime | None = None
        self._said = False

    @property
    def notice(self) -> str | None:
        """What `/ready` says while too few are on duty, as this process saw it last."""
        return NOTICE if self._said else None

    def run_once(self) -> int:
        """Begins or ends an understaffed stretch where things have changed; returns how many changes there were."""
        now = self._clock()
        with self._database.read() as session:
            duty = DutyRepository(session)
            on_duty = duty.on_duty()
            short = is_understaffed(on_duty, duty.waiting(now), deployed=duty.is_deployed(now))
            period = duty.understaffed()
            lapsed = bool(duty.begun_before(now - LONGEST_SHIFT))
        if short and period is None:
            self._short_since = self._short_since or now
            short = now - self._short_since >= HANDOVER
        elif not short:
            self._short_since = None
        self._said = short
        is_due = period is not None and now - period.paged_at >= PAGE_AGAIN_AFTER
        if not lapsed and short == (period is not None) and not (short and is_due):
            return 0
        return self._change(short, len(on_duty), now)

    def _change(self, short: bool, on_duty: int, now: datetime) -> int:
        page: Page | None = None
        with self._database.write() as session:
            changes = _end_forgotten(session, now)
            duty = DutyRepository(session)
            period = duty.understaffed(lock=True)
            if not short and period is not None:
                period.ended_at = now
                seconds = round((now - period.began_at).total_seconds())
                _note(session, "staffed", now, {"on_duty": on_duty, "understaffed_seconds": seconds})
                changes += 1
            elif short and (period is None or now - period.paged_at >= PAGE_AGAIN_AFTER):
                if period is None:
                    period = UnderstaffedPeriod(
                        period_id=f"und_{secrets.token_hex(12)}",
                        began_at=self._short_since or now,
                        paged_at=now,
                    )
                    duty.add(period)
                    _note(session, "understaffed", now, {"on_duty": on_duty})
                period.paged_at = now
                _note(session, "paged", now, {"on_duty": on_duty})
                page, changes = Page("understaffed", period.began_at, on_duty), changes + 1
        if page is not None:
            self._pager.page(page)
        return changes


def _end_forgotten(session: Session, now: datetime) -> int:
    """Ends shifts nobody can still be in."""
    forgotten = DutyRepository(session).begun_before(now - LONGEST_SHIFT)
    for shift in forgotten:
        shift.ended_at = shift.began_at + LONGEST_SHIFT
        _note(session, "shift_lapsed", now, {"shift_id": shift.shift_id, "account_id": shift.account_id})
    session.flush()
    return len(forgotten)


def _note(session: Session, kind: str, now: datetime, detail: dict[str, str | int]) -> None:
    LedgerRepository(session).append(Happening(kind, now, "duty", None, dict(detail)))
