"""The one way out: outbox rows become entries of `aiqyn:confirmed`, at least once."""

from __future__ import annotations

from typing import Protocol

from api.clock import Clock
from api.store.engine import Database
from api.store.ledger import OutboxRepository
from pipelines.events import RETRACTED_SCHEMA


class ConfirmedSink(Protocol):
    """Whatever takes receipts and retractions; on return what it was given is durable there."""

    def publish(self, receipt: str) -> None:
        """Publishes one receipt, a compact JWS.

        Raises:
            BusError: the bus is away or refuses; the receipt stays in the outbox.
        """

    def publish_retraction(self, retraction: str) -> None:
        """Publishes one retraction, a compact JWS.

        Raises:
            BusError: the bus is away or refuses; the retraction stays in the outbox.
        """


class OutboxPublisher:
    """Publishes what the outbox holds, oldest first.

    A crash between publishing and noting it publishes events again: consumers recognise their `jti`.
    """

    def __init__(self, database: Database, sink: ConfirmedSink, clock: Clock) -> None:
        self._database = database
        self._sink = sink
        self._clock = clock

    def run_once(self) -> int:
        """Publishes every unsent event; returns how many.

        Raises:
            BusError: the bus is away; what was not sent stays for the next time.
        """
        with self._database.look() as session:
            waiting = OutboxRepository(session).unsent()
        sent: list[str] = []
        try:
            for row in waiting:
                if row.schema_name == RETRACTED_SCHEMA:
                    self._sink.publish_retraction(row.event["retraction"])
                else:
                    self._sink.publish(row.event["receipt"])
                sent.append(row.outbox_id)
        finally:
            if sent:
                with self._database.write() as session:
                    OutboxRepository(session).mark_sent(sent, self._clock())
        return len(waiting)
