"""Chases what is owed after a confirmed match: outcomes nobody has told, complaints nobody has answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from api.clock import Clock
from api.review.policies import ReviewPolicy
from api.store.after import Owed, owed
from api.store.engine import Database

NOTHING: Final = Owed(0, None, 0, 0, None)


class AfterWatch:
    """Looks at it now and then, so that whoever asks for `/ready` or the metrics does not wait for it."""

    def __init__(self, database: Database, policy: ReviewPolicy, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self.owed = NOTHING

    def run_once(self) -> int:
        """Looks; there is never anything to do at once."""
        now = self._clock()
        with self._database.read() as session:
            self.owed = owed(session, now, now - self._policy.outcome_within)
        return 0

    def notices(self) -> list[str]:
        """What is owed, in words that grow with it; open to anyone, so nothing is named."""
        now, found = self._clock(), self.owed
        notices = []
        if found.oldest_outcome is not None:
            late = now - found.oldest_outcome - self._policy.outcome_within
            notices.append(
                f"{found.outcomes} confirmed matches have no outcome, the oldest for {_days(late)} longer than it "
                "should: a supervisor reports it"
            )
        if found.oldest_due is not None:
            notices.append(
                f"{found.overdue} complaints are overdue, the oldest since {_days(now - found.oldest_due)}: a "
                "supervisor answers"
            )
        return notices


def overdue_seconds(oldest: datetime | None, now: datetime, allowed: timedelta = timedelta(0)) -> float:
    """How long the oldest has been owed; 0 where nothing is."""
    return 0.0 if oldest is None else max(0.0, (now - oldest - allowed).total_seconds())


def _days(time: timedelta) -> str:
    hours = max(0, int(time.total_seconds() // 3600))
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
