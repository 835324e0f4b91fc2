"""A private Redis as a child process: on a Unix socket only this user can open, on no port.

It ends with its parent, keeps its data under `data_dir/redis`, writes every entry to disk before it replies, and
knows only the users of `pipelines.acl`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Self

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from aiqyn.embedded.redis_server import RedisServer
from pipelines.acl import API_USER, AclFile, WorkerAccount, make_acl_file
from pipelines.errors import BusError, SealingError
from pipelines.key_files import make_private_folder, write_private
from pipelines.streams import connect, ensure_streams

SOCKET_PATH_LIMIT_BYTES = 107
"""sun_path of sockaddr_un holds 108 bytes, the closing zero among them."""

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 15.0
LOCK_TIMEOUT_SECONDS = 3.0
"""The server of a killed process ends with it, but not in the same moment: a restart finds it still going."""

POLL_SECONDS = 0.02
ADDRESS_FILE = "address"
LOG_FILE = "redis.log"
_RUNTIME_PREFIX = "aiqyn-"


class EmbeddedRedis:
    """The private server; a context manager.

    Start it from a thread that lives as long as it shall: Linux ends the child with the thread that made it.
    """

    def __init__(
        self,
        server: RedisServer,
        data_dir: Path,
        *,
        workers: Iterable[WorkerAccount] = (),
        integrators: Iterable[str] = (),
        passwords: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            server: the program to run.
            data_dir: `paths.data_dir`; the server's files go to `redis` below it.
            workers: accounts to make.
            integrators: ids of accounts to make.
            passwords: those to keep, by user name; the others are made anew.

        Raises:
            SealingError: an id that is not fit for a Redis user.
        """
        self.server = server
        self._folder = data_dir / "redis"
        self._acl: AclFile = make_acl_file(
            server.version, workers=workers, integrators=integrators, passwords=passwords
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._runtime: Path | None = None
        self._lock: IO[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """Where it listens; only while it runs."""
        if self._runtime is None:
            raise BusError("the embedded Redis is not running")
        return self._runtime / "redis.sock"

    @property
    def url(self) -> str:
        """Its address, without any password."""
        return f"unix://{self.socket_path}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def users(self) -> tuple[str, ...]:
        """The users it knows."""
        return tuple(self._acl.passwords)

    def password(self, user: str) -> str:
        """The password of a user; raises BusError where there is no such user."""
        try:
            return self._acl.passwords[user]
        except KeyError:
            raise BusError(f"the embedded Redis has no user {user!r}") from None

    def connect(self, user: str = API_USER) -> Redis:
        """A client of that user."""
        return connect(self.url, username=user, password=self.password(user))

    def start(self) -> Self:
        """Starts it and waits until it answers; the streams exist then.

        Raises:
            BusError: it runs already on this data folder, or does not start; with its own last words.
        """
        try:
            make_private_folder(self._folder)
            self._refuse_newer_data()
            self._lock = self._locked()
            self._clear_after_kill()
            self._runtime = _runtime_folder()
            write_private(self._runtime / "users.acl", self._acl.text.encode())
            self._process = self._spawn()
            self._wait_until_it_answers()
            write_private(self._folder / ADDRESS_FILE, self.url.encode(), replace=True)
        except SealingError as error:
            self.stop()
            raise BusError(str(error)) from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends it after it has written everything; killed where it does not end."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            (self._folder / ADDRESS_FILE).unlink(missing_ok=True)
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"EmbeddedRedis({self.server.version_text}, pid={self.pid})"

    def _refuse_newer_data(self) -> None:
        if self.server.version < (7, 0, 0) and (self._folder / "appendonlydir").exists():
            raise BusError(
                f"{self._folder}: was written by Redis 7 or newer, which {self.server.version_text} cannot read "
                "and would pass over in silence; install that server again"
            )

    def _locked(self) -> IO[bytes]:
        """The lock is inherited by the server, so that it holds as long as the server lives."""
        handle = os.open(self._folder / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lock = os.fdopen(handle, "wb")
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while (refusal := _refusal_of_lock(lock)) is not None:
            if time.monotonic() > deadline:
                lock.close()
                raise BusError(
                    f"{self._folder}: another embedded Redis runs on this data folder; stop it or name another "
                    "paths.data_dir"
                ) from refusal
            time.sleep(POLL_SECONDS)
        return lock

    def _clear_after_kill(self) -> None:
        """Removes what a killed process could not; with the lock held, nobody uses it any more."""
        address = embedded_address(self._folder.parent)
        if address is None:
            return
        folder = Path(address.removeprefix("unix://")).parent
        if folder.name.startswith(_RUNTIME_PREFIX) and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
        (self._folder / ADDRESS_FILE).unlink(missing_ok=True)

    def _spawn(self) -> subprocess.Popen[bytes]:
        if self._lock is None:
            raise BusError("the embedded Redis has no lock on its folder")
        launcher = [sys.executable, "-I", "-m", "aiqyn.embedded.child", str(os.getpid())]
        handle = os.open(self._folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as log:
            process = subprocess.Popen(
                # Links are not followed: some distributions have one program that looks at its own name.
                [*launcher, str(self.server.path.absolute()), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(self._lock.fileno(),),
                cwd=self._folder,
            )
        if process.stdin is not None:
            try:
                with process.stdin as settings:
                    settings.write(self._settings().encode())
            except BrokenPipeError:
                pass  # it ended already; the wait below says why
        return process

    def _settings(self) -> str:
        """Read from standard input: no settings file lies about."""
        runtime = self.socket_path.parent
        settings = {
            "port": "0",
            "unixsocket": _quoted(self.socket_path),
            "unixsocketperm": "700",
            "aclfile": _quoted(runtime / "users.acl"),
            "protected-mode": "yes",
            "dir": _quoted(self._folder.resolve()),
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "databases": "1",
            "daemonize": "no",
            "loglevel": "notice",
            "always-show-logo": "no",
            "crash-log-enabled": "no",
            "crash-memcheck-enabled": "no",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise BusError(f"{self.server.path}: did not start: {self._last_words()}")
            if self.socket_path.exists() and self._answers():
                return
            time.sleep(POLL_SECONDS)
        raise BusError(f"{self.server.path}: does not answer after {START_TIMEOUT_SECONDS:.0f} s")

    def _answers(self) -> bool:
        with connect(self.url, username=API_USER, password=self.password(API_USER), retries=0) as client:
            try:
                client.ping()
            except RedisConnectionError:
                return False
            except RedisError as error:
                if str(error).startswith("LOADING"):
                    return False
                raise BusError(f"{self.server.path}: refuses its own accounts: {error}") from error
            ensure_streams(client)
            return True

    def _last_words(self) -> str:
        lines = (self._folder / LOG_FILE).read_text("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _refusal_of_lock(lock: IO[bytes]) -> OSError | None:
    """Why the lock cannot be had now; None where it is had."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error
    return None


def _runtime_folder() -> Path:
    """A fresh folder only this user can enter, whose path leaves room for the socket's name."""
    bases = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]  # noqa: S108
    for base in bases:
        if not base or not os.access(base, os.W_OK | os.X_OK):
            continue
        if len(os.fsencode(base)) + len("/aiqyn-12345678/redis.sock") <= SOCKET_PATH_LIMIT_BYTES:
            return Path(tempfile.mkdtemp(prefix=_RUNTIME_PREFIX, dir=base))
    raise BusError("no folder with a path short enough for a socket: set TMPDIR to a short one, such as /tmp")


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def embedded_address(data_dir: Path) -> str | None:
    """The address of the embedded Redis that runs on this data folder; None where none does."""
    try:
        return (data_dir / "redis" / ADDRESS_FILE).read_text("utf-8").strip()
    except OSError:
        return None
