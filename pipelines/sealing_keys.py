"""X25519 public keys as JWK sets: those things are sealed to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from pipelines.errors import SealingError
from pipelines.signing import OWNER_MEMBER


@dataclass(frozen=True, slots=True)
class SealingPublicKey:
    """The public half of an X25519 pair.

    Attributes:
        public: the key itself.
        key_id: its RFC 7638 thumbprint (SHA-256, base64url).
        owner: who can open what is sealed to it; None where the set of keys says it all.
        not_before: when it came into use; None: not known.
    """

    public: X25519PublicKey
    key_id: str
    owner: str | None = None
    not_before: datetime | None = None

    @classmethod
    def of(
        cls, public: X25519PublicKey, *, owner: str | None = None, not_before: datetime | None = None
    ) -> SealingPublicKey:
        """A key with its thumbprint."""
        return cls(public, OKPKey.import_key(public).thumbprint(), owner, not_before)

    @classmethod
    def from_jwk(cls, members: Mapping[str, Any]) -> SealingPublicKey:
        """A key out of the members of a JWK (RFC 8037).

        Raises:
            SealingError: not an X25519 public key, or a private one.
        """
        if "d" in members:
            raise SealingError("a JWK meant to be public holds a private key; replace that pair")
        if members.get("kty") != "OKP" or members.get("crv") != "X25519":
            raise SealingError("a JWK is not an X25519 public key")
        try:
            jwk = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": members["x"]})
            public = jwk.public_key
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SealingError("a JWK holds no valid X25519 public key") from error
        if not isinstance(public, X25519PublicKey):
            raise SealingError("a JWK is not an X25519 public key")
        return cls.of(public, owner=members.get(OWNER_MEMBER))

    def to_jwk(self) -> dict[str, Any]:
        """The members of a public JWK: kid, use, and `nbf` in seconds since 1970."""
        members: dict[str, Any] = dict(OKPKey.import_key(self.public).as_dict(private=False))
        members |= {"kid": self.key_id, "use": "enc"}
        if self.owner is not None:
            members[OWNER_MEMBER] = self.owner
        if self.not_before is not None:
            members["nbf"] = int(self.not_before.timestamp())
        return members


def sealing_jwks(keys: Iterable[SealingPublicKey]) -> dict[str, Any]:
    """The JWK set of those keys."""
    return {"keys": [key.to_jwk() for key in keys]}


def newest_sealing_key(document: Mapping[str, Any], name: str) -> SealingPublicKey:
    """The key of a JWK set to seal to from now on: the one listed last.

    Raises:
        SealingError: an empty set, or a key in it that cannot be used; `name` says which set.
    """
    keys = document.get("keys")
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise SealingError(f"{name}: not a JWK set with a key in it")
    return SealingPublicKey.from_jwk(keys[-1])
