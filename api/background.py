"""The service's threads: each runs one job over and over, and says how it fares."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

_log = structlog.get_logger(__name__)

STALE_AFTER_SECONDS: Final = 60.0
"""A job that has not come round for so long hangs."""

_MAX_PAUSE_SECONDS: Final = 30.0


class BackgroundLoop:
    """Runs a job again and again in a thread of its own; errors are logged and slow it down."""

    def __init__(
        self, name: str, job: Callable[[], int], interval_seconds: float, *, share: float = 1.0
    ) -> None:
        """`job` returns how much it did; when it did something it is run again at once, or as its share has it.

        Args:
            name: of the thread, in logs and in `/health`.
            job: must come back in well under `STALE_AFTER_SECONDS`.
            interval_seconds: pause after a run that found nothing to do.
            share: of the time it may work at most while there is something to do: what can wait must not hold up
                those who cannot.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {share}")
        self.name = name
        self._job = job
        self._interval = interval_seconds
        self._rest_by_work = 1 / share - 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"aiqyn-{name}", daemon=True)
        self._last_round = time.monotonic()
        self._failures = 0

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end and waits for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        """Whether the thread runs and its job comes round."""
        return self._thread.is_alive() and time.monotonic() - self._last_round < STALE_AFTER_SECONDS

    @property
    def failing(self) -> bool:
        """Whether the job's last run failed."""
        return self._failures > 0

    def _run(self) -> None:
        while not self._stop.is_set():
            pause = self._round()
            self._last_round = time.monotonic()
            if pause:
                self._stop.wait(pause)

    def _round(self) -> float:
        began = time.monotonic()
        try:
            done = self._job()
        except Exception as error:  # noqa: BLE001  # thread boundary: a job that fails is tried again, never lost
            self._failures += 1
            _log.error(
                "background_failed", part=self.name, error=type(error).__name__, failures=self._failures
            )
            return min(max(self._interval, 0.1) * 2.0 ** min(self._failures, 8), _MAX_PAUSE_SECONDS)
        self._failures = 0
        worked_seconds = time.monotonic() - began
        return min(worked_seconds * self._rest_by_work, _MAX_PAUSE_SECONDS) if done else self._interval


class Background:
    """All loops of one service."""

    def __init__(self, loops: Sequence[BackgroundLoop]) -> None:
        self._loops = tuple(loops)

    def start(self) -> None:
        """Starts every loop."""
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Stops every loop."""
        for loop in self._loops:
            loop.stop()

    def liveness(self) -> dict[str, str]:
        """`ok` or `stopped` for each loop."""
        return {loop.name: "ok" if loop.alive else "stopped" for loop in self._loops}

    def readiness(self) -> dict[str, str]:
        """`ok`, `failing` or `stopped` for each loop."""
        alive = self.liveness()
        return {
            loop.name: "failing" if alive[loop.name] == "ok" and loop.failing else alive[loop.name]
            for loop in self._loops
        }
