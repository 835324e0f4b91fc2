"""Ledger, outbox, receipts and kept results as records."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from api.ledger.chain import Entry, Happening
from api.store.chain_end import say, say_now, take_turn
from api.store.models import (
    IdempotentResult,
    LedgerEntry,
    LedgerHead,
    OutboxEvent,
    Receipt,
    Retraction,
)
from api.store.models.base import table_of
from pipelines.events import CONFIRMED_SCHEMA, RETRACTED_SCHEMA

_NEWEST: Final = select(LedgerHead.sequence)
_ENTRIES: Final = table_of(LedgerEntry)
_KEPT: Final = select(IdempotentResult).where(
    IdempotentResult.account_id == bindparam("account_id"),
    IdempotentResult.idempotency_key == bindparam("key"),
)
_KEEP: Final = insert(table_of(IdempotentResult))
_LATER: Final = timedelta(microseconds=1)


class LedgerRepository:
    """Appends to the ledger and reads it; there is nothing else one can do with it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, happening: Happening) -> None:
        """The happening as the newest entry of all when the caller's transaction is committed; or never."""
        say(self._session, happening)

    def append_now(self, happening: Happening) -> Entry:
        """The same, and its place in the ledger; from here on nobody else appends until the transaction ends."""
        return say_now(self._session, happening)

    def take_turn(self) -> None:
        """Has every other writer to the ledger wait from here on; what is read next is the newest there is."""
        take_turn(self._session)

    def newest_sequence(self) -> int:
        """The number of the newest entry: whether anything happened, for the price of one row."""
        return self._session.scalars(_NEWEST).one()

    def happened(self, after_sequence: int, up_to_sequence: int, but_for: Collection[str]) -> bool:
        """Whether any entry of the span is of another kind than those of `but_for`."""
        query = select(_ENTRIES.c.sequence).where(
            _ENTRIES.c.sequence > after_sequence,
            _ENTRIES.c.sequence <= up_to_sequence,
            _ENTRIES.c.kind.not_in(but_for),
        )
        return self._session.execute(query.limit(1)).first() is not None

    def page(self, after_sequence: int, limit: int) -> list[Entry]:
        """Entries later than `after_sequence`, oldest first."""
        rows = self._session.scalars(
            select(LedgerEntry)
            .where(LedgerEntry.sequence > after_sequence)
            .order_by(LedgerEntry.sequence)
            .limit(limit)
        )
        return [
            Entry(row.sequence, row.document, row.kind, row.previous_sha256, row.entry_sha256) for row in rows
        ]


class OutboxRepository:
    """Events on their way out, and the receipts they carry."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self, *, candidate_id: str, schema_name: str, event: dict[str, Any], receipt: Receipt, now: datetime
    ) -> None:
        """Stores receipt and event together, in the caller's transaction."""
        self._session.add(receipt)
        self._session.add(
            OutboxEvent(
                outbox_id=secrets.token_hex(16),
                candidate_id=candidate_id,
                schema_name=schema_name,
                event=event,
                created_at=now,
                attempts=0,
            )
        )
        self._session.flush()

    def add_retraction(self, retraction: Retraction, event: dict[str, Any], now: datetime) -> None:
        """Stores a retraction and its event together, in the caller's transaction; it leaves after its receipt."""
        self._session.add(retraction)
        self._session.flush()
        confirmed = self._session.scalars(
            select(OutboxEvent.created_at).where(
                OutboxEvent.candidate_id == retraction.candidate_id,
                OutboxEvent.schema_name == CONFIRMED_SCHEMA,
            )
        ).one()
        self._session.add(
            OutboxEvent(
                outbox_id=secrets.token_hex(16),
                candidate_id=retraction.candidate_id,
                schema_name=RETRACTED_SCHEMA,
                event=event,
                created_at=max(now, confirmed + _LATER),  # whatever the clock did in between
                attempts=0,
            )
        )
        self._session.flush()

    def unsent(self, limit: int = 100) -> Sequence[OutboxEvent]:
        """Events not known to be published, oldest first."""
        return self._session.scalars(
            select(OutboxEvent)
            .where(OutboxEvent.sent_at.is_(None))
            .order_by(OutboxEvent.created_at, OutboxEvent.outbox_id)
            .limit(limit)
        ).all()

    def mark_sent(self, outbox_ids: Sequence[str], now: datetime) -> None:
        """Notes that the bus has them."""
        self._session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.outbox_id.in_(outbox_ids), OutboxEvent.sent_at.is_(None))
            .values(sent_at=now, attempts=OutboxEvent.attempts + 1)
        )

    def retraction(self, candidate_id: str) -> Retraction | None:
        """The retraction of a candidate's confirmed match."""
        return self._session.scalars(
            select(Retraction).where(Retraction.candidate_id == candidate_id)
        ).one_or_none()

    def receipt(self, receipt_or_candidate_id: str) -> Receipt | None:
        """A receipt by its own id or its candidate's."""
        wanted = receipt_or_candidate_id
        return self._session.scalars(
            select(Receipt).where((Receipt.receipt_id == wanted) | (Receipt.candidate_id == wanted))
        ).one_or_none()


class IdempotencyRepository:
    """Results kept under their clients' keys."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, account_id: str, key: str) -> IdempotentResult | None:
        """What was answered under this key, if anything was."""
        return self._session.scalars(_KEPT, {"account_id": account_id, "key": key}).one_or_none()

    def keep(self, result: dict[str, Any]) -> None:
        """Keeps a result, by its columns, in the transaction that produced it."""
        self._session.execute(_KEEP, result)
