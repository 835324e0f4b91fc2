"""Slows guessing: failed logins are counted in the database, and each further one has to wait longer.

Three counts grow with every failure: of the account from this address, of the account from anywhere, and of the
address over all accounts (one password tried on everybody). Waits double up to a ceiling, so nobody is locked
out for good. An address from which the account's owner has logged in before answers for its own failures alone:
who guesses elsewhere cannot keep her out of her usual place. Names and addresses are kept as salted hashes only.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import TooManyRequestsError
from api.store.engine import Database
from api.store.logins import CountKey, LoginRepository
from api.store.models import LoginCount
from api.store.people import PeopleRepository

FREE: Final = {"pair": 5, "account": 15, "address": 50}
"""Failures before the first wait. Many may share an address: a whole control room behind one router."""

FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
FORGOTTEN_AFTER: Final = timedelta(hours=24)
KNOWN_FOR: Final = timedelta(days=30)
KNOWN: Final = "known"
_HALF: Final = 32
_MAX_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is under way; counted as failed until it succeeds."""

    keys: tuple[CountKey, ...]
    known: CountKey


class LoginThrottle:
    """Counts failures and says how long to wait."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, username: str, address: str) -> Attempt:
        """Lets an attempt through and counts it before it is looked at, so that many at once are counted too.

        Args:
            username: in lower case.
            address: where it comes from.

        Raises:
            TooManyRequestsError: a wait is not over yet; the attempt is not looked at and not counted.
        """
        now = self._clock()
        with self._database.write() as session:
            logins = LoginRepository(session)
            logins.forget_counts(FREE, now - FORGOTTEN_AFTER)
            logins.forget_counts([KNOWN], now - KNOWN_FOR)
            attempt = _attempt(PeopleRepository(session).salt(), username, address)
            counts = logins.counts(attempt.keys, now)
            usual = logins.count(attempt.known) is not None
            binding = [row for row in counts.values() if row.kind == "pair" or not usual]
            wait = max((_wait_seconds(row, now) for row in binding), default=0)
            if not wait:
                for row in counts.values():
                    _count(row, now)
        if wait:
            raise TooManyRequestsError("too_many_attempts", "too many failed logins", wait)
        return attempt

    def succeeded(self, session: Session, attempt: Attempt) -> None:
        """Takes an attempt back that was none of guessing, and remembers the address as the account's own."""
        now, logins = self._clock(), LoginRepository(session)
        for key, row in logins.counts(attempt.keys, now).items():
            row.failures = 0 if key[0] == "pair" else max(0, row.failures - 1)
            row.wait_until = None
        for row in logins.counts([attempt.known], now).values():
            row.last_at = now

    def lift(self, session: Session, username: str) -> None:
        """Ends every wait of an account, wherever from."""
        account, _ = _halves(PeopleRepository(session).salt(), username, "")
        logins = LoginRepository(session)
        logins.lift("account", account)
        logins.lift("pair", account)


def _attempt(salt: bytes, username: str, address: str) -> Attempt:
    account, place = _halves(salt, username, address)
    keys = (("pair", account + place), ("account", account), ("address", place))
    return Attempt(keys, (KNOWN, account + place))


def _halves(salt: bytes, username: str, address: str) -> tuple[str, str]:
    """Hashes of account and address, short enough for both to stand in one key."""

    def half(kind: str, text: str) -> str:
        return hmac.new(salt, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()[:_HALF]

    return half("account", username), half("address", _network(address))


def _network(address: str) -> str:
    """The address; of IPv6 the first half, as one customer has all the rest."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def _wait_seconds(row: LoginCount, now: datetime) -> int:
    if row.wait_until is None or row.wait_until <= now:
        return 0
    return max(1, int((row.wait_until - now).total_seconds()))


def _count(row: LoginCount, now: datetime) -> None:
    row.failures, row.last_at = row.failures + 1, now
    over = row.failures - FREE[row.kind]
    if over >= 0:
        row.wait_until = now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(over, _MAX_DOUBLINGS))
