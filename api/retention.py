"""How long sealed evidence stays, and the job that ends it. Workers can neither read nor delete what they wrote.

Evidence goes by kind and age, and by what became of its candidate. While an answer is awaited, or a hold is in
force, nothing of a candidate goes. What no record names goes after a time of grace: what a worker sealed for a
candidate that never came, or for a revision that came too late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from api.clock import Clock
from api.ledger.chain import Happening
from api.review.cases import State
from api.store.engine import Database
from api.store.evidence import EvidenceRepository
from api.store.ledger import LedgerRepository
from api.store.models import EvidenceRecord
from pipelines.config_evidence import RetentionConfig
from pipelines.errors import EvidenceError
from pipelines.evidence_blobs import SHELVES, Place

CONFIRMED: Final = frozenset({State.CONFIRMED})
ENDED: Final = frozenset({State.REJECTED, State.INCONCLUSIVE, State.EXPIRED, State.WITHDRAWN})
"""Ended without a confirmation. All other states await somebody: nothing of them goes."""

KINDS: Final = ("frame", "frame_redacted", "probe", "clip", "clip_redacted")
BATCH: Final = 50
"""Blobs a round at most: their hashes fit one entry of the ledger, and a round is short."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How long evidence stays.

    Attributes:
        by_kind: of candidates that ended; None or missing: for ever.
        unconfirmed: of candidates that ended without confirmation, where it is shorter.
        confirmed: of confirmed ones, whatever the kind; None: for ever.
        grace: of what no record names.
    """

    by_kind: Mapping[str, timedelta | None] = field(default_factory=dict)
    unconfirmed: timedelta | None = None
    confirmed: timedelta | None = None
    grace: timedelta = timedelta(days=7)

    def after(self, kind: str, state: State) -> timedelta | None:
        """How long after it came a piece of evidence of a candidate in that state goes; None: it stays."""
        if state in CONFIRMED:
            return self.confirmed
        if state not in ENDED:
            return None
        limits = [limit for limit in (self.by_kind.get(kind), self.unconfirmed) if limit is not None]
        return min(limits, default=None)


def policy_of(config: RetentionConfig) -> RetentionPolicy:
    """The policy a configuration describes."""
    return RetentionPolicy(
        by_kind={kind: _days(getattr(config, kind)) for kind in KINDS},
        unconfirmed=_days(config.unconfirmed_days),
        confirmed=_days(config.confirmed_days),
        grace=timedelta(hours=config.grace_hours),
    )


class Deletes(Protocol):
    """Where the blobs lie."""

    @property
    def place(self) -> Place:
        """The store itself."""


class RetentionSweeper:
    """Ends what is over; a round is short and goes on where the last one stopped."""

    def __init__(self, database: Database, evidence: Deletes, policy: RetentionPolicy, clock: Clock) -> None:
        self._database = database
        self._place = evidence.place
        self._policy = policy
        self._clock = clock
        self._next_shelf = 0

    def run_once(self) -> int:
        """Ends what is due by age, and looks through one shelf for what nobody names.

        Returns:
            How many blobs were deleted.

        Raises:
            EvidenceError: the store does not list or delete; what was ended is deleted later, as nobody names it.
        """
        now = self._clock()
        gone = self._end_due(now)
        return gone + self._end_unnamed(SHELVES[self._next_shelf], now)

    def _end_due(self, now: datetime) -> int:
        # What is old comes from far away on the disk: it is fetched before anybody has to wait for it, and read again.
        with self._database.read() as session:
            if not self._due(EvidenceRepository(session), now, locked=False):
                return 0
        with self._database.tidy() as session:
            records = EvidenceRepository(session)
            due = self._due(records, now, locked=True)
            if not due:
                return 0
            for record in due:
                record.deleted_at = now
            session.flush()
            refs = {record.ref for record in due}
            refs -= records.named(refs)  # another candidate of the same picture may still need it
            detail = {"records": len(due), "kinds": _counted(record.kind for record in due)}
            LedgerRepository(session).append(
                Happening("evidence_deleted", now, "retention", None, detail | {"sha256": _hashes(refs)})
            )
        # Decided and written down first: what cannot be deleted now is found as named by nobody.
        return self._delete(refs)

    def _due(self, records: EvidenceRepository, now: datetime, *, locked: bool) -> list[EvidenceRecord]:
        found: list[EvidenceRecord] = []
        for kind in KINDS:
            for states in (ENDED, CONFIRMED):
                limit = self._policy.after(kind, next(iter(states)))
                if limit is not None and len(found) < BATCH:
                    left = BATCH - len(found)
                    found += records.due(kind, states, now - limit, now, left, locked=locked)
        return found

    def _end_unnamed(self, shelf: str, now: datetime) -> int:
        latest = now - self._policy.grace
        old = [
            blob.ref
            for blob in self._place.blobs(shelf)
            if blob.written_at is not None and blob.written_at <= latest
        ]
        with self._database.read() as session:
            records = EvidenceRepository(session)
            batches = [old[start : start + BATCH] for start in range(0, len(old), BATCH)]
            unnamed = [ref for batch in batches for ref in sorted(set(batch) - records.named(batch))]
        if len(unnamed) <= BATCH:  # else the next round goes on here, so that none takes long
            self._next_shelf = (self._next_shelf + 1) % len(SHELVES)
        return self._end(unnamed[:BATCH], now)

    def _end(self, unnamed: Sequence[str], now: datetime) -> int:
        gone = self._delete(unnamed)
        if unnamed:
            with self._database.write() as session:
                detail = {"blobs": len(unnamed), "sha256": _hashes(unnamed)}
                LedgerRepository(session).append(
                    Happening("unnamed_evidence_deleted", now, "retention", None, detail)
                )
        return gone

    def _delete(self, refs: Iterable[str]) -> int:
        gone, failed = 0, 0
        problem: EvidenceError | None = None
        for ref in sorted(refs):
            try:
                gone += self._place.delete(ref)
            except EvidenceError as error:
                problem, failed = error, failed + 1
        if problem is not None:
            _log.error("evidence_not_deleted", blobs=failed, reason=str(problem))
            raise problem
        if gone:
            _log.info("evidence_deleted", blobs=gone)
        return gone


def _hashes(refs: Iterable[str]) -> list[str]:
    return sorted(ref.rpartition("/")[2].partition(".")[0] for ref in refs)


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
