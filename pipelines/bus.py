"""Events through Redis Streams: candidates out through the spool, candidates in with their signatures checked.

Delivery is at least once. A consumer keeps the newest revision of a `candidate_id` and drops what it has.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from pipelines import streams
from pipelines.candidate_check import MAX_EVENT_BYTES, TRIMMED, ReceivedCandidate, checked_candidate
from pipelines.canonical import canonical_json
from pipelines.dead_letters import DeadLetters
from pipelines.errors import SealingError
from pipelines.events import (
    CANDIDATE_SCHEMA,
    CONFIRMED_SCHEMA,
    RETRACTED_SCHEMA,
    Candidate,
    unsigned_document,
)
from pipelines.signing import SigningKey, VerifyingKeys, sign_event
from pipelines.spool import Spool, SpoolEntry
from pipelines.streams import bus_errors

__all__ = [
    "MAX_EVENT_BYTES",
    "CandidateConsumer",
    "CandidatePublisher",
    "ConfirmedPublisher",
    "PublisherState",
    "ReceivedCandidate",
    "bus_errors",
]

MAX_BLOCK_SECONDS = 10.0
STALE_AFTER_SECONDS = 30.0
"""A consumer that has not acknowledged for so long is taken to be gone."""

BATCH_ENTRIES = 128
BATCH_BYTES = 1024 * 1024
"""What is under way at once: enough that the server's fsync is shared, little enough for its memory."""

_Entry = tuple[str, Mapping[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class PublisherState:
    """What a worker's candidates came to, for metrics and the camera's hash.

    Attributes:
        waiting: events on disk that Redis has not acknowledged.
        waiting_bytes: what they take there.
        limit_bytes: what they may take.
        sent: events Redis has acknowledged, since this process began.
        lost: events the spool had no room for, since this process began.
        lost_total: the same since the spool was made, over restarts.
        damaged: entries found damaged or unreadable, since this process began.
        unremoved: entries Redis has that the disk does not let go of.
        refusing: whether the last event found no room.
    """

    waiting: int
    waiting_bytes: int
    limit_bytes: int
    sent: int
    lost: int
    lost_total: int
    damaged: int
    unremoved: int
    refusing: bool


class CandidatePublisher:
    """Signs candidates, keeps them on disk, sends them in order; for one worker, from any of its threads."""

    def __init__(
        self,
        redis: Redis,
        spool: Spool,
        worker_id: str,
        key: SigningKey,
        *,
        traceparent: Callable[[], str | None] = lambda: None,
    ) -> None:
        """
        Args:
            redis: a client of the worker's user.
            spool: where candidates wait.
            worker_id: who speaks.
            key: signs for it.
            traceparent: where the work of the calling thread stands, for whoever takes the candidate in.
        """
        self._traceparent = traceparent
        self._redis = redis
        self._spool = spool
        self._worker_id = worker_id
        self._key = key
        self._sending = threading.Lock()
        self._sent = 0

    @property
    def waiting_count(self) -> int:
        """Events on disk that Redis has not acknowledged."""
        return len(self._spool)

    @property
    def lost_count(self) -> int:
        """Events the spool had no room for."""
        return self._spool.refused_count

    @property
    def state(self) -> PublisherState:
        """All counts, as of now."""
        spool = self._spool
        return PublisherState(
            waiting=len(spool),
            waiting_bytes=spool.size_bytes,
            limit_bytes=spool.limit_bytes,
            sent=self._sent,
            lost=spool.refused_count,
            lost_total=spool.refused_total,
            damaged=spool.damaged_count + spool.unreadable_count,
            unremoved=spool.unremoved_count,
            refusing=spool.refusing,
        )

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
        event = canonical_json(signed.model_dump(mode="json")).decode()
        self._spool.append(CANDIDATE_SCHEMA, event, self._traceparent() or "")
        return signed

    def flush(self, *, limit_seconds: float | None = None) -> int:
        """Sends what is on disk, oldest first; what was left by an earlier process comes first.

        Many are under way at once, and each goes from the disk on its own reply. Where one is refused it and all
        after it are sent again, so that the order holds; what was taken twice is known by its id.

        Args:
            limit_seconds: no further batch is begun after so long; None: until nothing is left.

        Returns:
            How many events Redis has acknowledged.

        Raises:
            BusError: Redis is away or refused; what is left stays on disk and is sent by the next call.
            SpoolError: the disk does not give what it holds.
        """
        sent = 0
        deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
        with self._sending:
            while entries := self._spool.oldest(BATCH_ENTRIES, limit_bytes=BATCH_BYTES):
                with bus_errors(f"{self.waiting_count} candidates wait on disk"):
                    sent += self._send(entries)
                if deadline is not None and time.monotonic() > deadline:
                    break
        return sent

    def _send(self, entries: Sequence[SpoolEntry]) -> int:
        # No transaction: some servers leave those out when they start again (`pipelines.acl`).
        with self._redis.pipeline(transaction=False) as batch:
            for entry in entries:
                batch.xadd(streams.CANDIDATES, _fields(entry))
            replies: list[Any] = batch.execute(raise_on_error=False)
        refusals = [place for place, reply in enumerate(replies) if isinstance(reply, Exception)]
        taken = refusals[0] if refusals else len(entries)
        self._spool.remove(*entries[:taken])
        self._sent += taken
        if refusals:
            raise replies[taken]
        return taken


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
        self._dead = DeadLetters(redis)
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
            try:
                entries = self._next_entries(count, block_seconds)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                # Another server, or one that was emptied: whoever writes to it must not wait for our restart.
                streams.ensure_streams(self._redis)
                entries = []
        if not entries:
            return []
        keys = self._worker_keys()
        received = (self._checked(entry_id, fields, keys) for entry_id, fields in entries)
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
        """Puts a candidate aside that can never be kept: to the dead stream with its reason, then acknowledged.

        Raises:
            BusError: Redis is away or refused; the entry comes again.
        """
        fields = {streams.SCHEMA_FIELD: CANDIDATE_SCHEMA, streams.EVENT_FIELD: event_json}
        self._put_aside(entry_id, {name.encode(): text.encode() for name, text in fields.items()}, reason)

    def _put_aside(self, entry_id: str, fields: Mapping[bytes, bytes], reason: str) -> None:
        # In this order: twice in the dead stream is harmless, in neither is a loss.
        self._dead.put(fields, reason, entry_id)
        self.ack([entry_id])
        self._dead_count += 1

    def _next_entries(self, count: int, block_seconds: float) -> list[_Entry]:
        entries = self._backlog(count) or self._stale(count)
        if entries:
            return entries
        block_ms = int(min(block_seconds, MAX_BLOCK_SECONDS) * 1000)
        return self._read_group(">", count, block_ms or None)

    def _backlog(self, count: int) -> list[_Entry]:
        """Entries given to this consumer before it was restarted, until it has been through them once."""
        if self._own_backlog_from is None:
            return []
        entries = self._read_group(self._own_backlog_from, count, None)
        self._own_backlog_from = entries[-1][0] if entries else None
        return entries

    def _stale(self, count: int) -> list[_Entry]:
        reply: Any = self._redis.xautoclaim(
            streams.CANDIDATES, streams.API_GROUP, self._consumer, self._stale_after_ms, "0-0", count=count
        )
        gone = [entry_id.decode() for entry_id in reply[2]] if len(reply) > 2 else []
        if any(entry_id is None for entry_id, _ in reply[1]):  # Redis 6.2 keeps them pending, and names none
            gone += self._pending_without_entry(count)
        for entry_id in gone:
            self._put_aside(entry_id, {}, TRIMMED)
        return _entries(reply[1])

    def _pending_without_entry(self, count: int) -> list[str]:
        pending: Any = self._redis.xpending_range(streams.CANDIDATES, streams.API_GROUP, "-", "+", count)
        ids = [one["message_id"].decode() for one in pending]
        return [one for one in ids if not self._redis.xrange(streams.CANDIDATES, one, one)]

    def _read_group(self, start: str, count: int, block_ms: int | None) -> list[_Entry]:
        reply: Any = self._redis.xreadgroup(
            streams.API_GROUP, self._consumer, {streams.CANDIDATES: start}, count=count, block=block_ms
        )
        return _entries(reply[0][1]) if reply else []

    def _checked(
        self, entry_id: str, fields: Mapping[bytes, bytes], keys: VerifyingKeys
    ) -> ReceivedCandidate | None:
        try:
            checked = checked_candidate(fields, keys)
        except SealingError as error:
            self._put_aside(entry_id, fields, str(error))
            return None
        text = fields[streams.EVENT_FIELD.encode()].decode()
        trace = fields.get(streams.TRACE_FIELD.encode(), b"").decode("ascii", "replace") or None
        return ReceivedCandidate(entry_id, checked, text, trace)


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
        return self._add(CONFIRMED_SCHEMA, "receipt", receipt)

    def publish_retraction(self, retraction: str) -> str:
        """Adds a retraction to the confirmed stream; it is on disk when this returns.

        Args:
            retraction: a compact JWS that names the receipt's `jti`.

        Returns:
            The entry's id.

        Raises:
            BusError: Redis is away or refused; send it again, consumers know a retraction by its `jti`.
        """
        return self._add(RETRACTED_SCHEMA, "retraction", retraction)

    def _add(self, schema: str, name: str, token: str) -> str:
        event = json.dumps({"schema": schema, name: token}, separators=(",", ":"))
        with bus_errors(f"a {name} cannot be published"):
            entry_id: Any = self._redis.xadd(
                streams.CONFIRMED, {streams.SCHEMA_FIELD: schema, streams.EVENT_FIELD: event}
            )
        return str(entry_id.decode())


def _fields(entry: SpoolEntry) -> dict[Any, Any]:
    sent = {streams.SCHEMA_FIELD: entry.schema, streams.EVENT_FIELD: entry.event}
    return sent | {streams.TRACE_FIELD: entry.traceparent} if entry.traceparent else sent


def _entries(reply: Any) -> list[_Entry]:
    """Entries with their fields; one that was trimmed away while it was pending has none left."""
    return [(entry_id.decode(), fields or {}) for entry_id, fields in reply if entry_id is not None]
