"""Passwords, tokens and who is who: how they are made, kept and checked."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
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
    """argon2id with the library's recommended cost, and scrypt where the same must give the same."""

    def __init__(self, hasher: Argon2Hasher | None = None, *, person_cost: int = 2**15) -> None:
        """
        Args:
            hasher: for passwords.
            person_cost: scrypt's N, a power of two.
        """
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._person_cost = person_cost
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

    def person_digest(self, person: str, salt: bytes) -> str:
        """What is kept of a person's name or staff number: enough to know her again, not to read it.

        Args:
            person: as stated; case, blanks and the way letters are composed do not matter.
            salt: of this installation.
        """
        stated = " ".join(unicodedata.normalize("NFKC", person).casefold().split())
        cost = self._person_cost
        return hashlib.scrypt(
            stated.encode(), salt=salt, n=cost, r=8, p=1, maxmem=2**20 + 256 * 8 * cost, dklen=32
        ).hex()
