"""What could not be kept: each with its reason, looked at by people, and put back where it verifies after all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from pipelines import streams
from pipelines.candidate_check import MAX_EVENT_BYTES, checked_candidate
from pipelines.errors import BusError
from pipelines.signing import VerifyingKeys
from pipelines.streams import bus_errors

MAX_LETTERS = 2000
"""The oldest go first. At most 250 MB where every one is as large as an event may be; usually some 10 MB."""

MAX_REASON_CHARACTERS = 500
_MAX_SCHEMA_CHARACTERS = 128
_PAGE = 100


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that was put aside.

    Attributes:
        letter_id: in the dead stream.
        schema: as the entry said; empty where it said nothing.
        event: as it came, cut where it was larger than any event may be.
        reason: why it was put aside.
        entry_id: which entry of the candidates stream it was; empty where that is not known.
    """

    letter_id: str
    schema: str
    event: str
    reason: str
    entry_id: str = ""

    def fields(self) -> dict[bytes, bytes]:
        """The entry as it was in its stream."""
        return {
            streams.SCHEMA_FIELD.encode(): self.schema.encode(),
            streams.EVENT_FIELD.encode(): self.event.encode(),
        }


class DeadLetters:
    """The stream `aiqyn:dead`, for the user `api`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def put(self, fields: Mapping[bytes, bytes], reason: str, entry_id: str = "") -> None:
        """Adds an entry's fields with the reason; the oldest letters go where there are too many.

        Raises:
            BusError: Redis is away or refused.
        """
        schema = fields.get(streams.SCHEMA_FIELD.encode(), b"")[:_MAX_SCHEMA_CHARACTERS]
        event = fields.get(streams.EVENT_FIELD.encode(), b"")[:MAX_EVENT_BYTES]
        letter: dict[Any, Any] = {
            streams.SCHEMA_FIELD: schema,
            streams.EVENT_FIELD: event,
            streams.REASON_FIELD: reason[:MAX_REASON_CHARACTERS],
            streams.ENTRY_FIELD: entry_id,
        }
        with bus_errors("an entry cannot be put aside"):
            self._redis.xadd(streams.DEAD, letter, maxlen=MAX_LETTERS)

    def count(self) -> int:
        """How many there are; raises as `put` does."""
        with bus_errors("dead letters cannot be counted"):
            return int(self._redis.xlen(streams.DEAD))

    def newest(self, count: int) -> list[DeadLetter]:
        """The newest letters, newest first; raises as `put` does."""
        with bus_errors("dead letters cannot be read"):
            reply: Any = self._redis.xrevrange(streams.DEAD, count=count)
        return [_letter(*entry) for entry in reply]

    def all(self) -> Iterator[DeadLetter]:
        """Every letter that is there now, oldest first; those that come meanwhile are left out."""
        start, last = "-", next(iter(self.newest(1)), None)
        while last is not None:
            with bus_errors("dead letters cannot be read"):
                reply: Any = self._redis.xrange(streams.DEAD, start, last.letter_id, count=_PAGE)
            yield from (_letter(*entry) for entry in reply)
            if len(reply) < _PAGE:
                return
            start = f"({reply[-1][0].decode()}"

    def get(self, letter_id: str) -> DeadLetter:
        """One letter.

        Raises:
            BusError: there is none of that id, or Redis is away or refused.
        """
        with bus_errors(f"dead letter {letter_id[:40]!r} cannot be read"):
            reply: Any = self._redis.xrange(streams.DEAD, letter_id, letter_id, count=1)
        if not reply:
            raise BusError(f"dead letter {letter_id[:40]!r}: there is none of that id; see `aiqyn dead list`")
        return _letter(*reply[0])

    def retry(self, letter: DeadLetter, keys: VerifyingKeys) -> str:
        """Puts a letter back among the candidates, if it is one that the worker it names has signed.

        What was kept meanwhile is known by its id and counts once. Whether it is taken is decided anew.

        Args:
            letter: to put back.
            keys: of the registered workers, as of now.

        Returns:
            Its entry in the candidates stream.

        Raises:
            SealingError: it does not verify; it stays where it is.
            BusError: Redis is away or refused; it stays where it is, and may be among the candidates as well.
        """
        checked_candidate(letter.fields(), keys)
        fields: dict[Any, Any] = letter.fields()
        with bus_errors(f"dead letter {letter.letter_id} cannot be put back"):
            # In this order: twice among the candidates counts once, in neither stream is a loss.
            added: Any = self._redis.xadd(streams.CANDIDATES, fields)
            self._redis.xdel(streams.DEAD, letter.letter_id)
        return str(added.decode())


def _letter(letter_id: bytes, fields: Mapping[bytes, bytes]) -> DeadLetter:
    def text(name: str) -> str:
        return fields.get(name.encode(), b"").decode("utf-8", "replace")

    return DeadLetter(
        letter_id.decode(),
        text(streams.SCHEMA_FIELD),
        text(streams.EVENT_FIELD),
        text(streams.REASON_FIELD),
        text(streams.ENTRY_FIELD),
    )
