"""Further processes that answer requests, started by the first, looked after by it, and gone with it.

Python runs one thread of a process at a time; operators who ask at the same time share what that gives. The first process
takes candidates in, keeps the clocks and counts; the others answer, and ask it how the service fares.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process
from typing import Final, Self

import structlog

from aiqyn.serving.options import ServeOptions
from api.settings import Settings
from api.standing import AskedStanding, Standing, answer_questions
from pipelines.live.reconnect import Backoff

_log = structlog.get_logger(__name__)

STOP_SECONDS: Final = 15.0
"""For requests it has begun to answer; then it is killed."""

_LONG_ENOUGH_SECONDS: Final = 60.0
"""It ran for so long: what ended it has nothing to do with its start."""


class FurtherProcesses:
    """All further processes of a service: a context that starts and ends them, and what the service says of itself with them.

    It is alive and ready as its first process is: a supervisor need not restart what starts the others again.
    """

    def __init__(
        self,
        settings: Settings,
        options: ServeOptions,
        sockets: list[list[socket.socket]],
        standing: Standing,
    ) -> None:
        """
        Args:
            settings: of the service.
            options: of the service.
            sockets: of each process.
            standing: of the first process.
        """
        self._first = standing
        self._all = [
            _Further(number, settings, options, own, self) for number, own in enumerate(sockets, start=2)
        ]

    def __enter__(self) -> Self:
        for one in self._all:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._all:
            one.begin_to_stop()
        for one in self._all:
            one.stop()

    def liveness(self) -> Mapping[str, str]:
        """Of the first process."""
        return self._first.liveness()

    def readiness(self) -> Mapping[str, str]:
        """Of the first process."""
        return self._first.readiness()

    def metrics_text(self) -> bytes:
        """Of the first process, which counts for all."""
        return self._first.metrics_text()

    def notices(self) -> list[str]:
        """Of the first process, and that others are away."""
        away = sum(not one.runs for one in self._all)
        if not away:
            return self._first.notices()
        notice = (
            f"{away} of {len(self._all) + 1} processes that answer requests do not run; they are started again, and the "
            "log says why they ended"
        )
        return [*self._first.notices(), notice]


class _Further:
    """One process, and the thread that looks after it."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        options: ServeOptions,
        sockets: list[socket.socket],
        standing: Standing,
    ) -> None:
        self._number = number
        self._settings = settings
        self._options = options
        self._sockets = sockets
        self._standing = standing
        self._stopping = threading.Event()
        self._process: BaseProcess | None = None
        self._thread = threading.Thread(target=self._look_after, name=f"aiqyn-process-{number}", daemon=True)

    @property
    def runs(self) -> bool:
        """Whether there is such a process."""
        return self._process is not None and self._process.is_alive()

    def start(self) -> None:
        """Starts it."""
        self._thread.start()

    def begin_to_stop(self) -> None:
        """Tells it to answer what it has begun with and to end."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """Waits for its end; it is killed where it takes too long."""
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(STOP_SECONDS)

    def _look_after(self) -> None:
        backoff = Backoff(random.Random())  # noqa: S311 spreads attempts, hides nothing
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > _LONG_ENOUGH_SECONDS:
                backoff.reset()
            pause_seconds = round(backoff.wait_seconds(0.0), 2)
            _log.warning("process_ended", number=self._number, exit_code=code, again_in_seconds=pause_seconds)
            self._stopping.wait(pause_seconds)

    def _run(self) -> int | None:
        """Runs it once, and answers what it asks; its exit code."""
        ours, its = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=answer_requests,
            args=(self._settings, self._options, self._sockets, its),
            name=f"aiqyn-process-{self._number}",
            daemon=True,
        )
        process.start()
        self._process = process
        its.close()  # so that its end is the end of the pipe
        if self._stopping.is_set():
            process.terminate()
        with ours:
            answer_questions(ours, self._standing)
        process.join()
        return process.exitcode


def answer_requests(
    settings: Settings, options: ServeOptions, sockets: list[socket.socket], first: Connection
) -> None:
    """What a further process does, until it is told to end or the first is gone."""
    from aiqyn.logs import log_to_stderr
    from aiqyn.serving.program import run_server
    from api.services import build_services
    from pipelines.errors import PipelineError

    log_to_stderr()
    threading.Thread(target=_end_with_the_first, name="aiqyn-first-process", daemon=True).start()
    try:
        services = build_services(replace(settings, run_background=False))
    except PipelineError as error:
        _log.error("process_not_started", error=type(error).__name__, reason=str(error)[:200])
        sys.exit(1)
    run_server(services, options, sockets, standing=AskedStanding(first))


def _end_with_the_first() -> None:
    first = parent_process()
    if first is not None:
        wait([first.sentinel])
        with suppress(ProcessLookupError):
            os.kill(os.getpid(), signal.SIGTERM)
