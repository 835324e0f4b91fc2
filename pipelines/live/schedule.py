"""Whose turn it is on a device that many cameras share.

Start-time fair queueing (Goyal, Vin and Cheng, IEEE/ACM Transactions on Networking 5(5), 1997): each camera has a
clock that goes on by the time it held the device, divided by its share. Where the device is short, cameras get time in
proportion to what they asked for and their priority: whose clock is ahead by more than a leeway of three turns waits for
the others. Within it whose frame is oldest goes first (earliest deadline first: Liu and Layland, Journal of the ACM
20(1), 1973), as the next frame of that camera is the first to come. By clocks alone a camera that always looks is the last
of all each time several look at once, waits twice as long as need be, and loses frames that there was time for. A camera
that waits is overtaken by each other camera only until that one's clock has caught up, so none starves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_NEWEST_SHARE = 0.1
"""Of the running means: about the last twenty turns count."""

LEEWAY_TURNS = 3
"""Whose clock is ahead of another's by no more turns than that has had no more than its share: the clock of who was away
lies one turn behind, that of who has just had one is one ahead, and turns are of different length."""


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """What one camera had of the device so far.

    Attributes:
        turns: that have ended.
        wait_seconds: spent waiting for them, in all.
        longest_wait_seconds: for one of them.
        held_seconds: the device was held, in all.
        recent_wait_seconds: before one turn, running mean.
        recent_held_seconds: of one turn, running mean; 0.0 before the first has ended.
    """

    turns: int = 0
    wait_seconds: float = 0.0
    longest_wait_seconds: float = 0.0
    held_seconds: float = 0.0
    recent_wait_seconds: float = 0.0
    recent_held_seconds: float = 0.0


class FairTurns:
    """Lets a bounded number of threads work at once, in fair order.

    Args:
        slots: turns at the same time.
        monotonic: a clock in seconds that never goes back.
    """

    def __init__(self, slots: int = 1, monotonic: Callable[[], float] = time.monotonic) -> None:
        if slots < 1:
            raise ValueError(f"slots must be 1 or more, got {slots}")
        self.slots = slots
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._free = slots
        self._now = 0.0
        self._asked = 0
        self._accounts: dict[str, _Account] = {}
        self._waiting: list[_Wish] = []

    def ask(self, camera_id: str, frames_per_second: float, priority: float = 1.0) -> None:
        """Says what a camera is configured to need; cameras that never did count as one frame a second.

        Args:
            camera_id: whose.
            frames_per_second: above 0.
            priority: above 0; twice the priority is twice the share where the device is short.

        Raises:
            ValueError: a number that is not above 0.
        """
        if frames_per_second <= 0 or priority <= 0:
            raise ValueError(f"both must be above 0, got {frames_per_second} and {priority}")
        with self._lock:
            self._account(camera_id).weight = frames_per_second * priority

    def forget(self, camera_id: str) -> None:
        """Lets go of a camera that was removed; a turn it still holds or waits for ends as usual."""
        with self._lock:
            self._accounts.pop(camera_id, None)

    @contextmanager
    def turn(self, camera_id: str, priority: float = 1.0, *, age_seconds: float = 0.0) -> Iterator[None]:
        """Waits until it is this camera's turn, and holds a slot until left.

        Args:
            camera_id: who asks.
            priority: multiplies the camera's share for this turn.
            age_seconds: how long the frame has waited already.
        """
        wish = self._wished(camera_id, priority, age_seconds)
        try:
            wish.granted.wait()
        except BaseException:  # an interrupt must not leave a turn nobody holds
            self._give_up(wish)
            raise
        began = self._monotonic()
        try:
            yield
        finally:
            self._ended(wish, began)

    def figures(self) -> dict[str, TurnFigures]:
        """Of every camera that asked, as of now."""
        with self._lock:
            return {camera_id: account.figures() for camera_id, account in self._accounts.items()}

    @property
    def waiting(self) -> int:
        """Turns that are waited for now."""
        with self._lock:
            return len(self._waiting)

    def _account(self, camera_id: str) -> _Account:
        return self._accounts.setdefault(camera_id, _Account(clock=self._now))

    def _wished(self, camera_id: str, priority: float, age_seconds: float) -> _Wish:
        if priority <= 0:
            raise ValueError(f"priority must be above 0, got {priority}")
        with self._lock:
            account = self._account(camera_id)
            weight = account.weight * priority
            # Who was away saves nothing up but one turn: the moment between two frames is no absence.
            account.clock = max(account.clock, self._now - account.recent_held / weight)
            self._asked += 1
            wish = _Wish(account, weight, self._asked, self._monotonic(), age_seconds)
            self._waiting.append(wish)
            self._grant()
        return wish

    def _grant(self) -> None:
        """Gives free slots away; called with the lock held."""
        while self._free and self._waiting:
            furthest_behind = min(each.account.clock for each in self._waiting)
            wish = self._first(furthest_behind)
            self._waiting.remove(wish)
            self._free -= 1
            self._now = max(self._now, furthest_behind)
            # What it will probably take is written down at once, so that a camera's second turn waits for others.
            wish.charged = wish.account.recent_held
            wish.account.clock += wish.charged / wish.weight
            wish.granted.set()

    def _first(self, furthest_behind: float) -> _Wish:
        """Of those who had no more than their share the one with the oldest frame."""
        leeway = LEEWAY_TURNS * max(each.account.recent_held / each.weight for each in self._waiting)
        entitled = (each for each in self._waiting if each.account.clock <= furthest_behind + leeway)
        return min(entitled, key=lambda each: (each.frame_came_at, each.number))

    def _give_up(self, wish: _Wish) -> None:
        with self._lock:
            if wish in self._waiting:
                self._waiting.remove(wish)
                return
            wish.account.clock -= wish.charged / wish.weight
            self._free += 1
            self._grant()

    def _ended(self, wish: _Wish, began: float) -> None:
        held = self._monotonic() - began
        with self._lock:
            wish.account.clock += (held - wish.charged) / wish.weight
            wish.account.note(began - wish.asked_at, held)
            self._free += 1
            self._grant()


@dataclass(slots=True)
class _Account:
    """One camera's clock, in seconds of the device by share, and what it had."""

    clock: float
    weight: float = 1.0
    turns: int = 0
    wait: float = 0.0
    longest_wait: float = 0.0
    held: float = 0.0
    recent_wait: float = 0.0
    recent_held: float = 0.0

    def note(self, waited: float, held: float) -> None:
        newest = _NEWEST_SHARE if self.turns else 1.0
        self.turns += 1
        self.wait += waited
        self.longest_wait = max(self.longest_wait, waited)
        self.held += held
        self.recent_wait += newest * (waited - self.recent_wait)
        self.recent_held += newest * (held - self.recent_held)

    def figures(self) -> TurnFigures:
        return TurnFigures(
            self.turns, self.wait, self.longest_wait, self.held, self.recent_wait, self.recent_held
        )


class _Wish:
    """Somebody who waits for a turn, or holds one."""

    __slots__ = ("account", "asked_at", "charged", "frame_came_at", "granted", "number", "weight")

    def __init__(
        self, account: _Account, weight: float, number: int, asked_at: float, age_seconds: float
    ) -> None:
        self.account = account
        self.weight = weight
        self.number = number
        self.asked_at = asked_at
        self.frame_came_at = asked_at - age_seconds
        self.charged = 0.0
        self.granted = threading.Event()
