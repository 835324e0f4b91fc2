"""Passwords and tokens: how they are made, kept and checked, and how guessing is slowed."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Final

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

MIN_PASSWORD_LENGTH: Final = 12
MAX_PASSWORD_LENGTH: Final = 256
TOKEN_BYTES: Final = 32

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that are mistaken for each other when read off a terminal."""

_GROUPS: Final = 4
_GROUP_LENGTH: Final = 5


def one_time_password() -> str:
    """A password for one login: four groups of five, almost 100 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
    return "-".join(groups)


def new_token() -> str:
    """An opaque bearer token, 256 bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> str:
    """What is kept of a token. It is random and long, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(token.encode()).hexdigest()


class Passwords:
    """argon2id with the library's recommended cost."""

    def __init__(self, hasher: Argon2Hasher | None = None) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._nobodys = self._hash.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        return self._hash.hash(password)

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the stored one.

        Args:
            password: as typed.
            stored: its hash; None for an account that does not exist, which takes just as long.
        """
        try:
            right = self._hash.verify(password, stored or self._nobodys)
        except PwdlibError:
            return False  # a hash that cannot be read belongs to nobody
        return right and stored is not None


class LoginThrottle:
    """Counts failed logins per account and address, in memory, and says how long to wait."""

    def __init__(self, max_failures: int = 5, window: timedelta = timedelta(minutes=5)) -> None:
        self._max_failures = max_failures
        self._window = window
        self._failures: dict[tuple[str, str], deque[datetime]] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, username: str, address: str, now: datetime) -> int:
        """Seconds until the next attempt is looked at; 0 when it is now."""
        with self._lock:
            self._forget(now)
            failures = self._failures.get((username, address))
            if failures is None or len(failures) < self._max_failures:
                return 0
            return max(1, int((failures[0] + self._window - now).total_seconds()))

    def failed(self, username: str, address: str, now: datetime) -> None:
        """Notes a failed attempt."""
        with self._lock:
            self._failures.setdefault((username, address), deque(maxlen=self._max_failures)).append(now)

    def succeeded(self, username: str, address: str) -> None:
        """Forgets the failures of one who got in."""
        with self._lock:
            self._failures.pop((username, address), None)

    def _forget(self, now: datetime) -> None:
        stale = [key for key, failures in self._failures.items() if failures[-1] + self._window <= now]
        for key in stale:
            del self._failures[key]
