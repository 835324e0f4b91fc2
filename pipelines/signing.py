"""Ed25519 signatures on events: a detached JWS over the canonical JSON of the event.

The algorithm is named `Ed25519` as RFC 9864 asks, a key by its RFC 7638 thumbprint. Who may sign for whom is
the caller's to decide: `verify_event` returns the key that signed, with its owner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from pipelines.canonical import canonical_json
from pipelines.errors import SealingError
from pipelines.events import Signature

ALGORITHM = "Ed25519"
OWNER_MEMBER = "aiqyn_owner"
"""Member of a JWK that names whom the key speaks for (a worker)."""


@dataclass(frozen=True, slots=True, repr=False)
class VerifyingKey:
    """The public half of an Ed25519 pair.

    Attributes:
        jwk: the key itself.
        key_id: its RFC 7638 thumbprint (SHA-256, base64url).
        owner: whom it speaks for; None where the set of keys says it all.
        not_before: signatures from before are not its own; None: no such date.
        not_after: from then on it signs nothing; None: no such date.
    """

    jwk: OKPKey
    key_id: str
    owner: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None

    @classmethod
    def of(
        cls,
        public: Ed25519PublicKey,
        *,
        owner: str | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> VerifyingKey:
        """A key with its thumbprint."""
        jwk = OKPKey.import_key(public)
        return cls(jwk, jwk.thumbprint(), owner, not_before, not_after)

    @classmethod
    def from_jwk(cls, members: Mapping[str, Any]) -> VerifyingKey:
        """A key out of the members of a JWK (RFC 8037), `nbf`, `exp` and the owner included.

        Raises:
            SealingError: not an Ed25519 public key, a private one, or a `kid` that is not its thumbprint.
        """
        if "d" in members:
            raise SealingError("a JWK meant to be public holds a private key; replace that pair")
        if members.get("kty") != "OKP" or members.get("crv") != "Ed25519":
            raise SealingError("a JWK is not an Ed25519 public key")
        try:
            jwk = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": members["x"]})
            key_id = jwk.thumbprint()
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SealingError("a JWK holds no valid Ed25519 public key") from error
        if members.get("kid", key_id) != key_id:
            raise SealingError("the kid of a JWK is not its RFC 7638 thumbprint")
        return cls(jwk, key_id, members.get(OWNER_MEMBER), _date(members, "nbf"), _date(members, "exp"))

    def to_jwk(self) -> dict[str, Any]:
        """The members of a public JWK: kid, use, alg, and `nbf` and `exp` in seconds since 1970."""
        members: dict[str, Any] = dict(self.jwk.as_dict(private=False))
        members |= {"kid": self.key_id, "use": "sig", "alg": ALGORITHM}
        if self.owner is not None:
            members[OWNER_MEMBER] = self.owner
        if self.not_before is not None:
            members["nbf"] = int(self.not_before.timestamp())
        if self.not_after is not None:
            members["exp"] = int(self.not_after.timestamp())
        return members

    def valid_at(self, moment: datetime) -> bool:
        """Whether the key could sign at that moment."""
        early = self.not_before is not None and moment < self.not_before
        late = self.not_after is not None and moment >= self.not_after
        return not early and not late

    def __repr__(self) -> str:
        return f"VerifyingKey(key_id={self.key_id!r}, owner={self.owner!r})"


class VerifyingKeys:
    """Public keys by their id: a JWK set."""

    def __init__(self, keys: Iterable[VerifyingKey] = ()) -> None:
        self._keys = {key.key_id: key for key in keys}

    @classmethod
    def from_jwks(cls, document: Mapping[str, Any]) -> VerifyingKeys:
        """The keys of a JWK set.

        Raises:
            SealingError: no `keys` list, or a key in it that cannot be used.
        """
        keys = document.get("keys")
        if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
            raise SealingError("not a JWK set: `keys` is missing or no list of keys")
        return cls(VerifyingKey.from_jwk(key) for key in keys)

    def to_jwks(self) -> dict[str, Any]:
        """The JWK set, to be published."""
        return {"keys": [key.to_jwk() for key in self]}

    def get(self, key_id: str) -> VerifyingKey | None:
        """The key of that id, None where there is none."""
        return self._keys.get(key_id)

    def __iter__(self) -> Iterator[VerifyingKey]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)


class SigningKey:
    """An Ed25519 private key that can sign and nothing else; never shows itself."""

    __slots__ = ("_jwk", "_private", "verifying_key")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._jwk = OKPKey.import_key(private)
        self.verifying_key = VerifyingKey.of(private.public_key())

    @classmethod
    def generate(cls) -> SigningKey:
        """A fresh pair."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """The pair in an unencrypted PKCS #8 PEM.

        Raises:
            SealingError: not a PEM of an Ed25519 private key.
        """
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise SealingError("not a PEM of an unencrypted private key") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise SealingError("the PEM holds a private key, but not an Ed25519 one")
        return cls(private)

    def to_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM: for the key store's files alone."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        """The public key as SubjectPublicKeyInfo PEM."""
        return self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        """RFC 7638 thumbprint of the public half."""
        return self.verifying_key.key_id

    def sign(self, payload: bytes, *, content: str | None = None) -> str:
        """A compact JWS over the payload.

        Args:
            payload: what is signed.
            content: value of the header `typ`; none where None.
        """
        header = {"alg": ALGORITHM, "kid": self.key_id}
        if content is not None:
            header["typ"] = content
        return jws.serialize_compact(header, payload, self._jwk, algorithms=[ALGORITHM])

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id!r})"

    def __reduce__(self) -> str:
        raise TypeError("a signing key does not leave its process")


def sign_event(document: Mapping[str, Any], key: SigningKey) -> Signature:
    """The signature over a document that does not hold one yet.

    Raises:
        SealingError: the document has no canonical form, or holds a signature already.
    """
    if "signature" in document:
        raise SealingError("the document to be signed already holds a signature; leave it out")
    detached = jws.detach_content(key.sign(canonical_json(document)))
    return Signature(key_id=key.key_id, jws=detached)


def verify_event(
    document: Mapping[str, Any],
    signature: Signature | None,
    keys: VerifyingKeys,
    *,
    at: datetime | None = None,
) -> VerifyingKey:
    """The key that signed the document.

    Args:
        document: the event without its signature.
        signature: the one that came with it.
        keys: those that may have signed.
        at: the moment at which the key must have been valid; None: not looked at.

    Raises:
        SealingError: no signature, an unknown key, one outside its dates, or a signature that does not hold.
    """
    if signature is None:
        raise SealingError("the event is not signed")
    key = keys.get(signature.key_id)
    if key is None:
        raise SealingError("the event is signed with a key that is not registered")
    if at is not None and not key.valid_at(at):
        raise SealingError(f"the event is signed with key {key.key_id} outside its dates")
    parts = signature.jws.split(".")
    # With a payload of its own in the middle the JWS would be checked against that, not against the event.
    if len(parts) != 3 or parts[1]:
        raise SealingError("the signature is not a detached JWS (header..signature)")
    try:
        signed = jws.deserialize_compact(
            signature.jws, key.jwk, algorithms=[ALGORITHM], payload=canonical_json(document)
        )
    except (JoseError, ValueError, TypeError) as error:
        raise SealingError("the signature does not hold for this event") from error
    if signed.headers().get("kid") != key.key_id:
        raise SealingError("the signature names another key than the event does")
    return key


def _date(members: Mapping[str, Any], name: str) -> datetime | None:
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SealingError(f"`{name}` of a JWK is not a number of seconds since 1970")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise SealingError(f"`{name}` of a JWK is not a date") from error
