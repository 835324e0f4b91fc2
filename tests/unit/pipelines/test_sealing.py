"""`pipelines.sealing`: what is sealed stays so."""

from __future__ import annotations

import copy
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import SealingError
from pipelines.sealing import (
    DataKey,
    decrypt,
    encrypt,
    open_sealed,
    seal,
    sealing_key_from_pem,
    sealing_key_to_pem,
)

PLAIN = b"a picture"
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
DATA_KEY = DataKey(bytes(range(32)))


@settings(max_examples=30)
@given(plain=st.binary(max_size=4096), context=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_round_trips(plain: bytes, context: str) -> None:
    assert open_sealed(seal(plain, PRIVATE.public_key(), context), PRIVATE, context) == plain
    assert decrypt(DATA_KEY, encrypt(DATA_KEY, plain, context), context) == plain


def test_nothing_of_the_content_shows_and_no_two_seals_are_alike() -> None:
    one, two = (seal(PLAIN, PRIVATE.public_key(), "c") for _ in range(2))
    assert one != two
    assert PLAIN not in one
    assert encrypt(DATA_KEY, PLAIN, "c") != encrypt(DATA_KEY, PLAIN, "c")


def test_every_single_bit_counts() -> None:
    sealed, encrypted = seal(PLAIN, PRIVATE.public_key(), "c"), encrypt(DATA_KEY, PLAIN, "c")
    for position in range(8 * len(sealed)):
        # The top bit of an X25519 public key is masked by RFC 7748, but the seal still binds it.
        with pytest.raises(SealingError):
            open_sealed(_flip(sealed, position), PRIVATE, "c")
    for position in range(8 * len(encrypted)):
        with pytest.raises(SealingError):
            decrypt(DATA_KEY, _flip(encrypted, position), "c")


@pytest.mark.parametrize("length", [0, 3, 4, 20, 51])
def test_cut_short(length: int) -> None:
    sealed, encrypted = seal(PLAIN, PRIVATE.public_key(), "c"), encrypt(DATA_KEY, PLAIN, "c")
    with pytest.raises(SealingError):
        open_sealed(sealed[:length], PRIVATE, "c")
    with pytest.raises(SealingError):
        decrypt(DATA_KEY, encrypted[: min(length, len(encrypted) - 1)], "c")


def test_another_place_does_not_open() -> None:
    with pytest.raises(SealingError, match="another place"):
        open_sealed(seal(PLAIN, PRIVATE.public_key(), "candidate 1"), PRIVATE, "candidate 2")
    with pytest.raises(SealingError, match="another place"):
        decrypt(DATA_KEY, encrypt(DATA_KEY, PLAIN, "name"), "reference")


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealingError, match="another key"):
        open_sealed(seal(PLAIN, PRIVATE.public_key(), "c"), X25519PrivateKey.generate(), "c")
    with pytest.raises(SealingError, match="its key is another"):
        decrypt(DataKey.generate(), encrypt(DATA_KEY, PLAIN, "c"), "c")


def test_one_format_is_not_taken_for_the_other() -> None:
    with pytest.raises(SealingError, match="version"):
        open_sealed(encrypt(DATA_KEY, PLAIN, "c"), PRIVATE, "c")
    with pytest.raises(SealingError, match="version"):
        decrypt(DATA_KEY, seal(PLAIN, PRIVATE.public_key(), "c"), "c")


def test_a_public_key_of_another_kind_seals_nothing() -> None:
    wrong = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(SealingError, match="X25519"):
        seal(PLAIN, wrong, "c")  # type: ignore[arg-type]


def test_the_all_zero_ephemeral_key_is_refused() -> None:
    """RFC 9180, section 7.1.4: a key whose shared secret is zero must fail."""
    with pytest.raises(SealingError):
        open_sealed(b"AQS\x01" + bytes(32 + 16 + 9), PRIVATE, "c")


def test_the_seal_is_hpke_as_published() -> None:
    """Opened step by step from RFC 9180 (sections 4.1 and 5.1), with the primitives alone."""
    sealed = seal(PLAIN, PRIVATE.public_key(), "kontext")
    ephemeral, cipher_text = sealed[4:36], sealed[36:]
    key, nonce = _hpke_base_schedule(PRIVATE, ephemeral, info=b"AQS\x01kontext")
    assert ChaCha20Poly1305(key).decrypt(nonce, cipher_text, b"") == PLAIN


def test_keys_never_show_themselves() -> None:
    secret = bytes(range(32))
    assert repr(DATA_KEY) == "DataKey(…)"
    assert secret.hex() not in repr(vars(type(DATA_KEY)))
    for copier in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="does not leave"):
            copier(DATA_KEY)


def test_a_data_key_of_another_length() -> None:
    with pytest.raises(SealingError, match="32 bytes"):
        DataKey(b"short")


def test_private_keys_through_pem() -> None:
    assert sealing_key_from_pem(sealing_key_to_pem(PRIVATE)).private_bytes_raw() == bytes(range(32))
    with pytest.raises(SealingError, match="not a PEM"):
        sealing_key_from_pem(b"nothing")


def _flip(blob: bytes, bit: int) -> bytes:
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def _hpke_base_schedule(private: X25519PrivateKey, ephemeral: bytes, info: bytes) -> tuple[bytes, bytes]:
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    own = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    eae = _extract(b"", b"HPKE-v1" + kem + b"eae_prk" + shared)
    secret = _expand(eae, b"\x00\x20HPKE-v1" + kem + b"shared_secret" + ephemeral + own, 32)
    psk_id = _extract(b"", b"HPKE-v1" + suite + b"psk_id_hash")
    info_hash = _extract(b"", b"HPKE-v1" + suite + b"info_hash" + info)
    schedule = b"\x00" + psk_id + info_hash
    prk = _extract(secret, b"HPKE-v1" + suite + b"secret")
    key = _expand(prk, b"\x00\x20HPKE-v1" + suite + b"key" + schedule, 32)
    return key, _expand(prk, b"\x00\x0cHPKE-v1" + suite + b"base_nonce" + schedule, 12)


def _extract(salt: bytes, material: bytes) -> bytes:
    return _hmac(salt or bytes(32), material)


def _expand(prk: bytes, info: bytes, length: int) -> bytes:
    return _hmac(prk, info + b"\x01")[:length]


def _hmac(key: bytes, message: bytes) -> bytes:
    mac = HMAC(key, SHA256())
    mac.update(message)
    return mac.finalize()
