"""Encryption: sealed to somebody's public key, or under a data key we hold.

A seal is HPKE (RFC 9180) in base mode: X25519 with HKDF-SHA256, HKDF-SHA256, ChaCha20-Poly1305, as
`cryptography` implements it. Who holds only the public key can seal and cannot open. Data keys encrypt with
ChaCha20-Poly1305 under a random nonce. Both begin with four bytes that name format and version, and both are
bound to a context: a blob moved to another place does not open there.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pipelines.errors import SealingError

SEAL_HEADER = b"AQS\x01"
DATA_HEADER = b"AQD\x01"
DATA_KEY_BYTES = 32
NONCE_BYTES = 12

_SEAL_OVERHEAD_BYTES = len(SEAL_HEADER) + 32 + 16
_DATA_OVERHEAD_BYTES = len(DATA_HEADER) + NONCE_BYTES + 16


class DataKey:
    """A symmetric key of 256 bits; never shows itself."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != DATA_KEY_BYTES:
            raise SealingError(f"a data key has {DATA_KEY_BYTES} bytes, this one has {len(secret)}")
        self._secret = bytes(secret)

    @classmethod
    def generate(cls) -> DataKey:
        """A fresh key from the system's random source."""
        return cls(os.urandom(DATA_KEY_BYTES))

    def to_bytes(self) -> bytes:
        """The key itself: for the key store's files alone."""
        return self._secret

    def __repr__(self) -> str:
        return "DataKey(…)"

    def __reduce__(self) -> str:
        raise TypeError("a data key does not leave its process")


def seal(plain: bytes, recipient_public: X25519PublicKey, context: str) -> bytes:
    """`plain` readable by the holder of the recipient's private key alone, in this context alone.

    Args:
        plain: what is hidden.
        recipient_public: whose it will be.
        context: where it belongs; must be given again to open.

    Returns:
        Header (4 bytes), the ephemeral public key (32), cipher text and tag.

    Raises:
        SealingError: the key is not an X25519 public key.
    """
    try:
        return SEAL_HEADER + _suite().encrypt(plain, recipient_public, _info(context))
    except (TypeError, ValueError) as error:
        raise SealingError("cannot seal: the recipient's key is not an X25519 public key") from error


def open_sealed(blob: bytes, private: X25519PrivateKey, context: str) -> bytes:
    """What was sealed.

    Raises:
        SealingError: another format or version, too short, not for this key, not of this context, or changed.
    """
    if blob[: len(SEAL_HEADER)] != SEAL_HEADER:
        raise SealingError("not a sealed blob of a version this program knows")
    if len(blob) < _SEAL_OVERHEAD_BYTES:
        raise SealingError("the sealed blob is cut short")
    try:
        return _suite().decrypt(blob[len(SEAL_HEADER) :], private, _info(context))
    except (InvalidTag, TypeError, ValueError) as error:
        raise SealingError(
            "the seal does not open: it was changed, belongs to another place, or is for another key"
        ) from error


def encrypt(data_key: DataKey, plain: bytes, context: str) -> bytes:
    """`plain` readable with the data key alone, in this context alone.

    Returns:
        Header (4 bytes), random nonce (12), cipher text and tag.
    """
    nonce = os.urandom(NONCE_BYTES)
    return DATA_HEADER + nonce + _aead(data_key).encrypt(nonce, plain, DATA_HEADER + context.encode())


def decrypt(data_key: DataKey, blob: bytes, context: str) -> bytes:
    """What was encrypted.

    Raises:
        SealingError: another format or version, too short, another key, another context, or changed.
    """
    start = len(DATA_HEADER)
    if blob[:start] != DATA_HEADER:
        raise SealingError("not an encrypted blob of a version this program knows")
    if len(blob) < _DATA_OVERHEAD_BYTES:
        raise SealingError("the encrypted blob is cut short")
    nonce, cipher_text = blob[start : start + NONCE_BYTES], blob[start + NONCE_BYTES :]
    try:
        return _aead(data_key).decrypt(nonce, cipher_text, DATA_HEADER + context.encode())
    except InvalidTag as error:
        raise SealingError(
            "the blob does not decrypt: it was changed, belongs to another place, or its key is another"
        ) from error


def sealing_key_from_pem(pem: bytes) -> X25519PrivateKey:
    """The X25519 private key in an unencrypted PKCS #8 PEM.

    Raises:
        SealingError: not a PEM of an X25519 private key.
    """
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise SealingError("not a PEM of an unencrypted private key") from error
    if not isinstance(private, X25519PrivateKey):
        raise SealingError("the PEM holds a private key, but not an X25519 one")
    return private


def sealing_key_to_pem(private: X25519PrivateKey) -> bytes:
    """The private key as unencrypted PKCS #8 PEM: for the key store's files alone."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _suite() -> Suite:
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _info(context: str) -> bytes:
    return SEAL_HEADER + context.encode()


def _aead(data_key: DataKey) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(data_key.to_bytes())
