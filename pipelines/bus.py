"""Events through Redis Streams: candidates out through the spool, candidates in with their signatures checked.

Delivery is at least once. A consumer keeps the newest revision of a `candidate_id` and drops what it has.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pipelines import streams
from pipelines.canonical import canonical_json
from pipelines.errors import BusError, SealingError
from pipelines.events import (
    CANDIDATE_SCHEMA,
    CONFIRMED_SCHEMA,
    Candidate,
    unsigned_document,
    utc_now,
)
from pipelines.signing import SigningKey, VerifyingKeys, sign_event, verify_event
from pipelines.spool import Spool

MAX_EVENT_BYTES = 128 * 1024
"""No candidate comes near; what is larger is not parsed."""

MAX_BLOCK_SECONDS = 10.0
STALE_AFTER_SECONDS = 30.0
"""A consumer that has not acknowledged for so long is taken to be gone."""

_DEAD_EVENT_CHARACTERS = 4096


class CandidatePublisher:
    """Signs candidates, keeps them on disk, sends them in order; for one worker, from any of its threads."""

    def __init__(self, redis: Redis, spool: Spool, worker_id: str, key: SigningKey) -> None:
        self._redis = redis
        self._spool = spool
        self._worker_id = worker_id
        self._key = key
        self._sending = threading.Lock()

    @property
    def waiting_count(self) -> int:
        """Events on disk that Redis has not acknowledged."""
        return len(self._spool)

    @property
    def lost_count(self) -> int:
        """Events the spool had no room for."""
        return self._spool.refused_count

    def publish(self, candidate: Candidate) -> Candidate:
        """Signs the candidate and puts it on disk; `flush` sends it.

        Returns:
            The candidate with its signature, as it will be sent.

        Raises:
            SealingError: it speaks for another worker.
            SpoolError: there is no room for it on disk.
        """
        if candidate.worker_id != self._worker_id:
            raise SealingError(f"worker {self._worker_id} does not sign for worker {candidate.worker_id}")
        signature = sign_event(unsigned_document(candidate), self._key)
        signed = candidate.model_copy(update={"signature": signature})
        self._spool.append(CANDIDATE_SCHEMA, canonical_json(signed.model_dump(mode="json")).decode())
        return signed

    def flush(self) -> int:
        """Sends what is on disk, oldest first; what was left by an earlier process comes first.

        Returns:
            How many events Redis has acknowledged.

        Raises:
            BusError: Redis is away or refused; what is left stays on disk and is sent by the next call.
        """
        sent = 0
        with self._sending:
            while (entry := self._spool.first()) is not None:
                fields = {streams.SCHEMA_FIELD: entry.schema, streams.EVENT_FIELD: entry.event}
                with bus_errors(f"{self.waiting_count} candidates wait on disk"):
                    self._redis.xadd(streams.CANDIDATES, fields)  # type: ignore[arg-type]
                self._spool.remove(entry)
                sent += 1
        return sent


@dataclass(frozen=True, slots=True)
class ReceivedCandidate:
    """A candidate whose signature holds.

    Attributes:
        entry_id: of the stream; to be acknowledged after the commit.
        candidate: the event.
        event_json: exactly as it came.
    """

    entry_id: str
    candidate: Candidate
    event_json: str


class CandidateConsumer:
    """Reads candidates in the group `api`: verified, in order, each until it is acknowledged."""

    def __init__(
        self,
        redis: Redis,
        worker_keys: Callable[[], VerifyingKeys],
        consumer: str,
        *,
        stale_after_seconds: float = STALE_AFTER_SECONDS,
    ) -> None:
        """
        Args:
            redis: a client of user `api`.
            worker_keys: gives the registered public keys; asked at every read, so that a new worker counts.
            consumer: name within the group, the same after a restart.
            stale_after_seconds: after which another consumer's unacknowledged entries are taken over.
        """
        self._redis = redis
        self._worker_keys = worker_keys
        self._consumer = consumer
        self._stale_after_ms = int(stale_after_seconds * 1000)
        self._dead_count = 0
        self._own_backlog_from: str | None = "0"

    @property
    def dead_count(self) -> int:
        """Entries put aside since this consumer began."""
        return self._dead_count

    def read(self, *, count: int = 32, block_seconds: float = 1.0) -> list[ReceivedCandidate]:
        """The next candidates: this consumer's own unacknowledged ones, then stale ones, then new ones.

        What is no candidate, or not signed by the worker it names, goes to the dead stream with its reason and
        is not returned.

        Args:
            count: at most so many.
            block_seconds: how long to wait where there is none; at most 10.

        Raises:
            BusError: Redis is away or refused.
        """
        with bus_errors("candidates cannot be read"):
            entries = self._backlog(count) or self._stale(count)
            if not entries:
                block_ms = int(min(block_seconds, MAX_BLOCK_SECONDS) * 1000)
                entries = self._read_group(">", count, block_ms or None)
        received = (self._checked(entry_id, fields) for entry_id, fields in entries)
        return [one for one in received if one is not None]

    def ack(self, entry_ids: Sequence[str]) -> None:
        """Tells Redis that these are kept; only after the commit that keeps them.

        Raises:
            BusError: Redis is away or refused; the entries come again.
        """
        if entry_ids:
            with bus_errors("candidates cannot be acknowledged"):
                self._redis.xack(streams.CANDIDATES, streams.API_GROUP, *entry_ids)

    def reject(self, entry_id: str, event_json: str, reason: str) -> None:
        """Puts an entry aside that can never be kept: to the dead stream with its reason, then acknowledged.

        Raises:
            BusError: Redis is away or refused; the entry comes again.
        """
        fields = {
            streams.SCHEMA_FIELD: CANDIDATE_SCHEMA,
            streams.EVENT_FIELD: event_json[:_DEAD_EVENT_CHARACTERS],
            streams.REASON_FIELD: reason,
        }
        with bus_errors("an entry cannot be put aside"):
            # In this order: twice in the dead stream is harmless, in neither is a loss.
            self._redis.xadd(streams.DEAD, fields)  # type: ignore[arg-type]
            self._redis.xack(streams.CANDIDATES, streams.API_GROUP, entry_id)
        self._dead_count += 1

    def _backlog(self, count: int) -> list[tuple[str, Mapping[bytes, bytes]]]:
        """Entries given to this consumer before it was restarted, until it has been through them once."""
        if self._own_backlog_from is None:
            return []
        entries = self._read_group(self._own_backlog_from, count, None)
        self._own_backlog_from = entries[-1][0] if entries else None
        return entries

    def _stale(self, count: int) -> list[tuple[str, Mapping[bytes, bytes]]]:
        reply: Any = self._redis.xautoclaim(
            streams.CANDIDATES, streams.API_GROUP, self._consumer, self._stale_after_ms, "0-0", count=count
        )
        return _entries(reply[1])

    def _read_group(
        self, start: str, count: int, block_ms: int | None
    ) -> list[tuple[str, Mapping[bytes, bytes]]]:
        reply: Any = self._redis.xreadgroup(
            streams.API_GROUP, self._consumer, {streams.CANDIDATES: start}, count=count, block=block_ms
        )
        return _entries(reply[0][1]) if reply else []

    def _checked(self, entry_id: str, fields: Mapping[bytes, bytes]) -> ReceivedCandidate | None:
        raw = fields.get(streams.EVENT_FIELD.encode(), b"")
        text = raw.decode("utf-8", "replace")
        try:
            candidate = checked_candidate(fields, self._worker_keys())
        except SealingError as error:
            self.reject(entry_id, text, str(error))
            return None
        return ReceivedCandidate(entry_id, candidate, text)


def checked_candidate(fields: Mapping[bytes, bytes], keys: VerifyingKeys) -> Candidate:
    """The candidate in a stream entry, if the worker it names has signed it.

    Raises:
        SealingError: no candidate, or not signed with a registered key of the worker it names.
    """
    if not fields:
        raise SealingError("the entry was trimmed away before it was read")
    if fields.get(streams.SCHEMA_FIELD.encode()) != CANDIDATE_SCHEMA.encode():
        raise SealingError(f"the entry is not of schema {CANDIDATE_SCHEMA}")
    raw = fields.get(streams.EVENT_FIELD.encode(), b"")
    if len(raw) > MAX_EVENT_BYTES:
        raise SealingError(f"the event is larger than {MAX_EVENT_BYTES} bytes")
    try:
        candidate = Candidate.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "event"
        raise SealingError(f"the event is no candidate: {place}: {first['type']}") from error
    key = verify_event(unsigned_document(candidate), candidate.signature, keys, at=utc_now())
    if key.owner != candidate.worker_id:
        raise SealingError("the event is signed by another worker than the one it names")
    return candidate


class ConfirmedPublisher:
    """Sends receipts to those who act on them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def publish(self, receipt: str) -> str:
        """Adds a receipt to the confirmed stream; it is on disk when this returns.

        Args:
            receipt: a compact JWS.

        Returns:
            The entry's id.

        Raises:
            BusError: Redis is away or refused; send it again, consumers know a receipt by its `jti`.
        """
        event = json.dumps({"schema": CONFIRMED_SCHEMA, "receipt": receipt}, separators=(",", ":"))
        with bus_errors("a receipt cannot be published"):
            entry_id: Any = self._redis.xadd(
                streams.CONFIRMED, {streams.SCHEMA_FIELD: CONFIRMED_SCHEMA, streams.EVENT_FIELD: event}
            )
        return str(entry_id.decode())


def _entries(reply: Any) -> list[tuple[str, Mapping[bytes, bytes]]]:
    """Entries with their fields; one that was trimmed away while it was pending has none left."""
    return [(entry_id.decode(), fields or {}) for entry_id, fields in reply if entry_id is not None]


@contextmanager
def bus_errors(what: str) -> Iterator[None]:
    """Turns what redis-py raises into BusError: `what` could not be done, and why."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError) as error:
        raise BusError(f"{what}: Redis cannot be reached ({type(error).__name__})") from error
    except RedisError as error:
        raise BusError(f"{what}: Redis refused: {error}") from error
