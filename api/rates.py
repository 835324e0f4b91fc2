"""How many requests a second one account or one address may send: a bucket each, in memory."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.errors import TooManyRequestsError

MAX_BUCKETS: Final = 10_000
NEWS_AFTER_SECONDS: Final = 60.0
"""A refusal of the same sender is written down once in so long: else refusing would cost more than answering."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a sender may send.

    Attributes:
        per_second: requests a second in the long run.
        burst: requests at once after a rest.
    """

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits of this service; an address may be that of a whole control room.

    Attributes:
        account: of one account.
        address: of one address, for everything.
        login: of one address, for logging in and refreshing.
    """

    account: Rate = Rate(100.0, 1000)
    address: Rate = Rate(1000.0, 10_000)
    login: Rate = Rate(5.0, 300)


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    told_at: float = -math.inf


class RateLimiter:
    """Lets requests through or says how long to wait. Each process of the service counts for itself."""

    def __init__(self, limits: RateLimits, now: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            limits: per account and per address.
            now: seconds that never go back.
        """
        self._rates = {"account": limits.account, "address": limits.address, "login": limits.login}
        self._now = now
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def check(self, kind: str, sender: str) -> None:
        """Lets one request of a sender through.

        Args:
            kind: `account`, `address` or `login`.
            sender: which one.

        Raises:
            TooManyRequestsError: too many came lately.
        """
        rate = self._rates[kind]
        with self._lock:
            now = self._now()
            bucket = self._buckets.get((kind, sender))
            if bucket is None:
                self._make_room(now)
                bucket = self._buckets[kind, sender] = _Bucket(rate.burst, now)
            bucket.left = min(rate.burst, bucket.left + (now - bucket.at) * rate.per_second)
            bucket.at = now
            if bucket.left >= 1:
                bucket.left -= 1
                return
            wait = max(1, math.ceil((1 - bucket.left) / rate.per_second))
        raise TooManyRequestsError("too_many_requests", "too many requests", wait)

    def is_news(self, kind: str, sender: str) -> bool:
        """Whether a refusal of this sender has not been written down lately."""
        with self._lock:
            now = self._now()
            bucket = self._buckets.setdefault((kind, sender), _Bucket(self._rates[kind].burst, now))
            if now - bucket.told_at < NEWS_AFTER_SECONDS:
                return False
            bucket.told_at = now
            return True

    def _make_room(self, now: float) -> None:
        """Forgets senders whose bucket is full again: for them it changes nothing."""
        if len(self._buckets) < MAX_BUCKETS:
            return
        slowest = max(rate.burst / rate.per_second for rate in self._rates.values())
        resting = max(slowest, NEWS_AFTER_SECONDS)
        self._buckets = {key: one for key, one in self._buckets.items() if now - one.at < resting}
