"""Attempts to log in, as the throttle sees them; on whichever database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from api.errors import TooManyRequestsError
from api.throttle import FREE, LoginThrottle


def failures(
    throttle: LoginThrottle, username: str, address: str, times: int, *, waiting_too: bool = False
) -> None:
    """Attempts that come to nothing: begun, and never said to have succeeded.

    Args:
        throttle: counts them.
        username: the account.
        address: where they come from.
        times: how many.
        waiting_too: whether those that are made to wait are passed over in silence.
    """
    for _ in range(times):
        try:
            throttle.begin(username, address)
        except TooManyRequestsError:
            if not waiting_too:
                raise


def wait(throttle: LoginThrottle, username: str, address: str) -> int:
    """Seconds an attempt would have to wait; one that need not is counted."""
    try:
        throttle.begin(username, address)
    except TooManyRequestsError as error:
        return int(error.headers["Retry-After"])
    return 0


def assert_many_at_once_are_counted(throttle: LoginThrottle) -> None:
    """Forty attempts at one moment get through as often as forty one after the other: five times."""

    def attempt(_number: int) -> bool:
        return wait(throttle, "aigul", "192.0.2.1") == 0

    with ThreadPoolExecutor(20) as pool:
        through = sum(pool.map(attempt, range(40)))
    assert through == FREE["pair"]
