"""What controls say about judging: per operator and of all, never a bare percentage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import BadRequestError
from api.ledger.chain import Happening
from api.principals import OVERSEERS, check_role
from api.review.cases import Answer, Truth
from api.review.controls import ControlSource, Mark, is_doubtful, mark
from api.review.intervals import Share, share
from api.store.controls import ControlRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository

POOLED_OVER: Final = timedelta(days=90)
"""What an operator is told at the end of her shift is put beside so much of her own past."""

MAX_STRETCH: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """One answer to a control whose truth is not in doubt."""

    account_id: str
    truth: Truth
    mark: Mark
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers to controls, pooled.

    Attributes:
        answered: all of them.
        doubt: *cannot tell*, which contradicts nothing.
        false_matches: *same person* where it was another, of all answers to known non-matches but doubt.
        misses: *different* where it was the same, of all answers to known matches but doubt.
    """

    answered: int
    doubt: int
    false_matches: Share
    misses: Share


@dataclass(frozen=True, slots=True)
class ControlResults:
    """What controls of a stretch of time came to.

    Attributes:
        since: its beginning.
        until: its end.
        all: everybody's answers.
        operators: by account.
        doubtful: controls left out because both judges saw somebody there the search may have missed: candidate ids.
    """

    since: datetime
    until: datetime
    all: Tally
    operators: dict[str, Tally]
    doubtful: tuple[str, ...]


class ControlReport:
    """Counts answers to controls that have ended; of one that still waits for its second judge nothing is told."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def results(self, principal: Principal, since: datetime | None, until: datetime | None) -> ControlResults:
        """Everybody's answers in a stretch of time, the last 90 days by default.

        Raises:
            ForbiddenError: neither supervisor nor auditor.
            BadRequestError: a stretch that is none.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        now = self._clock()
        begin, end = stretch(since, until, now)
        with self._database.write() as session:
            answers, doubtful = _answers(session, begin, end)
            LedgerRepository(session).append(
                Happening("control_results_read", now, principal.account_id, None, {"answers": len(answers)})
            )
        operators = {
            account_id: tally(one for one in answers if one.account_id == account_id)
            for account_id in sorted({one.account_id for one in answers})
        }
        return ControlResults(begin, end, tally(answers), operators, tuple(doubtful))

    def of_operator(
        self, session: Session, account_id: str, since: datetime, until: datetime
    ) -> tuple[Tally, Tally]:
        """An operator's own answers in a shift, and in the time before it up to its end."""
        answers, _ = _answers(session, until - POOLED_OVER, until)
        own = [one for one in answers if one.account_id == account_id]
        return tally(one for one in own if one.answered_at >= since), tally(own)


def tally(answers: Iterable[ControlAnswer]) -> Tally:
    """Answers, pooled."""
    given = list(answers)
    known = {truth: [one.mark for one in given if one.truth is truth] for truth in Truth}
    doubt = sum(one.mark is Mark.DOUBT for one in given)
    return Tally(len(given), doubt, _wrong(known[Truth.DIFFERENT]), _wrong(known[Truth.SAME]))


def stretch(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of time that is asked for; the last 90 days by default.

    Raises:
        BadRequestError: without a time zone, ending before it begins, or too long.
    """
    end = until or now
    if end.tzinfo is None or (since is not None and since.tzinfo is None):
        raise BadRequestError("bad_stretch", "`from` and `to` need a time zone, e.g. 2026-03-01T12:00:00Z")
    try:
        begin = since or end - POOLED_OVER
        fits = begin < end and end - begin <= MAX_STRETCH
    except OverflowError:
        fits = False
    if not fits:
        raise BadRequestError("bad_stretch", "`from` must lie before `to`, and at most 366 days before")
    return begin, end


def _wrong(marks: list[Mark]) -> Share:
    decided = [one for one in marks if one is not Mark.DOUBT]
    return share(sum(one is Mark.WRONG for one in decided), len(decided))


def _answers(session: Session, since: datetime, until: datetime) -> tuple[list[ControlAnswer], list[str]]:
    answers: list[ControlAnswer] = []
    doubtful: list[str] = []
    rows = ControlRepository(session).answers(since, until)
    for candidate_id, group in groupby(rows, key=lambda row: row[0].candidate_id):
        items = list(group)
        source = ControlSource(items[0][1].source)
        truth = Truth(items[0][1].truth)
        marks = [mark(truth, Answer(given.answer)) for _, _, given in items]
        if is_doubtful(source, marks):
            doubtful.append(candidate_id)
            continue
        answers += [
            ControlAnswer(given.account_id, truth, one, given.answered_at)
            for (_, _, given), one in zip(items, marks, strict=True)
        ]
    return answers, doubtful
