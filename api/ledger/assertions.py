"""Verifies that a passkey was put to a judgement: with the judgement and the passkey's public key, and nothing else.

The service uses it when a judgement is given; an auditor uses the same a year later on what was kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from webauthn import verify_authentication_response
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException

from pipelines.canonical import canonical_json
from pipelines.errors import SealingError

SIGNED_PARTS: Final = ("authenticator_data", "client_data_json", "signature")
"""What of an assertion receipts carry; the authenticator's own name of the passkey stays in the house."""

_SEEN: Final = frozenset({"frame", "probe"})
_Read = TypeVar("_Read")


class AssertionRefusedError(ValueError):
    """An assertion that proves nothing.

    Attributes:
        code: `malformed`, `unknown_passkey`, `other_statement` or `does_not_verify`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator gave, each part base64url as WebAuthn has it."""

    credential_id: str
    authenticator_data: str
    client_data_json: str
    signature: str

    def document(self) -> dict[str, str]:
        """As it is kept, in JSON."""
        return {
            "credential_id": self.credential_id,
            "authenticator_data": self.authenticator_data,
            "client_data_json": self.client_data_json,
            "signature": self.signature,
        }


@dataclass(frozen=True, slots=True)
class PublicPasskey:
    """The public half of a passkey.

    Attributes:
        passkey_id: its pseudonym, as judgements name it.
        account_id: whose.
        public_key: COSE.
    """

    passkey_id: str
    account_id: str
    public_key: bytes


def load_passkeys(text: str) -> dict[str, PublicPasskey]:
    """Passkeys by their pseudonyms, from what `GET /api/v1/passkeys/public` gives.

    Raises:
        ValueError: it is something else.
    """
    try:
        rows = json.loads(text)["items"]
        found = [
            PublicPasskey(row["passkey_id"], row["account_id"], base64url_to_bytes(row["public_key"]))
            for row in rows
        ]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ValueError("no list of passkeys, as GET /api/v1/passkeys/public gives it") from error
    return {one.passkey_id: one for one in found}


def challenge_in(assertion: Assertion) -> bytes:
    """What the authenticator says it was asked to sign.

    Raises:
        AssertionRefusedError: it is not readable.
    """
    return _readable(lambda: parse_client_data_json(base64url_to_bytes(assertion.client_data_json)).challenge)


def verify_assertion(
    assertion: Assertion, challenge: bytes, public_key: bytes, *, rp_id: str, origins: tuple[str, ...] = ()
) -> int:
    """The authenticator's count of signatures, once everything about its assertion holds.

    Args:
        assertion: as the authenticator gave it.
        challenge: what it was asked to sign.
        public_key: of the passkey, COSE.
        rp_id: the name of the site.
        origins: addresses the page may have had; where empty, any secure address of that site.

    Raises:
        AssertionRefusedError: another challenge, key, site or page, nobody present, nobody recognised, or a wrong
            signature.
    """
    expected = list(origins) or [_origin_at(assertion, rp_id)]
    credential = {
        "id": assertion.credential_id,
        "rawId": assertion.credential_id,
        "type": "public-key",
        "response": {
            "authenticatorData": assertion.authenticator_data,
            "clientDataJSON": assertion.client_data_json,
            "signature": assertion.signature,
        },
    }
    verified = _readable(
        lambda: verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=expected,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # whoever knows the count before compares; an auditor cannot
            require_user_verification=True,
        )
    )
    return verified.new_sign_count


def verify_judgement(judgement: Mapping[str, Any], presentation_sha256: str, public_key: bytes) -> None:
    """Lets a judgement through whose passkey was put to just this judgement, by whom it names.

    Args:
        judgement: one of a receipt's `judgements`: `judge`, `answer`, `reason`, and `webauthn` with `statement` and
            the assertion's parts.
        presentation_sha256: of what was shown to the judge.
        public_key: of the passkey it names, COSE.

    Raises:
        AssertionRefusedError: there is no assertion, it is over another judgement, or it does not verify.
    """
    proof = judgement.get("webauthn")
    if not isinstance(proof, Mapping) or not all(isinstance(value, str) for value in proof.values()):
        raise AssertionRefusedError("malformed", "the judgement carries no assertion")
    statement = _readable(lambda: json.loads(proof["statement"]))
    said = {name: judgement.get(name) for name in ("judge", "answer", "reason", "reason_code")}
    said["presentation_sha256"] = presentation_sha256
    if not isinstance(statement, dict) or any(statement.get(name) != said[name] for name in said):
        raise AssertionRefusedError(
            "other_statement", "the passkey was put to another judgement than this one"
        )
    # The library wants the authenticator's own name of the passkey, which is not signed: the pseudonym stands for it.
    assertion = _readable(
        lambda: Assertion(
            bytes_to_base64url(proof["authenticator"].encode()), *(proof[name] for name in SIGNED_PARTS)
        )
    )
    digest = hashlib.sha256(proof["statement"].encode("utf-8", "surrogatepass")).digest()
    if challenge_in(assertion) != digest:
        raise AssertionRefusedError(
            "other_statement", "the passkey was put to another statement than this one"
        )
    verify_assertion(assertion, digest, public_key, rp_id=str(statement.get("rp_id")))


def verify_judgements(claims: Mapping[str, Any], passkeys: Mapping[str, PublicPasskey]) -> None:
    """Lets a receipt through whose judgements were signed, each with another passkey of its judge, over its evidence.

    Args:
        claims: of a receipt that verified.
        passkeys: whose public keys are trusted, by their pseudonyms.

    Raises:
        AssertionRefusedError: see `verify_judgement`; or a passkey that is not known, is another's, or comes twice; or
            the judges were shown something else than the receipt's evidence.
    """
    shown = _presentation_sha256(claims)
    used: set[str] = set()
    for judgement in claims["judgements"]:
        proof = judgement.get("webauthn")
        name = proof.get("authenticator") if isinstance(proof, Mapping) else None
        passkey = passkeys.get(name) if isinstance(name, str) else None
        if passkey is None or passkey.account_id != judgement.get("judge") or passkey.passkey_id in used:
            raise AssertionRefusedError("unknown_passkey", "a judgement names no passkey of its judge's own")
        used.add(passkey.passkey_id)
        verify_judgement(judgement, shown, passkey.public_key)


def _presentation_sha256(claims: Mapping[str, Any]) -> str:
    """The digest of what was shown, once it is of the receipt's own camera and pictures."""
    presentation = claims.get("presentation")
    if not isinstance(presentation, dict):
        raise AssertionRefusedError("malformed", "the receipt does not say what the judges were shown")
    evidence = {item["sha256_sealed"] for item in claims["evidence"]}
    shown = _readable(
        lambda: {item["kind"]: item["sha256"] for item in presentation["pictures"] if item["kind"] in _SEEN}
    )
    same_camera = presentation.get("camera_id") == claims["candidate"]["camera_id"]
    if set(shown) != _SEEN or not evidence.issuperset(shown.values()) or not same_camera:
        raise AssertionRefusedError(
            "other_statement", "the judges were shown something else than the evidence"
        )
    return _readable(lambda: hashlib.sha256(canonical_json(presentation)).hexdigest())


def _origin_at(assertion: Assertion, rp_id: str) -> str:
    """The page's address as the browser gave it, where it lies within the site and came over a safe way."""
    origin = _readable(lambda: parse_client_data_json(base64url_to_bytes(assertion.client_data_json)).origin)
    address = _readable(lambda: urlsplit(origin))
    host = address.hostname or ""
    within = host == rp_id or host.endswith(f".{rp_id}")
    if not within or (address.scheme != "https" and host != "localhost"):
        raise AssertionRefusedError("does_not_verify", f"signed on a page of {host}, not of {rp_id}")
    return origin


def _readable(read: Callable[[], _Read]) -> _Read:
    """What `read` gives; everything a hostile text may cause in it is a refusal."""
    try:
        return read()
    except WebAuthnException as error:
        raise AssertionRefusedError("does_not_verify", str(error)) from error
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        EOFError,
        RecursionError,
        SealingError,
    ) as error:
        raise AssertionRefusedError("malformed", "the assertion cannot be read") from error
