"""A server that is killed and started again has everything it acknowledged, whatever kind it is."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aiqyn.embedded import redis as embedded
from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from pipelines import streams
from pipelines.acl import AclFile, make_acl_file
from tests.redis_server import INTEGRATORS, WORKERS, find_kind

pytestmark = pytest.mark.system

PASSWORDS = {
    "api": "a" * 43,
    "worker:w1": "b" * 43,
    "worker:w2": "c" * 43,
    "integrator:control-room": "d" * 43,
}
GALLERY = streams.gallery_key("d1", "w1")


def server_on(program: RedisServer, folder: Path) -> EmbeddedRedis:
    return EmbeddedRedis(program, folder, workers=WORKERS, integrators=INTEGRATORS, passwords=PASSWORDS)


def use(server: EmbeddedRedis) -> None:
    """A gallery published in one transaction; candidates read, some acknowledged, trimmed, one put aside."""
    with server.connect() as api, server.connect("worker:w1") as worker:
        with api.pipeline(transaction=True) as both:
            both.set(GALLERY, b"sealed")
            both.hset(streams.gallery_key(streams.GALLERY_INDEX, "w1"), "d1", "1")
            both.publish(streams.GALLERY_CHANNEL, "d1:w1")
            both.execute()
        for number in range(6):
            worker.xadd(streams.CANDIDATES, {"schema": "s", "event": str(number)})
        ids = [entry_id for entry_id, _ in read_new(api, 4)]
        api.xack(streams.CANDIDATES, streams.API_GROUP, *ids[:2])
        api.xtrim(streams.CANDIDATES, minid=ids[1].decode(), approximate=False)
        api.xadd(streams.DEAD, {"schema": "s", "event": "x", "reason": "r"})


def read_new(api: Redis, count: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
    reply: Any = api.xreadgroup(streams.API_GROUP, "ingest", {streams.CANDIDATES: ">"}, count=count)
    return list(reply[0][1]) if reply else []


def killed(server: EmbeddedRedis) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


def test_a_killed_server_has_what_it_acknowledged(redis_program: RedisServer, tmp_path: Path) -> None:
    with server_on(redis_program, tmp_path) as server:
        use(server)
        killed(server)
    with server_on(redis_program, tmp_path) as again, again.connect() as api:
        assert api.get(streams.camera_key("gate")) is None
        with again.connect("worker:w1") as worker:
            assert worker.get(GALLERY) == b"sealed"
            assert worker.hgetall(streams.gallery_key(streams.GALLERY_INDEX, "w1")) == {b"d1": b"1"}
        assert api.xlen(streams.CANDIDATES) == 5
        assert api.xlen(streams.DEAD) == 1
        pending: Any = api.xpending(streams.CANDIDATES, streams.API_GROUP)
        assert pending["pending"] == 2
        assert [fields[b"event"] for _, fields in read_new(api, 10)] == [b"4", b"5"]
    assert b"CRITICAL" not in (tmp_path / "redis" / embedded.LOG_FILE).read_bytes()


def test_a_default_user_without_rights_would_lose_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why it has them, and that the test above can fail: Redis 7.0 passes over what `default` may not run."""
    program = find_kind("7")
    assert isinstance(program, RedisServer)
    if program.version[:2] != (7, 0):
        assert program.version > (7, 0, 0)  # later ones were mended
        return

    def without_rights(*arguments: Any, **options: Any) -> AclFile:
        made = make_acl_file(*arguments, **options)
        _, _, rest = made.text.partition("\n")
        return AclFile(f"user default off sanitize-payload resetchannels -@all\n{rest}", made.passwords)

    monkeypatch.setattr(embedded, "make_acl_file", without_rights)
    with server_on(program, tmp_path) as server:
        use(server)
        killed(server)
    with server_on(program, tmp_path) as again, again.connect("worker:w1") as worker:
        assert worker.get(GALLERY) is None


def test_every_kind_of_server_was_there() -> None:
    """6.2 and 7 are what is promised; Valkey's is in the catalogue."""
    found = {kind: find_kind(kind) for kind in ("6.2", "7", "valkey")}
    versions = {kind: server.version for kind, server in found.items() if isinstance(server, RedisServer)}
    assert set(versions) == set(found), found
    assert versions["6.2"][:2] == (6, 2)
    assert versions["7"] >= (7, 0, 0)
    assert isinstance(found["valkey"], RedisServer)
    assert found["valkey"].product == "valkey"
