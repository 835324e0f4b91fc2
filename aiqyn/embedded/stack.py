"""The embedded stack: a private Redis, the API and a worker as child processes of one folder.

Each child is a program of its own with the credentials of its own Redis user; this process only starts them,
watches them, and ends them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import httpx

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import find_server
from aiqyn.errors import StackError
from api.keys.store import KeyStore
from pipelines.acl import API_USER, WorkerAccount, worker_user
from pipelines.config import Config
from pipelines.config_origin import local_origin
from weights.store import WeightStore

READY_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Child:
    """One child process and the file it writes its words to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """Its last line that is not empty."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


class EmbeddedStack:
    """Redis, API and worker over one settings file; a context manager."""

    def __init__(
        self, config: Config, config_path: Path, weights: WeightStore, integrators: Sequence[str] = ()
    ) -> None:
        """
        Args:
            config: as `config_path` says; its `redis.url` is not used.
            config_path: given to the children.
            weights: where a Redis server comes from if the machine has none.
            integrators: ids of those who may read the confirmed stream.
        """
        self._config = config
        self._config_path = config_path
        self._logs = config.paths.data_dir / "logs"
        self._children: list[Child] = []
        worker = WorkerAccount(config.worker.id, tuple(config.cameras))
        passwords = KeyStore.open(config.paths.keys_dir).redis_passwords()
        self.redis = EmbeddedRedis(
            find_server(weights),
            config.paths.data_dir,
            workers=[worker],
            integrators=integrators,
            passwords=passwords,
        )

    @property
    def address(self) -> str:
        """Of the API, for programs."""
        return f"http://{self._config.api.host}:{self._config.api.port}"

    @property
    def page(self) -> str:
        """Of the page, for browsers: they make passkeys for names, not for addresses."""
        return self._config.api.origin or local_origin(self._config.api.port, https=False)

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self.redis.start()
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            child.process.terminate()
        for child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(STOP_TIMEOUT_SECONDS)
            child.process.kill()
            child.process.wait()
        self._children.clear()
        self.redis.stop()

    def serve(self) -> None:
        """Starts the API and waits until it says it is ready.

        Raises:
            StackError: it ended, or is not ready in time; with its own last words.
        """
        child = self._start("serve", API_USER, [])
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/ready", timeout=5).status_code == httpx.codes.OK:
                    return
            time.sleep(_POLL_SECONDS)
        raise StackError(f"the API is not ready after {READY_TIMEOUT_SECONDS:.0f} s: {child.last_words()}")

    def work(self) -> Child:
        """Starts the worker on the configured cameras; it ends with the last recording among them."""
        return self._start("work", worker_user(self._config.worker.id), ["--exit-when-done"])

    def check(self) -> None:
        """Raises StackError where a child ended that should not have, with its last words."""
        for child in self._children:
            code = child.process.poll()
            if code is not None and (code != 0 or child.name == "serve"):
                raise StackError(f"aiqyn {child.name} ended with exit code {code}: {child.last_words()}")

    def _start(self, name: str, user: str, options: list[str]) -> Child:
        log = self._logs / f"{name}.log"
        command = [sys.executable, "-m", "aiqyn", name, "--config", str(self._config_path), *options]
        environment = {
            **os.environ,
            "AIQYN_REDIS__URL": self.redis.url,
            "AIQYN_REDIS__USERNAME": user,
            "AIQYN_REDIS_PASSWORD": self.redis.password(user),
        }
        with _private(log) as stream:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child


def free_port(wanted: int) -> int:
    """`wanted` on the loopback address if nobody listens there, else a free one."""
    for port in (wanted, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackError("no free port on 127.0.0.1")


def _private(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.fdopen(handle, "wb")
