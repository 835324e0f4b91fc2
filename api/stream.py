"""The service's end of the bus: candidates come in, confirmed matches go out."""

from __future__ import annotations

import socket
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError

from api.intake import Intake, IntakeRefusedError
from api.keys.store import KeyStore
from pipelines.bus import CandidateConsumer, ConfirmedPublisher
from pipelines.streams import connect, ensure_streams

READ_BLOCK_SECONDS: Final = 1.0
"""Short, so that the thread notices soon when it should end."""

_log = structlog.get_logger(__name__)


def connect_bus(url: str, username: str | None, password: str | None) -> Redis:
    """A client of the user `api`; streams and groups exist on return where Redis answers.

    Raises:
        BusError: not an address of Redis, or Redis is away or refuses.
    """
    redis = connect(url, username=username, password=password)
    ensure_streams(redis)
    return redis


class Bus:
    """One connection for reading candidates and writing confirmed matches."""

    def __init__(self, redis: Redis, intake: Intake, keys: KeyStore, *, consumer: str | None = None) -> None:
        self._redis = redis
        self._intake = intake
        self._consumer = CandidateConsumer(
            redis, keys.worker_verifying_keys, consumer or f"api-{socket.gethostname()}"
        )
        self._publisher = ConfirmedPublisher(redis)

    def take_in(self) -> int:
        """Reads the next candidates, keeps each, and acknowledges it after its commit.

        Returns:
            How many entries were dealt with, those put aside as dead among them.

        Raises:
            BusError: Redis is away; what was not acknowledged comes again.
        """
        received = self._consumer.read(block_seconds=READ_BLOCK_SECONDS)
        for one in received:
            try:
                taken = self._intake.accept(one.candidate)
            except IntakeRefusedError as refusal:
                _log.warning("candidate_refused", entry_id=one.entry_id, code=refusal.code)
                self._consumer.reject(one.entry_id, one.event_json, f"{refusal.code}: {refusal.reason}")
                continue
            self._consumer.ack([one.entry_id])
            _log.info("candidate_taken", entry_id=one.entry_id, outcome=taken.value)
        return len(received)

    def publish(self, receipt: str) -> None:
        """Adds a receipt to `aiqyn:confirmed`; on disk when this returns.

        Raises:
            BusError: Redis is away or refuses; send it again.
        """
        self._publisher.publish(receipt)

    def answers(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False

    def close(self) -> None:
        """Lets go of the connection."""
        self._redis.close()
