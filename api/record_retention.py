"""How long records stay that are no evidence, and the job that ends them. `docs/operate.md` lists them all.

Judgements, receipts, the outbox, holds, evidence records and the ledger are never deleted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from api.clock import Clock
from api.ledger.chain import Happening
from api.store.ageing import AgeingRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from pipelines.config_records import RecordsConfig

BATCH: Final = 100
"""Rows of each kind a round: nobody waits long for the database because of them."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RecordAges:
    """After how long records go; None: never.

    Attributes:
        logins: that are over and that no other record names.
        write_results: kept under an Idempotency-Key.
        listings: to whom a review was listed.
        camera_days: what became of a camera's frames by day.
        camera_gaps: gaps that have ended.
    """

    logins: timedelta | None = None
    write_results: timedelta | None = None
    listings: timedelta | None = None
    camera_days: timedelta | None = None
    camera_gaps: timedelta | None = None


def ages_of(config: RecordsConfig) -> RecordAges:
    """The ages a configuration names."""
    return RecordAges(
        logins=_days(config.logins_days),
        write_results=_days(config.write_results_days),
        listings=_days(config.listings_days),
        camera_days=_days(config.camera_days_days),
        camera_gaps=_days(config.camera_gaps_days),
    )


class RecordSweeper:
    """Deletes records that are over their age; a round is short and the next one goes on."""

    def __init__(self, database: Database, ages: RecordAges, clock: Clock) -> None:
        self._database = database
        self._ages = ages
        self._clock = clock

    def run_once(self) -> int:
        """Deletes a batch of each kind and writes into the ledger how many.

        Returns:
            How many rows were deleted.
        """
        now = self._clock()
        with self._database.read() as session:
            if not self._due(AgeingRepository(session, 1, only_look=True), now):
                return 0
        with self._database.tidy() as session:
            deleted = self._due(AgeingRepository(session, BATCH), now)
            if deleted:
                LedgerRepository(session).append(
                    Happening("records_deleted", now, "retention", None, dict(deleted))
                )
        for kind, rows in deleted.items():
            _log.info("records_deleted", kind=kind, rows=rows)
        return sum(deleted.values())

    def _due(self, records: AgeingRepository, now: datetime) -> dict[str, int]:
        ages = self._ages
        counts = {
            "logins": 0 if ages.logins is None else records.logins(now - ages.logins),
            "write_results": 0
            if ages.write_results is None
            else records.write_results(now - ages.write_results),
            "listings": 0 if ages.listings is None else records.listings(now - ages.listings, now),
            "camera_days": 0 if ages.camera_days is None else records.camera_days(now - ages.camera_days),
            "camera_gaps": 0 if ages.camera_gaps is None else records.camera_gaps(now - ages.camera_gaps),
        }
        return {kind: rows for kind, rows in counts.items() if rows}


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
