"""`aiqyn.embedded.redis`: private, durable, ended with its parent, and clear about what stops it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from aiqyn.embedded import redis as embedded
from aiqyn.embedded.redis import EmbeddedRedis, embedded_address
from aiqyn.embedded.redis_server import RedisServer, find_server, inspect_server
from pipelines import streams
from pipelines.errors import BusError


def alive(pid: int) -> bool:
    """Whether a process of that id runs and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


class TestPrivate:
    def test_it_listens_on_nothing_but_a_socket_of_its_owner(self, redis_server: EmbeddedRedis) -> None:
        path = redis_server.socket_path
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(os.fsencode(path)) <= embedded.SOCKET_PATH_LIMIT_BYTES
        assert _listening_tcp(redis_server.pid) == []

    @pytest.mark.usefixtures("redis_server")
    def test_its_files_are_its_owners_alone(self, tmp_path: Path) -> None:
        for path in (tmp_path / "data" / "redis").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    def test_it_leaves_no_core_dump(self, redis_server: EmbeddedRedis) -> None:
        limits = Path(f"/proc/{redis_server.pid}/limits").read_text()
        (core,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert core.split()[4:6] == ["0", "0"]

    def test_no_password_is_on_a_command_line_in_the_environment_or_a_file(
        self, redis_server: EmbeddedRedis, tmp_path: Path
    ) -> None:
        places = [Path(f"/proc/{redis_server.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
        folders = (tmp_path / "data", redis_server.socket_path.parent)
        places += [path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()]
        for user in redis_server.users:
            assert not any(redis_server.password(user).encode() in place for place in places)
            assert redis_server.password(user) not in repr(redis_server)

    def test_two_starts_have_different_passwords(self, redis_program: RedisServer, tmp_path: Path) -> None:
        one, two = (EmbeddedRedis(redis_program, tmp_path) for _ in range(2))
        assert one.password("api") != two.password("api")

    def test_given_passwords_are_kept(self, redis_program: RedisServer, tmp_path: Path) -> None:
        server = EmbeddedRedis(redis_program, tmp_path, passwords={"api": "chosen"})
        assert server.password("api") == "chosen"


class TestDurable:
    def test_it_writes_before_it_replies(self, redis_server: EmbeddedRedis, tmp_path: Path) -> None:
        with redis_server.connect() as client:
            client.xadd(streams.CONFIRMED, {"schema": "s", "event": "found-on-disk"})
            content = [path.read_bytes() for path in (tmp_path / "data" / "redis").rglob("*.aof")]
        assert any(b"found-on-disk" in one for one in content)

    @pytest.mark.parametrize("how", ["stop", "kill"])
    def test_what_it_acknowledged_is_there_after(
        self, redis_program: RedisServer, tmp_path: Path, how: str
    ) -> None:
        with EmbeddedRedis(redis_program, tmp_path / "data") as server:
            with server.connect() as client:
                for number in range(50):
                    client.xadd(streams.CONFIRMED, {"schema": "s", "event": str(number)})
            if how == "kill":
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
        with EmbeddedRedis(redis_program, tmp_path / "data") as again, again.connect() as client:
            entries: Any = client.xrange(streams.CONFIRMED)
            assert [int(fields[b"event"]) for _, fields in entries] == list(range(50))

    def test_streams_and_the_group_exist_from_the_start(self, redis_server: EmbeddedRedis) -> None:
        with redis_server.connect() as client:
            streams.ensure_streams(client)  # a second time changes nothing
            pending: Any = client.xpending(streams.CANDIDATES, streams.API_GROUP)
            assert pending["pending"] == 0
            assert client.xlen(streams.DEAD) == 0

    def test_data_of_a_newer_server_is_not_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "redis" / "appendonlydir").mkdir(parents=True, mode=0o700)
        (tmp_path / "redis").chmod(0o700)
        old = RedisServer(Path("/bin/true"), "redis", (6, 2, 14), "machine")
        with pytest.raises(BusError, match="Redis 7 or newer"):
            EmbeddedRedis(old, tmp_path).start()


class TestItsEnd:
    def test_it_ends_with_its_parent(self, redis_program: RedisServer, tmp_path: Path) -> None:
        """The parent is killed, and so can do nothing about it; the next start clears up after it."""
        script = (
            "import sys, time, pathlib\n"
            "from aiqyn.embedded.redis import EmbeddedRedis\n"
            "from aiqyn.embedded.redis_server import inspect_server\n"
            "server = EmbeddedRedis(inspect_server(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])).start()\n"
            "print(server.pid, flush=True)\n"
            "time.sleep(60)\n"
        )
        command = [sys.executable, "-c", script, str(redis_program.path), str(tmp_path / "data")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert alive(pid)
            parent.kill()
        wait_until_gone(pid)
        left = embedded_address(tmp_path / "data")
        assert left is not None
        folder = Path(left.removeprefix("unix://")).parent
        assert folder.is_dir()
        with EmbeddedRedis(redis_program, tmp_path / "data"):
            assert not folder.exists()

    def test_stopping_leaves_neither_process_nor_socket_nor_address(
        self, redis_program: RedisServer, tmp_path: Path
    ) -> None:
        server = EmbeddedRedis(redis_program, tmp_path).start()
        pid, folder = server.pid, server.socket_path.parent
        assert embedded_address(tmp_path) == server.url
        server.stop()
        assert pid is not None
        assert not alive(pid)
        assert not folder.exists()
        assert embedded_address(tmp_path) is None
        server.stop()  # twice is once

    def test_one_data_folder_has_one_server(self, redis_program: RedisServer, tmp_path: Path) -> None:
        with EmbeddedRedis(redis_program, tmp_path / "data") as first:
            with pytest.raises(BusError, match="another embedded Redis"):
                EmbeddedRedis(redis_program, tmp_path / "data").start()
            assert embedded_address(tmp_path / "data") == first.url
        with EmbeddedRedis(redis_program, tmp_path / "data"):
            pass

    def test_a_start_waits_for_the_server_of_a_killed_process_to_go(
        self, redis_program: RedisServer, tmp_path: Path
    ) -> None:
        (tmp_path / "redis").mkdir(mode=0o700)
        holder = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); time.sleep(1)"
        command = [sys.executable, "-c", holder, str(tmp_path / "redis" / "lock")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as going:
            assert going.stdout is not None
            going.stdout.readline()
            with EmbeddedRedis(redis_program, tmp_path) as server:
                assert server.pid is not None


class TestWhatStopsIt:
    def test_a_program_that_is_no_redis(self, tmp_path: Path) -> None:
        with pytest.raises(BusError, match="does not say its version"):
            inspect_server(Path("/bin/true"))
        with pytest.raises(BusError, match="does not run"):
            inspect_server(tmp_path / "none")

    def test_one_that_ends_at_once_is_quoted(self, tmp_path: Path) -> None:
        program = tmp_path / "server"
        program.write_text("#!/bin/sh\ncat >/dev/null\necho out of luck\nexit 1\n")
        program.chmod(0o755)
        broken = RedisServer(program, "redis", (7, 0, 0), "machine")
        with pytest.raises(BusError, match="did not start: out of luck"):
            EmbeddedRedis(broken, tmp_path / "data").start()

    def test_a_data_folder_open_to_others(self, redis_program: RedisServer, tmp_path: Path) -> None:
        (tmp_path / "redis").mkdir(mode=0o755)
        (tmp_path / "redis").chmod(0o755)
        with pytest.raises(BusError, match="open to others"):
            EmbeddedRedis(redis_program, tmp_path).start()

    def test_a_path_too_long_for_a_socket_is_gone_around(
        self, redis_program: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deep = tmp_path / ("d" * 100)
        deep.mkdir()
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
        with EmbeddedRedis(redis_program, deep / "data") as server, server.connect() as client:
            assert client.ping()
            assert not server.socket_path.is_relative_to(deep)

    def test_an_unknown_user_is_named(self, redis_server: EmbeddedRedis) -> None:
        with pytest.raises(BusError, match="no user 'worker:w9'"):
            redis_server.connect("worker:w9")

    def test_it_is_not_running_before_it_is_started(self, redis_program: RedisServer, tmp_path: Path) -> None:
        with pytest.raises(BusError, match="not running"):
            _ = EmbeddedRedis(redis_program, tmp_path).url


class TestFinding:
    def test_the_machines_own_comes_first(self, redis_program: RedisServer, tmp_path: Path) -> None:
        (tmp_path / "redis-server").symlink_to(redis_program.path)
        found = find_server(None, search_path=str(tmp_path))
        assert found.version == redis_program.version
        assert found.origin == "machine"

    def test_valkey_before_redis(self, tmp_path: Path) -> None:
        _pretend(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0")
        _pretend(tmp_path, "valkey-server", "Valkey server v=8.1.4 sha=0")
        assert find_server(None, search_path=str(tmp_path)).version_text == "valkey 8.1.4"

    def test_one_too_old_and_none_else_says_what_to_do(self, tmp_path: Path) -> None:
        _pretend(tmp_path, "redis-server", "Redis server v=6.0.16 sha=0")
        with pytest.raises(BusError, match=r"older than 6\.2.*aiqyn weights pull redis-server"):
            find_server(None, search_path=str(tmp_path))

    def test_none_at_all_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(BusError, match=r"neither valkey-server nor redis-server.*or set redis\.url"):
            find_server(None, search_path=str(tmp_path))

    @pytest.mark.parametrize(
        ("product", "version", "lacks"),
        [
            ("redis", (6, 2, 14), "6.2.20"),
            ("redis", (6, 2, 20), None),
            ("redis", (7, 0, 15), "8.2.2"),
            ("redis", (7, 2, 11), None),
            ("redis", (8, 0, 3), "8.0.4"),
            ("redis", (9, 0, 0), None),
            ("valkey", (8, 1, 3), "8.1.4"),
            ("valkey", (8, 1, 4), None),
            ("valkey", (9, 0, 0), None),
        ],
    )
    def test_servers_older_than_known_fixes(
        self, product: str, version: tuple[int, int, int], lacks: str | None
    ) -> None:
        advice = RedisServer(Path("x"), product, version, "machine").advice()
        assert (advice is None) == (lacks is None)
        if lacks is not None:
            assert advice is not None
            assert lacks in advice


def test_the_launcher_refuses_a_parent_that_is_gone() -> None:
    command = [sys.executable, "-I", "-m", "aiqyn.embedded.child", "1", "/bin/true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "parent ended" in done.stderr


def test_nobody_may_change_its_settings(redis_server: EmbeddedRedis) -> None:
    with redis_server.connect() as client, pytest.raises(NoPermissionError):
        client.config_set("appendfsync", "no")


def _pretend(folder: Path, name: str, reply: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{reply}'\n")
    program.chmod(0o755)


def _listening_tcp(pid: int | None) -> list[str]:
    """TCP sockets in the state LISTEN (0A) among the open files of a process."""
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:
            continue  # closed since the folder was read: the server closes the connection of its start
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]
