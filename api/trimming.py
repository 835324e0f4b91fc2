"""Old entries leave the streams: by age, and never one that a group has not acknowledged.

What a stream holds is a copy of what is on record elsewhere once every group is through with it; before that it may be
the only one. So the youngest entry that may go is the oldest that any group still has to see or to acknowledge,
however old it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from redis import Redis
from redis.exceptions import ResponseError

from pipelines import streams
from pipelines.config_bus import StreamsConfig
from pipelines.streams import bus_errors

NEEDED_GROUPS: Final[Mapping[str, str]] = {
    streams.CANDIDATES: streams.API_GROUP,
    streams.JOBS: streams.WORKERS_GROUP,
}
"""Streams that somebody must read: while that group is missing nothing of theirs goes."""

_log = structlog.get_logger(__name__)
_EntryId = tuple[int, int]
"""Milliseconds since 1970 by Redis's own clock, and a number within them."""


@dataclass(frozen=True, slots=True)
class Held:
    """Entries past their age that a group holds back.

    Attributes:
        stream: where they are.
        group: which has not acknowledged them, or is missing.
    """

    stream: str
    group: str


class StreamTrimmer:
    """Trims every stream to its age; for the user `api`, from one thread."""

    def __init__(self, redis: Redis, ages: Mapping[str, timedelta]) -> None:
        """
        Args:
            redis: a client of the user `api`.
            ages: how long entries stay, by stream; streams that are not named stay as they are.
        """
        self._redis = redis
        self._ages = ages
        self._held: tuple[Held, ...] = ()

    @property
    def held(self) -> tuple[Held, ...]:
        """What was too old at the last run and had to stay."""
        return self._held

    def run_once(self) -> int:
        """Trims every stream once.

        Returns:
            How many entries went.

        Raises:
            BusError: Redis is away or refused.
        """
        held: list[Held] = []
        with bus_errors("streams cannot be trimmed"):
            now: Any = self._redis.time()  # the ids' own clock: ours may be wrong
            now_ms = int(now[0]) * 1000
            removed = sum(self._trim(name, now_ms - _ms(age), held) for name, age in self._ages.items())
        self._tell(tuple(held))
        return removed

    def _trim(self, stream: str, cutoff_ms: int, held: list[Held]) -> int:
        # Read in this order no entry can slip below the limit: what a group takes meanwhile is newer than what it
        # had taken when we looked.
        limit = self._oldest_needed(stream)
        if limit is None:
            return 0
        needed, group = limit
        cutoff = (max(cutoff_ms, 0), 0)
        # Exactly, not by whole nodes (`~`): a stream of a few entries would never let go of them.
        minid = "{}-{}".format(*min(cutoff, needed))
        removed = int(self._redis.xtrim(stream, minid=minid, approximate=False))
        if needed < cutoff and self._first(stream) < cutoff:
            held.append(Held(stream, group))
        return removed

    def _oldest_needed(self, stream: str) -> tuple[_EntryId, str] | None:
        """The oldest entry any group still needs, and which group; None where there is no such stream.

        Nothing below it is pending in a group, or waits to be delivered to one.
        """
        try:
            groups: Any = self._redis.xinfo_groups(stream)
        except ResponseError as error:
            if "no such key" in str(error):
                return None
            raise
        names = {group["name"].decode() for group in groups}
        wanted = NEEDED_GROUPS.get(stream)
        if wanted is not None and wanted not in names:
            return (0, 0), wanted
        needed = [(self._needed_by(stream, group), group["name"].decode()) for group in groups]
        return min(needed, default=((2**63, 0), ""))

    def _needed_by(self, stream: str, group: Mapping[str, Any]) -> _EntryId:
        delivered_ms, delivered_seq = _entry_id(group["last-delivered-id"])
        undelivered = (delivered_ms, delivered_seq + 1)
        pending: Any = self._redis.xpending(stream, group["name"])
        return min(undelivered, _entry_id(pending["min"])) if pending["pending"] else undelivered

    def _first(self, stream: str) -> _EntryId:
        """The oldest entry there is; one of the far future where there is none."""
        found: Any = self._redis.xrange(stream, count=1)
        return _entry_id(found[0][0]) if found else (2**63, 0)

    def _tell(self, held: tuple[Held, ...]) -> None:
        """Once when it begins and once when it ends."""
        for one in held:
            if one not in self._held:
                _log.warning("stream_not_trimmed", stream=one.stream, group=one.group)
        for one in self._held:
            if one not in held:
                _log.info("stream_trimmed_again", stream=one.stream, group=one.group)
        self._held = held


def stream_ages(settings: StreamsConfig) -> dict[str, timedelta]:
    """How long entries stay, by stream."""
    return {
        streams.CANDIDATES: timedelta(hours=settings.candidates_hours),
        streams.JOBS: timedelta(hours=settings.jobs_hours),
        streams.CONFIRMED: timedelta(days=settings.confirmed_days),
        streams.TRAFFIC: timedelta(days=settings.traffic_days),
        streams.DEAD: timedelta(days=settings.dead_days),
    }


def _ms(age: timedelta) -> int:
    return int(age.total_seconds() * 1000)


def _entry_id(raw: bytes) -> _EntryId:
    ms, _, seq = raw.decode().partition("-")
    return int(ms), int(seq or 0)
