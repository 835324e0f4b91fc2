"""`api.standing`: a process that only answers asks the first one how the service fares, and never waits for it long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import pytest

from api.errors import AwayError
from api.standing import AWAY, AskedStanding, answer_questions


@dataclass
class First:
    """A first process: what it says, and how slowly it says the next thing."""

    parts: dict[str, str] = field(default_factory=lambda: {"process": "ok", "intake": "ok"})
    slow_seconds: list[float] = field(default_factory=list)

    def liveness(self) -> dict[str, str]:
        return self.parts

    def readiness(self) -> dict[str, str]:
        if self.slow_seconds:
            time.sleep(self.slow_seconds.pop())
        return {**self.parts, "database": "ok"}

    def notices(self) -> list[str]:
        return ["mend this"]

    def metrics_text(self) -> bytes:
        raise RuntimeError("nothing is counted")


@pytest.fixture
def first() -> First:
    return First()


@pytest.fixture
def ends(first: First) -> Iterator[tuple[Connection, Connection]]:
    ours, its = Pipe()
    thread = threading.Thread(target=answer_questions, args=(ours, first))
    thread.start()
    yield ours, its
    its.close()
    thread.join(10)
    assert not thread.is_alive()


def test_it_says_what_the_first_says(ends: tuple[Connection, Connection]) -> None:
    asked = AskedStanding(ends[1])
    assert asked.liveness() == {"process": "ok", "intake": "ok"}
    assert asked.readiness() == {"process": "ok", "intake": "ok", "database": "ok"}
    assert asked.notices() == ["mend this"]


def test_what_the_first_cannot_say_is_an_answer_and_no_end(ends: tuple[Connection, Connection]) -> None:
    asked = AskedStanding(ends[1])
    with pytest.raises(AwayError):
        asked.metrics_text()
    assert asked.notices() == ["mend this"]


def late(ends: tuple[Connection, Connection], first: First) -> None:
    first.slow_seconds.append(0.4)
    asked = AskedStanding(ends[1], patience_seconds=0.1)
    assert asked.readiness() == AWAY
    time.sleep(0.6)
    assert asked.notices() == ["mend this"]


def test_an_answer_that_comes_too_late_is_nobodys(ends: tuple[Connection, Connection], first: First) -> None:
    late(ends, first)


def test_a_build_that_takes_whatever_comes_is_caught(
    ends: tuple[Connection, Connection], first: First, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Believing(AskedStanding):
        def _ask(self, question: str, otherwise: Any) -> Any:
            self._first.send((0, question))
            return self._first.recv()[1] if self._first.poll(self._patience_seconds) else otherwise

    monkeypatch.setattr("tests.unit.api.test_standing.AskedStanding", Believing)
    with pytest.raises(AssertionError):
        late(ends, first)


def test_a_first_that_is_gone_is_away() -> None:
    ours, its = Pipe()
    ours.close()
    asked = AskedStanding(its)
    assert (asked.liveness(), asked.readiness(), asked.notices()) == (AWAY, AWAY, [])
    with pytest.raises(AwayError):
        asked.metrics_text()
    its.close()
