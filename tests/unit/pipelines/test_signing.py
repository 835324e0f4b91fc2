"""`pipelines.signing`: what verifies, and all that must not."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from pipelines.canonical import canonical_json
from pipelines.errors import SealingError
from pipelines.events import Signature
from pipelines.sealing import sealing_key_to_pem
from pipelines.signing import SigningKey, VerifyingKey, VerifyingKeys, sign_event, verify_event

EVENT: dict[str, Any] = {"schema": "aiqyn.candidate/1", "worker_id": "w1", "similarity": 0.71}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def keys(key: SigningKey) -> VerifyingKeys:
    return VerifyingKeys([key.verifying_key])


def test_a_signed_event_verifies_after_json(key: SigningKey, keys: VerifyingKeys) -> None:
    signature = sign_event(EVENT, key)
    parsed = json.loads(json.dumps(EVENT, indent=2))
    assert verify_event(parsed, signature, keys).key_id == key.key_id
    assert signature.algorithm == "Ed25519"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"similarity": 0.72}, id="another value"),
        pytest.param({"worker_id": "w2"}, id="another worker"),
        pytest.param({"extra": None}, id="one field more"),
    ],
)
def test_any_change_is_noticed(key: SigningKey, keys: VerifyingKeys, change: dict[str, Any]) -> None:
    signature = sign_event(EVENT, key)
    with pytest.raises(SealingError, match="does not hold"):
        verify_event(EVENT | change, signature, keys)


def test_a_payload_inside_the_jws_does_not_stand_in_for_the_event(
    key: SigningKey, keys: VerifyingKeys
) -> None:
    """Without the check the library verifies the embedded payload and never looks at the event."""
    full = key.sign(canonical_json(EVENT))
    embedded = Signature(key_id=key.key_id, jws=full)
    accepted = jws.deserialize_compact(full, key.verifying_key.jwk, algorithms=["Ed25519"], payload=b"other")
    assert accepted.payload == canonical_json(EVENT)
    with pytest.raises(SealingError, match="detached"):
        verify_event(EVENT | {"similarity": 0.99}, embedded, keys)


def test_a_stranger_signs_for_nobody(keys: VerifyingKeys) -> None:
    with pytest.raises(SealingError, match="not registered"):
        verify_event(EVENT, sign_event(EVENT, SigningKey.generate()), keys)


def test_the_claimed_key_id_must_be_the_one_that_signed(key: SigningKey, keys: VerifyingKeys) -> None:
    forged = sign_event(EVENT, SigningKey.generate())
    with pytest.raises(SealingError, match="does not hold"):
        verify_event(EVENT, Signature(key_id=key.key_id, jws=forged.jws), keys)


def test_the_header_must_name_the_same_key(key: SigningKey, keys: VerifyingKeys) -> None:
    private = OKPKey.import_key(key.to_pem())
    token = jws.serialize_compact(
        {"alg": "Ed25519", "kid": "another"}, canonical_json(EVENT), private, algorithms=["Ed25519"]
    )
    with pytest.raises(SealingError, match="another key"):
        verify_event(EVENT, Signature(key_id=key.key_id, jws=jws.detach_content(token)), keys)


def test_an_unsecured_jws_is_refused(key: SigningKey, keys: VerifyingKeys) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": key.key_id}).encode()).decode()
    with pytest.raises(SealingError, match="does not hold"):
        verify_event(EVENT, Signature(key_id=key.key_id, jws=f"{header.rstrip('=')}.."), keys)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_the_public_key_is_no_shared_secret(key: SigningKey, keys: VerifyingKeys) -> None:
    """The classic confusion: an HMAC with the public key's text as its secret."""
    secret = OctKey.import_key(base64.b64encode(key.public_pem()))
    header = {"alg": "HS256", "kid": key.key_id}
    token = jws.serialize_compact(header, canonical_json(EVENT), secret, algorithms=["HS256"])
    with pytest.raises(SealingError, match="does not hold"):
        verify_event(EVENT, Signature(key_id=key.key_id, jws=jws.detach_content(token)), keys)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a..b.c", "....", "e30..", "☃..☃"])
def test_no_jws_at_all(key: SigningKey, keys: VerifyingKeys, token: str) -> None:
    with pytest.raises(SealingError):
        verify_event(EVENT, Signature(key_id=key.key_id, jws=token), keys)


def test_an_unsigned_event_is_refused(keys: VerifyingKeys) -> None:
    with pytest.raises(SealingError, match="not signed"):
        verify_event(EVENT, None, keys)


def test_a_document_with_a_signature_is_not_signed_again(key: SigningKey) -> None:
    with pytest.raises(SealingError, match="already holds"):
        sign_event(EVENT | {"signature": None}, key)


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        pytest.param(NOON - timedelta(seconds=1), False, id="before it began"),
        pytest.param(NOON, True, id="at its first moment"),
        pytest.param(NOON + timedelta(days=1), False, id="at its end"),
    ],
)
def test_dates_of_a_key(moment: datetime, holds: bool) -> None:
    private = Ed25519PrivateKey.generate()
    dated = VerifyingKey.of(private.public_key(), not_before=NOON, not_after=NOON + timedelta(days=1))
    keys = VerifyingKeys.from_jwks(VerifyingKeys([dated]).to_jwks())
    signature = sign_event(EVENT, SigningKey(private))
    if holds:
        assert verify_event(EVENT, signature, keys, at=moment).not_before == NOON
    else:
        with pytest.raises(SealingError, match="outside its dates"):
            verify_event(EVENT, signature, keys, at=moment)


def test_the_key_id_is_the_published_thumbprint() -> None:
    """RFC 8037, appendix A.3: the thumbprint of the key in appendix A.2."""
    key = VerifyingKey.from_jwk(
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    )
    assert key.key_id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({"d": "AA"}, "private", id="a private key"),
        pytest.param({"crv": "X25519"}, "not an Ed25519", id="another curve"),
        pytest.param({"x": "AAAA"}, "no valid", id="too short"),
        pytest.param({"x": 5}, "no valid", id="not text"),
        pytest.param({"kid": "mine"}, "thumbprint", id="a chosen id"),
        pytest.param({"nbf": "soon"}, "nbf", id="a date in words"),
        pytest.param({"exp": 1e300}, "exp", id="a date beyond all dates"),
    ],
)
def test_a_jwk_that_is_none_of_ours(members: dict[str, Any], reason: str) -> None:
    good = SigningKey.generate().verifying_key.to_jwk()
    with pytest.raises(SealingError, match=reason):
        VerifyingKey.from_jwk(good | members)


def test_keys_show_their_id_and_nothing_else(key: SigningKey) -> None:
    assert repr(key) == f"SigningKey(key_id={key.key_id!r})"
    for copier in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="does not leave"):
            copier(key)


def test_another_kind_of_pem_is_no_signing_key() -> None:
    with pytest.raises(SealingError, match="not an Ed25519"):
        SigningKey.from_pem(sealing_key_to_pem(X25519PrivateKey.generate()))
    with pytest.raises(SealingError, match="not a PEM"):
        SigningKey.from_pem(b"-----BEGIN PRIVATE KEY-----")
