"""`api.trimming`: what is old goes, what a group still needs stays, however old it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from aiqyn.embedded.redis import EmbeddedRedis
from api.trimming import Held, StreamTrimmer, stream_ages
from pipelines import streams
from pipelines.config_bus import StreamsConfig
from pipelines.errors import BusError
from tests.redis_server import api_redis, redis_program, redis_server

__all__ = ["api_redis", "redis_program", "redis_server"]

HOUR_MS = 3_600_000
AGES = dict.fromkeys((streams.CANDIDATES, streams.DEAD, streams.CONFIRMED), timedelta(hours=1))


@pytest.fixture
def trimmer(api_redis: Redis) -> StreamTrimmer:
    return StreamTrimmer(api_redis, AGES)


@pytest.fixture
def now_ms(api_redis: Redis) -> int:
    seconds: Any = api_redis.time()
    return int(seconds[0]) * 1000


def add(redis: Redis, stream: str, *ids_ms: int) -> None:
    """Entries of given times; a stream takes them in rising order only."""
    for at_ms in ids_ms:
        redis.xadd(stream, {"schema": "s", "event": "{}"}, id=f"{at_ms}-0")


def ids(redis: Redis, stream: str) -> list[int]:
    entries: Any = redis.xrange(stream)
    return [int(entry_id.split(b"-")[0]) for entry_id, _ in entries]


def deliver(redis: Redis, count: int, *, group: str = streams.API_GROUP) -> list[bytes]:
    reply: Any = redis.xreadgroup(group, "ingest", {streams.CANDIDATES: ">"}, count=count)
    return [entry_id for entry_id, _ in reply[0][1]]


def test_what_every_group_has_acknowledged_goes_by_age(
    api_redis: Redis, trimmer: StreamTrimmer, now_ms: int
) -> None:
    old, recent = now_ms - 2 * HOUR_MS, now_ms - HOUR_MS // 2
    add(api_redis, streams.CANDIDATES, old, old + 1, recent)
    api_redis.xack(streams.CANDIDATES, streams.API_GROUP, *deliver(api_redis, 3))
    assert trimmer.run_once() == 2
    assert ids(api_redis, streams.CANDIDATES) == [recent]
    assert trimmer.held == ()
    assert trimmer.run_once() == 0


def test_nothing_goes_that_was_not_delivered(api_redis: Redis, trimmer: StreamTrimmer, now_ms: int) -> None:
    old = now_ms - 50 * HOUR_MS
    add(api_redis, streams.CANDIDATES, old, old + 1, old + 2)
    assert trimmer.run_once() == 0
    api_redis.xack(streams.CANDIDATES, streams.API_GROUP, *deliver(api_redis, 2))
    assert trimmer.run_once() == 2
    assert ids(api_redis, streams.CANDIDATES) == [old + 2]


def test_nothing_goes_that_is_pending(api_redis: Redis, trimmer: StreamTrimmer, now_ms: int) -> None:
    old = now_ms - 50 * HOUR_MS
    add(api_redis, streams.CANDIDATES, *range(old, old + 5))
    taken = deliver(api_redis, 5)
    api_redis.xack(streams.CANDIDATES, streams.API_GROUP, *taken[:2], taken[3])
    assert trimmer.run_once() == 2
    assert ids(api_redis, streams.CANDIDATES) == [old + 2, old + 3, old + 4]
    assert trimmer.held == (Held(streams.CANDIDATES, streams.API_GROUP),)
    pending: Any = api_redis.xpending(streams.CANDIDATES, streams.API_GROUP)
    assert pending["pending"] == 2


def test_a_group_that_lags_holds_what_others_are_through_with(
    api_redis: Redis, trimmer: StreamTrimmer, now_ms: int
) -> None:
    api_redis.xgroup_create(streams.CANDIDATES, "archive", id="0")
    old = now_ms - 50 * HOUR_MS
    add(api_redis, streams.CANDIDATES, *range(old, old + 4))
    api_redis.xack(streams.CANDIDATES, streams.API_GROUP, *deliver(api_redis, 4))
    with capture_logs() as told:
        assert [trimmer.run_once() for _ in range(3)] == [0, 0, 0]
        assert trimmer.held == (Held(streams.CANDIDATES, "archive"),)
        api_redis.xack(streams.CANDIDATES, "archive", *deliver(api_redis, 3, group="archive"))
        assert trimmer.run_once() == 3
        api_redis.xack(streams.CANDIDATES, "archive", *deliver(api_redis, 1, group="archive"))
        assert trimmer.run_once() == 1
    assert ids(api_redis, streams.CANDIDATES) == []
    assert [line["event"] for line in told] == ["stream_not_trimmed", "stream_trimmed_again"]


def test_where_the_service_s_group_is_missing_nothing_goes(
    api_redis: Redis, trimmer: StreamTrimmer, now_ms: int
) -> None:
    add(api_redis, streams.CANDIDATES, now_ms - 50 * HOUR_MS)
    api_redis.xgroup_destroy(streams.CANDIDATES, streams.API_GROUP)
    assert trimmer.run_once() == 0
    assert trimmer.held == (Held(streams.CANDIDATES, streams.API_GROUP),)


@pytest.mark.parametrize("stream", [streams.CONFIRMED, streams.DEAD])
def test_what_no_group_reads_goes_by_age_alone(
    api_redis: Redis, trimmer: StreamTrimmer, now_ms: int, stream: str
) -> None:
    add(api_redis, stream, now_ms - 2 * HOUR_MS, now_ms - HOUR_MS // 2)
    assert trimmer.run_once() == 1
    assert ids(api_redis, stream) == [now_ms - HOUR_MS // 2]


def test_a_stream_without_an_age_stays(api_redis: Redis, trimmer: StreamTrimmer) -> None:
    api_redis.xadd(streams.JOBS, {"schema": "s", "event": "{}"}, id="1-0")
    assert trimmer.run_once() == 0
    assert ids(api_redis, streams.JOBS) == [1]


def test_a_clock_that_was_ahead_costs_nothing(api_redis: Redis, trimmer: StreamTrimmer, now_ms: int) -> None:
    """Redis gives rising ids even when its clock goes back: such entries stay until their time has come."""
    add(api_redis, streams.CONFIRMED, now_ms + 10 * HOUR_MS)
    api_redis.xadd(streams.CONFIRMED, {"schema": "s", "event": "{}"})
    assert trimmer.run_once() == 0
    assert len(ids(api_redis, streams.CONFIRMED)) == 2


def test_while_redis_is_away_it_says_so(redis_server: EmbeddedRedis, trimmer: StreamTrimmer) -> None:
    redis_server.stop()
    with pytest.raises(BusError, match="streams cannot be trimmed"):
        trimmer.run_once()


def test_every_stream_has_an_age() -> None:
    ages = stream_ages(StreamsConfig())
    assert set(ages) == {
        streams.CANDIDATES,
        streams.CONFIRMED,
        streams.TRAFFIC,
        streams.JOBS,
        streams.DEAD,
    }
    assert ages[streams.CONFIRMED] > timedelta(days=1)  # longer than any receipt may be acted on
