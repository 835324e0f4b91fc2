"""Whether a worker lives and can work: what `/health` and `/ready` of its metrics port answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.live.clock_check import ClockState
from pipelines.live.metrics import SpoolState

STALE_AFTER_SECONDS: Final = 20.0
"""A matching process whose turn has not come round for so long hangs; a turn takes a fifth of a second, or as long as
Redis takes to be given up: `streams.REPLY_TIMEOUT_SECONDS`."""

FULL_SHARE: Final = 0.9
"""Of the spool's limit: beyond it candidates will soon be lost, and the worker no longer calls itself ready."""

OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe is told.

    Attributes:
        parts: `ok` or what is wrong, by part.
        notices: what stops no work and has to be mended.
    """

    parts: Mapping[str, str]
    notices: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether every part is."""
        return all(state == OK for state in self.parts.values())


class WorkerHealth:
    """What the matching process says of itself. Until it said something, it is not ready. Safe to use from any thread.

    Nothing here asks anybody anything when a probe comes: a probe must not hang where the worker does.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._mutex = threading.Lock()
        self._turned_at = monotonic()
        self._states = {"models": "not loaded", "bus": "not connected", "clock": OK}
        self._notices: dict[str, str] = {}

    def turned(self) -> None:
        """The matching process's turn came round."""
        self._turned_at = self._monotonic()

    def models_loaded(self) -> None:
        """Every model is loaded and has run once."""
        self._say("models", OK)

    def bus(self, *, reachable: bool, spool: SpoolState) -> None:
        """Whether candidates can leave, or at least be kept: Redis answers, or the disk has room for them."""
        if reachable:
            self._say("bus", OK)
        elif spool.size_bytes < FULL_SHARE * spool.limit_bytes:
            self._say("bus", OK, "Redis is away; candidates wait on disk")
        else:
            self._say("bus", "away, and the spool is full")

    def clock(self, state: ClockState) -> None:
        """How far the clock can be trusted. Where the system does not say, that is a notice."""
        if state.synchronised is False:
            self._say("clock", "not synchronised")
        else:
            self._say("clock", OK, state.problem or "")

    def live(self) -> Answer:
        """Whether the process should go on. Whoever watches it replaces it when not."""
        hangs = self._monotonic() - self._turned_at > STALE_AFTER_SECONDS
        return Answer({"process": OK, "matcher": "hangs" if hangs else OK})

    def ready(self) -> Answer:
        """Whether work can be done: cameras searched, candidates kept, their times right."""
        with self._mutex:
            parts = dict(self.live().parts) | self._states
            return Answer(parts, tuple(text for text in self._notices.values() if text))

    def _say(self, part: str, state: str, notice: str = "") -> None:
        with self._mutex:
            self._states[part] = state
            self._notices[part] = notice
