"""Figures on use and error, as they may be published: small cells hidden, shares with their intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.control_results import stretch
from api.ledger.chain import Happening
from api.principals import OVERSEERS, SUPERVISORS, check_role
from api.review.cases import Answer, State
from api.review.intervals import Rate, Share, rate, share
from api.review.publication import (
    LEAST_CELL,
    TOTAL,
    Cell,
    Partition,
    Table,
    agreement_beyond_chance,
    hidden_cells,
    table,
)
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.statistics import By, Counted, Pairs, StatisticsRepository

STATES: Final[Mapping[State, str]] = {
    State.CONFIRMED: "confirmed",
    State.REJECTED: "rejected",
    State.INCONCLUSIVE: "inconclusive",
    State.EXPIRED: "not_judged",
    State.WITHDRAWN: "withdrawn",
}
"""Every other state is `pending`: how a candidate stands between two answers is nobody's figure."""

OUTCOMES: Final = ("true_alert", "false_alert", "no_contact", "unknown")
ANSWERED: Final = ("upheld", "not_upheld", "nothing_found", "waiting")

CANDIDATES: Final[Partition] = ("candidates", (*STATES.values(), "pending"))
CONFIRMED: Final[Partition] = ("confirmed", (*OUTCOMES, "not_reported"))
COMPLAINTS: Final[Partition] = ("complaints", tuple(f"complaints_{one}" for one in ANSWERED))
PAIRS: Final[Partition] = ("pairs", ("pairs_agreed", "pairs_differed"))
ANSWERS: Final[Partition] = ("answers", tuple(Answer))


@dataclass(frozen=True, slots=True)
class Group:
    """One row of the figures.

    Attributes:
        key: camera, list, model or account; empty for all together.
        counts: None where a count is hidden.
        rejected_of_judged: alerts the judges rejected, of all they decided.
        false_of_known: alerts that proved false at the contact, of those that proved true or false.
        agreed_of_pairs: pairs of answers that agree.
        kappa: agreement beyond chance; None where it is hidden or has no meaning.
        decision_median_seconds: from the alert's coming to the last answer.
        decision_p90_seconds: of nine in ten no longer than that.
        frames_looked_at: frames the models saw; None where cameras are not what figures are grouped by.
        faces_searched: faces of which a look was held against a list; None as above, and where some were not counted.
        false_alerts_per_1000_faces: alerts the judges rejected, by faces searched; None where either is not told.
    """

    key: str
    counts: Mapping[str, int | None]
    rejected_of_judged: Share | None
    false_of_known: Share | None
    agreed_of_pairs: Share | None
    kappa: float | None
    decision_median_seconds: float | None
    decision_p90_seconds: float | None
    frames_looked_at: int | None
    faces_searched: int | None
    false_alerts_per_1000_faces: Rate | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of a stretch of time.

    Attributes:
        since: its beginning.
        until: its end.
        by: what they are grouped by.
        publishable: whether they may be published: one calendar month (UTC) that is over, and not by operator.
        least_cell: smaller counts are hidden.
        total: all groups together.
        groups: in the order of their keys.
    """

    since: datetime
    until: datetime
    by: By
    publishable: bool
    least_cell: int
    total: Group
    groups: tuple[Group, ...]


class StatisticsService:
    """Counts; for supervisors and auditors, by operator for supervisors alone."""

    def __init__(self, database: Database, clock: Clock, least_cell: int = LEAST_CELL) -> None:
        self._database = database
        self._clock = clock
        self._least = least_cell

    def figures(
        self, principal: Principal, since: datetime | None, until: datetime | None, by: By
    ) -> Statistics:
        """Figures of a stretch of time, the last 90 days by default; that they were read is an entry.

        Raises:
            ForbiddenError: neither supervisor nor auditor; by operator: not a supervisor.
            BadRequestError: a stretch that is none.
        """
        check_role(principal, SUPERVISORS if by is By.OPERATOR else OVERSEERS, "cannot see this")
        return self.read(principal.account_id, since, until, by)

    def read(
        self, actor: str, since: datetime | None, until: datetime | None, by: By = By.NOTHING
    ) -> Statistics:
        """Figures of a stretch of time, to an actor who may see them.

        Raises:
            BadRequestError: a stretch that is none.
        """
        now = self._clock()
        begin, end = stretch(since, until, now)
        with self._database.read() as session:
            found = _figures(session, begin, end, by, self._least, now)
        with self._database.write() as session:
            detail = {"by": by.value, "from": begin.isoformat(), "to": end.isoformat()}
            LedgerRepository(session).append(Happening("statistics_read", now, actor, None, detail))
        return found


def is_month(since: datetime, until: datetime) -> bool:
    """Whether a stretch is one calendar month (UTC), whole.

    Figures of overlapping stretches could be subtracted from each other; months never overlap.
    """
    midnight = timedelta(0)
    begins = [
        one.day == 1 and one.utcoffset() == midnight and one.time().isoformat() == "00:00:00"
        for one in (since, until)
    ]
    months = (until.year - since.year) * 12 + until.month - since.month
    return all(begins) and months == 1


def _figures(
    session: Session, since: datetime, until: datetime, by: By, least: int, now: datetime
) -> Statistics:
    records = StatisticsRepository(session, since, until, by)
    pairs = records.operator_pairs() if by is By.OPERATOR else records.pairs()
    counts = _by_operator(records, pairs) if by is By.OPERATOR else _by_group(records, pairs)
    hidden = frozenset[Cell]() if by is By.OPERATOR else hidden_cells(counts, least)
    seconds = _seconds(records, by)
    seen = _seen(records, by, least)

    def group(key: str) -> Group:
        of_key = seen.get(key, _Seen(0, None)) if by in (By.CAMERA, By.NOTHING) else _Seen(None, None)
        return _group(key, counts, hidden, _pairs_of(key, pairs), seconds.get(key, []), of_key)

    groups = () if by is By.NOTHING else tuple(group(key) for key in counts.rows if key != TOTAL)
    publishable = by is not By.OPERATOR and is_month(since, until) and until <= now
    return Statistics(since, until, by, publishable, least, group(TOTAL), groups)


def _by_group(records: StatisticsRepository, pairs: Pairs) -> Table:
    rows: Counted = defaultdict(lambda: defaultdict(int))
    for key, states in records.states().items():
        for state, count in states.items():
            rows[key][STATES.get(State(state), "pending")] += count
    for key, outcomes in records.outcomes().items():
        for outcome, count in outcomes.items():
            rows[key][outcome] += count
    for row in rows.values():
        row["not_reported"] = max(0, row["confirmed"] - sum(row[one] for one in OUTCOMES))
    for key, answers in records.complaints().items():
        for answer, count in answers.items():
            rows[key][f"complaints_{answer}"] += count
    for key, retracted in records.retractions().items():
        rows[key]["retracted"] += retracted["retracted"]
    _add_pairs(rows, pairs)
    partitions = (CONFIRMED, CANDIDATES, COMPLAINTS, PAIRS)
    columns = [*_columns(partitions), "retracted"]
    return table(columns, rows, partitions)


def _by_operator(records: StatisticsRepository, pairs: Pairs) -> Table:
    rows: Counted = defaultdict(lambda: defaultdict(int))
    for key, answers in records.answers().items():
        rows[key].update(answers)
    _add_pairs(rows, pairs)
    partitions = (ANSWERS, PAIRS)
    return table(_columns(partitions), rows, partitions)


def _columns(partitions: tuple[Partition, ...]) -> list[str]:
    names = [name for whole, parts in partitions for name in (whole, *parts)]
    return list(dict.fromkeys(names))


def _add_pairs(rows: Counted, pairs: Pairs) -> None:
    for key, answers in pairs.items():
        for (one, other), count in answers.items():
            rows[key]["pairs_agreed" if one == other else "pairs_differed"] += count


def _pairs_of(key: str, pairs: Pairs) -> Mapping[tuple[str, str], int]:
    if key != TOTAL:
        return pairs.get(key, {})
    together: dict[tuple[str, str], int] = defaultdict(int)
    for answers in pairs.values():
        for answer, count in answers.items():
            together[answer] += count
    return together


def _seconds(records: StatisticsRepository, by: By) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    if by is By.OPERATOR:
        return found
    for key, value in records.decision_seconds():
        found[key].append(value)
        found[TOTAL].append(value)
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    frames: int | None
    faces: int | None


def _seen(records: StatisticsRepository, by: By, least: int) -> dict[str, _Seen]:
    """What cameras looked at, by group and in all; nothing where figures are not grouped by cameras."""
    if by not in (By.CAMERA, By.NOTHING):
        return {}
    frames, faces = records.frames_looked_at(), records.faces_searched(least)
    counted = [count for count in faces.values() if count is not None]
    together = _Seen(sum(frames.values()), sum(counted) if faces and len(counted) == len(faces) else None)
    return {key: _Seen(frames.get(key, 0), faces.get(key)) for key in frames.keys() | faces.keys()} | {
        TOTAL: together
    }


def _group(
    key: str,
    counts: Table,
    hidden: frozenset[Cell],
    pairs: Mapping[tuple[str, str], int],
    seconds: list[float],
    seen: _Seen,
) -> Group:
    row = counts.rows[key]
    shown = {name: None if (key, name) in hidden else count for name, count in row.items()}
    agreed = _share(shown, "pairs_agreed", ("pairs",))
    decided = _sum(shown, ("confirmed", "rejected", "inconclusive"))
    times = seconds if decided is not None and len(seconds) >= LEAST_CELL else []
    return Group(
        key=key,
        counts=shown,
        rejected_of_judged=_share(shown, "rejected", ("confirmed", "rejected", "inconclusive")),
        false_of_known=_share(shown, "false_alert", ("true_alert", "false_alert")),
        agreed_of_pairs=agreed,
        kappa=None if agreed is None or not agreed.of else agreement_beyond_chance(pairs),
        decision_median_seconds=float(np.quantile(times, 0.5)) if times else None,
        decision_p90_seconds=float(np.quantile(times, 0.9)) if times else None,
        frames_looked_at=seen.frames,
        faces_searched=seen.faces,
        false_alerts_per_1000_faces=_rate(shown.get("rejected"), seen.faces),
    )


def _rate(count: int | None, faces: int | None) -> Rate | None:
    return None if count is None or not faces else rate(count, faces)


def _sum(shown: Mapping[str, int | None], names: tuple[str, ...]) -> int | None:
    """A sum of counts; None where one of them is hidden, or is not counted here."""
    values = [shown.get(name) for name in names]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _share(shown: Mapping[str, int | None], part: str, whole: tuple[str, ...]) -> Share | None:
    """A share of counts that are all shown: from a share of hidden ones they could be computed."""
    count, of = shown.get(part), _sum(shown, whole)
    return None if count is None or of is None else share(count, of)
