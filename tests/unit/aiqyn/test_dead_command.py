"""`aiqyn dead`: what was put aside is shown with its reason, and goes back only where it verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from redis import Redis
from typer.testing import CliRunner

from aiqyn.commands import dead
from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from api.keys.store import KeyStore
from pipelines import streams
from pipelines.bus import CandidateConsumer
from pipelines.canonical import canonical_json
from pipelines.dead_letters import MAX_LETTERS, DeadLetters
from pipelines.events import CANDIDATE_SCHEMA, Candidate
from pipelines.signing import SigningKey, VerifyingKeys
from pipelines.worker_keys import WorkerKeys
from tests.event_builders import make_candidate
from tests.redis_server import find_kind


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    store = KeyStore.init(tmp_path / "keys")
    store.create_worker("w1")
    return store


@pytest.fixture
def worker_key(store: KeyStore) -> SigningKey:
    return WorkerKeys.load(store.create_worker("w1")).candidates


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\n")
    return path


@pytest.fixture
def redis(store: KeyStore, tmp_path: Path) -> Iterator[Redis]:
    """The service's client of the embedded server that runs on the same data folder."""
    program = find_kind("6.2")
    assert isinstance(program, RedisServer)
    with (
        EmbeddedRedis(program, tmp_path / "data", passwords=store.redis_passwords()) as server,
        server.connect() as client,
    ):
        yield client


def run(config: Path, *arguments: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    dead.register(app)
    result = CliRunner().invoke(app, ["dead", *arguments, "--config", str(config)])
    return result.exit_code, result.stdout, result.stderr


def put_aside(redis: Redis, keys: VerifyingKeys, *events: bytes, schema: str = CANDIDATE_SCHEMA) -> list[str]:
    """Sends events through a consumer that knows these keys; the ids of the letters they became."""
    for event in events:
        redis.xadd(streams.CANDIDATES, {streams.SCHEMA_FIELD: schema, streams.EVENT_FIELD: event})
    consumer = CandidateConsumer(redis, lambda: keys, "ingest")
    assert consumer.read(block_seconds=0.01) == []
    return [letter.letter_id for letter in DeadLetters(redis).all()]


def event(candidate: Candidate) -> bytes:
    return canonical_json(candidate.model_dump(mode="json"))


def taken(redis: Redis, store: KeyStore) -> list[int]:
    consumer = CandidateConsumer(redis, store.worker_verifying_keys, "ingest")
    return [one.candidate.track_id for one in consumer.read(block_seconds=0.01)]


def test_a_worker_registered_too_late_is_heard_after_a_retry(
    config: Path, redis: Redis, store: KeyStore, worker_key: SigningKey
) -> None:
    (letter_id,) = put_aside(redis, VerifyingKeys(), event(make_candidate(worker_key, track_id=7)))
    code, out, _ = run(config, "list", "--json")
    document = json.loads(out)
    assert (code, document["count"]) == (0, 1)
    assert document["letters"][0]["camera_id"] == "gate"
    assert "not registered" in document["letters"][0]["reason"]
    code, out, err = run(config, "retry", letter_id)
    assert (code, out, err) == (0, "1 of 1 dead letters put back\n", "")
    assert taken(redis, store) == [7]
    assert json.loads(run(config, "list", "--json")[1])["count"] == 0


def test_what_does_not_verify_stays_and_costs_the_others_nothing(
    config: Path, redis: Redis, store: KeyStore, worker_key: SigningKey
) -> None:
    put_aside(
        redis,
        VerifyingKeys(),
        event(make_candidate(SigningKey.generate(), track_id=1)),
        event(make_candidate(worker_key, track_id=2)),
        b"{",
    )
    code, out, err = run(config, "retry", "--all", "--json")
    assert code == 1
    assert [bool(one["entry_id"]) for one in json.loads(out)["retried"]] == [False, True, False]
    assert err.count("\n") == 2
    assert "not registered" in err
    assert taken(redis, store) == [2]
    assert run(config, "retry", "--all")[0] == 2  # what is left cannot go back


def test_a_forgery_cannot_be_retried_into_the_stream(
    config: Path, redis: Redis, worker_key: SigningKey
) -> None:
    changed = make_candidate(worker_key).model_copy(update={"similarity": 0.99})
    (letter_id,) = put_aside(redis, VerifyingKeys(), event(changed))
    before: Any = redis.xlen(streams.CANDIDATES)
    code, _, err = run(config, "retry", letter_id)
    assert code == 2
    assert "does not hold" in err
    assert redis.xlen(streams.CANDIDATES) == before


def test_a_newer_version_says_what_to_do(config: Path, redis: Redis) -> None:
    put_aside(redis, VerifyingKeys(), b"{}", schema="aiqyn.candidate/2")
    _, out, _ = run(config, "list")
    assert "aiqyn.candidate/2, newer than aiqyn.candidate/1: update this service" in out


def test_show_gives_all_of_it_and_no_escape_sequences(
    config: Path, redis: Redis, worker_key: SigningKey
) -> None:
    whole = event(make_candidate(worker_key))
    letter_id, _ = put_aside(redis, VerifyingKeys(), whole, b'{"camera_id": "\x1b[2J"}')
    code, out, _ = run(config, "show", letter_id, "--json")
    assert (code, json.loads(out)["event"]) == (0, whole.decode())
    for arguments in (("list",), ("show", letter_id)):
        code, out, _ = run(config, *arguments)
        assert code == 0
        assert "\x1b" not in out


def test_the_stream_is_bounded(redis: Redis) -> None:
    letters = DeadLetters(redis)
    for number in range(MAX_LETTERS + 300):
        letters.put({}, f"reason {number}")
    assert MAX_LETTERS <= letters.count() < MAX_LETTERS + 150
    assert letters.newest(1)[0].reason == f"reason {MAX_LETTERS + 299}"
    assert len(list(letters.all())) == letters.count()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("retry",), "name the dead letters"),
        (("retry", "1-1", "--all"), "name the dead letters"),
        (("show", "1-1"), "there is none of that id"),
        (("show", "nonsense"), "Redis refused"),
    ],
)
@pytest.mark.usefixtures("redis")
def test_wrong_use_is_one_line(config: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = run(config, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.usefixtures("store")
def test_without_redis_it_says_what_to_do(config: Path) -> None:
    code, _, err = run(config, "list")
    assert code == 2
    assert "start the service first" in err
