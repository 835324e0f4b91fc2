"""What a service says of itself; a process that only answers requests asks the one that does everything else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol

import structlog

from api.errors import AwayError

_log = structlog.get_logger(__name__)

PATIENCE_SECONDS: Final = 3.0
"""A probe gives up after four (`Dockerfile`); what is asked takes two at most (`api.probes`)."""

AWAY: Final = {"first-process": "away"}


class Standing(Protocol):
    """Answers what anyone may ask of a service."""

    def liveness(self) -> Mapping[str, str]:
        """`ok` or what is wrong, for the process and each of its threads."""

    def readiness(self) -> Mapping[str, str]:
        """`ok` or what is wrong, for everything work needs."""

    def notices(self) -> list[str]:
        """What stops no work here and has to be mended."""

    def metrics_text(self) -> bytes:
        """What the service counts and measures, as Prometheus reads it."""


class AskedStanding:
    """The standing of the service, asked of its first process over a pipe."""

    def __init__(self, first: Connection, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """
        Args:
            first: an end of a pipe whose other end answers (`answer_questions`).
            patience_seconds: how long an answer is waited for.
        """
        self._first = first
        self._patience_seconds = patience_seconds
        self._lock = threading.Lock()
        self._asked = 0

    def liveness(self) -> Mapping[str, str]:
        """Of the first process; `away` where it does not answer."""
        return dict(self._ask("liveness", AWAY))

    def readiness(self) -> Mapping[str, str]:
        """Of the first process; `away` where it does not answer."""
        return dict(self._ask("readiness", AWAY))

    def notices(self) -> list[str]:
        """Of the first process; none where it does not answer."""
        return list(self._ask("notices", []))

    def metrics_text(self) -> bytes:
        """Of the first process, which counts for all.

        Raises:
            AwayError: it does not answer.
        """
        text = self._ask("metrics", None)
        if text is None:
            raise AwayError("first_process_away", "the process that counts does not answer; try again")
        return bytes(text)

    def _ask(self, question: str, otherwise: Any) -> Any:
        """What the first process says; `otherwise` where it says nothing in time."""
        until = time.monotonic() + self._patience_seconds
        with self._lock, suppress(EOFError, OSError):
            self._asked += 1
            self._first.send((self._asked, question))
            while self._first.poll(max(0.0, until - time.monotonic())):
                number, answer = self._first.recv()
                if number == self._asked:  # one that was waited for in vain may come now
                    return otherwise if answer is None else answer
        return otherwise


def answer_questions(asking: Connection, standing: Standing) -> None:
    """Answers one process that asks, until its end of the pipe is closed."""
    answers: dict[str, Callable[[], Any]] = {
        "liveness": standing.liveness,
        "readiness": standing.readiness,
        "notices": standing.notices,
        "metrics": standing.metrics_text,
    }
    with suppress(EOFError, OSError):
        while True:
            number, question = asking.recv()
            asking.send((number, _answer(answers[question])))


def _answer(answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except Exception as error:  # noqa: BLE001  # thread boundary: who asked is told that there is no answer
        _log.error("standing_unknown", error=type(error).__name__)
        return None
