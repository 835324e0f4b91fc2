"""What somebody can do who holds a worker's or an integrator's Redis credentials: nothing that counts.

Each attack runs against a real server of each kind. What the access rules of Redis 6.2 cannot forbid, a signature
makes worthless; both are tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from aiqyn.embedded.redis import EmbeddedRedis
from api.ledger.verify import ReceiptError, load_keys, verify_stream_event
from pipelines import streams
from pipelines.acl import account_of
from pipelines.bus import CandidateConsumer, ConfirmedPublisher
from pipelines.canonical import canonical_json
from pipelines.events import CANDIDATE_SCHEMA, CONFIRMED_SCHEMA, utc_now
from pipelines.signing import SigningKey, VerifyingKey, VerifyingKeys
from tests.event_builders import make_candidate

KEYS = {worker_id: SigningKey.generate() for worker_id in ("w1", "w2")}
RECEIPTS = SigningKey.generate()

Attack = Callable[[Redis], object]

FORBIDDEN_TO_ALL: dict[str, Attack] = {
    "write confirmed": lambda r: r.xadd(streams.CONFIRMED, {"schema": CONFIRMED_SCHEMA, "event": "{}"}),
    "write jobs": lambda r: r.xadd(streams.JOBS, {"schema": "job", "event": "{}"}),
    "read candidates": lambda r: r.xread({streams.CANDIDATES: "0"}),
    "range over candidates": lambda r: r.xrange(streams.CANDIDATES),
    "take candidates from the service": lambda r: r.xreadgroup("api", "thief", {streams.CANDIDATES: ">"}),
    "acknowledge for the service": lambda r: r.xack(streams.CANDIDATES, "api", "1-1"),
    "claim for itself": lambda r: r.xautoclaim(streams.CANDIDATES, "api", "thief", 0),
    "trim candidates": lambda r: r.xtrim(streams.CANDIDATES, maxlen=0),
    "delete an entry": lambda r: r.xdel(streams.CONFIRMED, "1-1"),
    "delete a stream": lambda r: r.delete(streams.CONFIRMED),
    "overwrite a stream": lambda r: r.set(streams.CANDIDATES, "gone"),
    "let a stream expire": lambda r: r.expire(streams.CONFIRMED, 1),
    "rename a stream": lambda r: r.rename(streams.CANDIDATES, streams.CONFIRMED),
    "make a group": lambda r: r.xgroup_create(streams.CONFIRMED, "mine"),
    "remove a group": lambda r: r.xgroup_destroy(streams.CANDIDATES, "api"),
    "read another worker's gallery": lambda r: r.get(streams.gallery_key("d1", "w2")),
    "list another worker's galleries": lambda r: r.hgetall(streams.gallery_key(streams.GALLERY_INDEX, "w2")),
    "write its own gallery": lambda r: r.set(streams.gallery_key("d1", "w1"), "x"),
    "write another worker's gallery": lambda r: r.set(streams.gallery_key("d1", "w2"), "x"),
    "announce a gallery": lambda r: r.publish(streams.GALLERY_CHANNEL, "d1:w1"),
    "listen to other channels": lambda r: _subscribe(r, "other"),
    "listen to every channel": lambda r: _subscribe(r, "*", pattern=True),
    "write another's camera": lambda r: r.hset(streams.camera_key("dock"), "state", "running"),
    "write another's preview": lambda r: r.set(streams.preview_key("dock"), b"x"),
    "write anywhere": lambda r: r.set("aiqyn:anything", "x"),
    "list all keys": lambda r: r.keys("*"),
    "scan all keys": lambda r: r.scan(),
    "run a script": lambda r: r.eval(
        "return redis.call('xadd', KEYS[1], '*', 'a', 'b')", 1, streams.CONFIRMED
    ),
    "load a script": lambda r: r.script_load("return 1"),
    "read settings": lambda r: r.config_get("*"),
    "change settings": lambda r: r.config_set("appendonly", "no"),
    "list the users": lambda r: r.acl_list(),
    "make itself mighty": lambda r: r.acl_setuser("worker:w1", enabled=True, commands=["+@all"]),
    "reload the users": lambda r: r.acl_load(),
    "watch everybody": lambda r: _send(r, "MONITOR"),
    "list the clients": lambda r: r.client_list(),
    "cut off the service": lambda r: r.client_kill_filter(_type="normal"),
    "shut down": lambda r: _send(r, "SHUTDOWN", "NOSAVE"),
    "flush": lambda r: r.flushall(),
    "debug": lambda r: _send(r, "DEBUG", "SLEEP", "0"),
    "load a module": lambda r: r.module_load("x.so"),
    "become a replica": lambda r: r.replicaof("127.0.0.1", 1),
    "copy everything": lambda r: _send(r, "SYNC"),
    "take a value out raw": lambda r: r.dump(streams.CANDIDATES),
    "put a value in raw": lambda r: r.restore("aiqyn:confirmed", 0, b"\x00"),
    "move a value": lambda r: _send(r, "COPY", streams.CANDIDATES, streams.CONFIRMED),
    "swap databases": lambda r: r.swapdb(0, 1),
    "save elsewhere": lambda r: _send(r, "BGREWRITEAOF"),
    "know the server": lambda r: r.info(),
    "count keys": lambda r: r.dbsize(),
}


@pytest.fixture
def filled(redis_server: EmbeddedRedis, api_redis: Redis) -> EmbeddedRedis:
    """A server in use: one candidate, one receipt, a gallery for each worker."""
    with redis_server.connect("worker:w2") as other:
        other.xadd(streams.CANDIDATES, {"schema": CANDIDATE_SCHEMA, "event": _event(KEYS["w2"], "w2")})
    ConfirmedPublisher(api_redis).publish("a.b.c")
    for worker_id in ("w1", "w2"):
        api_redis.set(streams.gallery_key("d1", worker_id), f"sealed for {worker_id}")
    return redis_server


@pytest.mark.parametrize("owner", ["worker:w1", "integrator:control-room"])
def test_every_forbidden_act_is_refused(filled: EmbeddedRedis, owner: str) -> None:
    """With each user the stolen password opens; old servers give a worker three."""
    before = _state(filled)
    users = [user for user in filled.users if account_of(user) == owner]
    assert len(users) == (3 if owner == "worker:w1" and filled.server.version < (7, 0, 0) else 1)
    for user in users:
        with filled.connect(user) as attacker:
            allowed = [name for name, attack in FORBIDDEN_TO_ALL.items() if not _refused(attacker, attack)]
        assert (user, allowed) == (user, [])
    assert _state(filled) == before


def test_the_list_of_attacks_can_fail(filled: EmbeddedRedis) -> None:
    """The service's own user may do some of it: so the attacks are well-formed and would be noticed."""
    with filled.connect() as client:
        allowed = {name for name, attack in FORBIDDEN_TO_ALL.items() if not _refused(client, attack)}
    assert {
        "write confirmed",
        "write jobs",
        "take candidates from the service",
        "announce a gallery",
    } <= allowed
    assert not allowed & {
        "run a script",
        "change settings",
        "make itself mighty",
        "shut down",
        "flush",
        "debug",
    }


@pytest.mark.parametrize("user", ["default", "worker:w1", "api", "nobody"])
def test_nobody_gets_in_without_the_password(filled: EmbeddedRedis, user: str) -> None:
    for password in ("", "wrong", filled.password("worker:w2")):
        client = streams.connect(filled.url, username=user, password=password, retries=0)
        with client, pytest.raises((AuthenticationError, ResponseError)):
            client.ping()


def test_without_credentials_nothing_answers(filled: EmbeddedRedis) -> None:
    with streams.connect(filled.url, retries=0) as client, pytest.raises(AuthenticationError):
        client.xread({streams.CONFIRMED: "0"})


@pytest.mark.usefixtures("filled")
class TestWhatEachMay:
    def test_a_worker(self, worker_redis: Redis) -> None:
        for stream in (streams.CANDIDATES, streams.TRAFFIC, streams.DEAD):
            assert worker_redis.xadd(stream, {"schema": "s", "event": "{}"})
        assert worker_redis.get(streams.gallery_key("d1", "w1")) == b"sealed for w1"
        assert worker_redis.hset(streams.camera_key("gate"), mapping={"state": "running"}) == 1
        assert _subscribe(worker_redis, streams.GALLERY_CHANNEL)

    def test_a_worker_takes_its_jobs_and_writes_its_previews(
        self, filled: EmbeddedRedis, api_redis: Redis
    ) -> None:
        entry_id: Any = api_redis.xadd(streams.JOBS, {"schema": "job", "event": "{}"})
        split = filled.server.version < (7, 0, 0)
        with filled.connect("worker:w1:jobs" if split else "worker:w1") as jobs:
            assert jobs.xreadgroup(streams.WORKERS_GROUP, "w1", {streams.JOBS: ">"})
            assert jobs.xack(streams.JOBS, streams.WORKERS_GROUP, entry_id) == 1
        with filled.connect("worker:w1:previews" if split else "worker:w1") as previews:
            assert previews.set(streams.preview_key("gate"), b"jpeg", ex=10)

    def test_an_integrator(self, integrator_redis: Redis) -> None:
        reply: Any = integrator_redis.xread({streams.CONFIRMED: "0", streams.TRAFFIC: "0"})
        assert [name for name, _ in reply] == [streams.CONFIRMED.encode()]
        for stream in (streams.CANDIDATES, streams.TRAFFIC, streams.DEAD, streams.CONFIRMED):
            with pytest.raises(NoPermissionError):
                integrator_redis.xadd(stream, {"schema": "s", "event": "{}"})
        with pytest.raises(NoPermissionError):
            integrator_redis.xreadgroup("g", "c", {streams.CONFIRMED: ">"})
        with pytest.raises(NoPermissionError):
            integrator_redis.get(streams.gallery_key("d1", "w1"))


def test_combinations_that_old_rules_allow_change_nothing(filled: EmbeddedRedis, worker_redis: Redis) -> None:
    """On 6.2 a user's commands count for all its keys; the types of the values stop what the rules do not."""
    before = _state(filled)
    attacks: tuple[Attack, ...] = (
        lambda r: r.hset(streams.CANDIDATES, "a", "b"),
        lambda r: r.hset(streams.TRAFFIC, "a", "b"),
        lambda r: r.hset(streams.gallery_key("d1", "w1"), "a", "b"),
        lambda r: r.xadd(streams.gallery_key("d1", "w1"), {"a": "b"}),
        lambda r: r.get(streams.CANDIDATES),
        lambda r: r.hgetall(streams.DEAD),
    )
    for attack in attacks:
        with pytest.raises(ResponseError, match=r"WRONGTYPE|NOPERM|permission"):
            attack(worker_redis)
    assert _state(filled) == before


class TestHandMadeEntries:
    """What a thief of a worker's credentials can still do is add entries; none is believed."""

    @pytest.mark.usefixtures("filled")
    def test_a_candidate_of_another_worker_is_not_accepted(
        self, worker_redis: Redis, api_redis: Redis
    ) -> None:
        forged = [
            canonical_json(make_candidate(worker_id="w2").model_dump(mode="json")),  # unsigned
            _event(KEYS["w1"], "w2"),  # with the stolen worker's own key
            _event(SigningKey.generate(), "w1"),  # with a key of the thief's
            b'{"schema": "aiqyn.candidate/1", "status": "confirmed"}',
        ]
        for event in forged:
            worker_redis.xadd(streams.CANDIDATES, {"schema": CANDIDATE_SCHEMA, "event": event})
        consumer = CandidateConsumer(api_redis, _registry, "ingest")
        accepted = consumer.read(block_seconds=0.05)
        assert [one.candidate.worker_id for one in accepted] == ["w2"]  # the honest one of `filled`
        assert consumer.dead_count == len(forged)

    def test_a_confirmation_in_the_candidates_stream_is_none(
        self, worker_redis: Redis, api_redis: Redis
    ) -> None:
        worker_redis.xadd(streams.CANDIDATES, {"schema": CONFIRMED_SCHEMA, "event": "{}"})
        consumer = CandidateConsumer(api_redis, _registry, "ingest")
        assert consumer.read(block_seconds=0.05) == []
        assert consumer.dead_count == 1

    @pytest.mark.parametrize(
        "receipt",
        [
            pytest.param("e30.e30.e30", id="made up"),
            pytest.param(
                KEYS["w1"].sign(b"{}", content="aiqyn-confirmed+jws"), id="signed with a worker's key"
            ),
        ],
    )
    def test_a_receipt_put_into_confirmed_is_refused_by_its_reader(
        self, api_redis: Redis, integrator_redis: Redis, receipt: str
    ) -> None:
        """Even with an open door in Redis: here the service's own credentials write it."""
        event = json.dumps({"schema": CONFIRMED_SCHEMA, "receipt": receipt})
        api_redis.xadd(streams.CONFIRMED, {"schema": CONFIRMED_SCHEMA, "event": event})
        reply: Any = integrator_redis.xread({streams.CONFIRMED: "0"})
        ((_, fields),) = reply[0][1]
        keys = load_keys(RECEIPTS.public_pem().decode())
        with pytest.raises(ReceiptError) as caught:
            verify_stream_event(fields[b"event"].decode(), keys, at=utc_now())
        assert caught.value.code in {"malformed", "unknown_key"}


def _registry() -> VerifyingKeys:
    return VerifyingKeys(
        VerifyingKey(key.verifying_key.jwk, key.key_id, owner=worker_id) for worker_id, key in KEYS.items()
    )


def _event(key: SigningKey, worker_id: str) -> bytes:
    return canonical_json(make_candidate(key, worker_id=worker_id).model_dump(mode="json"))


def _refused(client: Redis, attack: Attack) -> bool:
    try:
        attack(client)
    except NoPermissionError:
        return True
    except RedisError as error:
        # DEBUG and MODULE are off for everybody on 7; any other error came after the rules had let it pass.
        return "not allowed" in str(error)
    return False


def _send(client: Redis, *words: object) -> object:
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


def _subscribe(client: Redis, channel: str, *, pattern: bool = False) -> object:
    with client.pubsub() as subscription:  # type: ignore[no-untyped-call]
        (subscription.psubscribe if pattern else subscription.subscribe)(channel)
        return subscription.get_message(timeout=2)


def _state(server: EmbeddedRedis) -> dict[str, object]:
    """What the service sees of all that an attack could touch."""
    state: dict[str, object] = {}
    with server.connect() as client:
        for stream in (streams.CANDIDATES, streams.CONFIRMED, streams.TRAFFIC, streams.JOBS, streams.DEAD):
            state[stream] = client.xrange(stream)
        with suppress(ResponseError):
            state["pending"] = client.xpending(streams.CANDIDATES, streams.API_GROUP)
        for camera in ("gate", "dock"):
            state[camera] = client.hgetall(streams.camera_key(camera))
            state[f"preview {camera}"] = client.get(streams.preview_key(camera))
    return state
