"""Verifies a receipt, or its retraction, with nothing but it and the public key.

Needs only the standard library and joserfc: the file can be taken out and used alone by whoever acts on
confirmed matches. A receipt that does not verify is no receipt: act on nothing that came with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

SCHEMA = "aiqyn.confirmed/1"
HEADER_TYPE = "aiqyn-confirmed+jws"
RETRACTED_SCHEMA = "aiqyn.retracted/1"
RETRACTED_HEADER_TYPE = "aiqyn-retracted+jws"
ALGORITHM = "Ed25519"
CLOCK_LEEWAY = timedelta(seconds=60)
"""How far the clocks of issuer and verifier may differ."""

_CANDIDATE_TEXTS = ("candidate_id", "camera_id", "deployment_id", "watchlist_id", "subject_id")
_RETRACTION_TEXTS = ("jti", "iss", "receipt_id", "candidate_id", "reason_code")


class ReceiptError(ValueError):
    """A receipt that must not be acted on.

    Attributes:
        code: `malformed`, `unknown_key`, `bad_signature`, `key_not_valid`, `wrong_schema`, `incomplete`,
            `not_two_judges`, `not_confirmed`, `not_yet_valid`, `stale` or `retracted`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, repr=False)
class ReceiptKey:
    """A public key that may have signed receipts.

    Attributes:
        jwk: the Ed25519 public key.
        key_id: its RFC 7638 thumbprint.
        not_before: it signed nothing before; None: not said.
        not_after: it signs nothing from then on; None: not said.
    """

    jwk: OKPKey
    key_id: str
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that holds.

    Attributes:
        claims: all it says.
        key_id: the key that signed it.
        act_before: from then on it may not be acted on.
    """

    claims: dict[str, Any]
    key_id: str
    act_before: datetime


@dataclass(frozen=True, slots=True)
class VerifiedRetraction:
    """A retraction that holds.

    Attributes:
        claims: all it says.
        key_id: the key that signed it.
        receipt_id: `jti` of the receipt that may not be acted on any more.
        issued_at: since when.
    """

    claims: dict[str, Any]
    key_id: str
    receipt_id: str
    issued_at: datetime


def load_keys(text: str) -> tuple[ReceiptKey, ...]:
    """The public keys in a PEM, a JWK or a JWK set.

    Raises:
        ValueError: none of these, a private key, or another kind of key.
    """
    if "PRIVATE KEY" in text:
        raise ValueError("this is a private key; verifying takes the public one")
    if text.lstrip().startswith("-----BEGIN"):
        return (_key_from_pem(text),)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("neither a PEM, a JWK nor a JWK set") from error
    members = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(members, list) or not members:
        raise ValueError("neither a PEM, a JWK nor a JWK set")
    return tuple(_key_from_jwk(member) for member in members)


def verify_receipt(
    receipt: str, keys: Sequence[ReceiptKey], *, at: datetime, retractions: Iterable[str] = ()
) -> VerifiedReceipt:
    """The receipt's claims, once everything about it holds.

    Args:
        receipt: a compact JWS.
        keys: those that may have signed it.
        at: the moment at which it would be acted on; aware.
        retractions: compact JWS of every retraction there is; those of other receipts change nothing.

    Raises:
        ReceiptError: unreadable, not signed by one of the keys within their dates, not of this schema, not
            two different judges who both said *same person*, or not to be acted on at that moment; or a
            retraction does not hold itself.
    """
    claims, key = _signed_claims(receipt, keys, HEADER_TYPE)
    if claims.get("schema") != SCHEMA:
        raise ReceiptError("wrong_schema", f"the schema is not {SCHEMA}")
    if claims.get("status") != "confirmed":
        raise ReceiptError("not_confirmed", "the status is not `confirmed`")
    _check_parts(claims)
    issued_at, act_before = _moment(claims, "issued_at"), _moment(claims, "act_before")
    _check_key_dates(key, issued_at)
    _check_judgements(claims, issued_at)
    for retraction in retractions:
        retracted = verify_retraction(retraction, keys)
        if retracted.receipt_id == claims["jti"] and at >= retracted.issued_at - CLOCK_LEEWAY:
            raise ReceiptError("retracted", f"retracted at {retracted.issued_at.isoformat()}")
    if at < issued_at - CLOCK_LEEWAY:
        raise ReceiptError("not_yet_valid", f"issued at {issued_at.isoformat()}, after {at.isoformat()}")
    if act_before <= issued_at or at >= act_before:
        raise ReceiptError("stale", f"could be acted on until {act_before.isoformat()}, not any more")
    return VerifiedReceipt(claims, key.key_id, act_before)


def verify_retraction(retraction: str, keys: Sequence[ReceiptKey]) -> VerifiedRetraction:
    """What a retraction says, once everything about it holds. It never becomes stale.

    Args:
        retraction: a compact JWS.
        keys: those that may have signed it.

    Raises:
        ReceiptError: unreadable, not signed by one of the keys within their dates, or not of this schema.
    """
    claims, key = _signed_claims(retraction, keys, RETRACTED_HEADER_TYPE)
    if claims.get("schema") != RETRACTED_SCHEMA:
        raise ReceiptError("wrong_schema", f"the schema is not {RETRACTED_SCHEMA}")
    for name in _RETRACTION_TEXTS:
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise ReceiptError("incomplete", f"`{name}` is missing")
    issued_at = _moment(claims, "issued_at")
    _check_key_dates(key, issued_at)
    return VerifiedRetraction(claims, key.key_id, claims["receipt_id"], issued_at)


def verify_stream_event(event: str, keys: Sequence[ReceiptKey], *, at: datetime) -> VerifiedReceipt:
    """The receipt in an entry of the confirmed stream; whatever else the entry says is not looked at.

    Args:
        event: the field `event` of the entry: `{"schema": "aiqyn.confirmed/1", "receipt": "<compact JWS>"}`.
        keys: those that may have signed it.
        at: the moment at which it would be acted on; aware.

    Raises:
        ReceiptError: as `verify_receipt`, or the entry holds no receipt.
    """
    return verify_receipt(receipt_in_event(event), keys, at=at)


def receipt_in_event(event: str) -> str:
    """The compact JWS in an entry's field `event`; raises ReceiptError where there is none."""
    return _token_in_event(event, "receipt", SCHEMA)


def retraction_in_event(event: str) -> str:
    """The compact JWS of a retraction in an entry's field `event`; raises ReceiptError where there is none."""
    return _token_in_event(event, "retraction", RETRACTED_SCHEMA)


def _token_in_event(event: str, name: str, schema: str) -> str:
    document = _json_object(event, "the entry")
    token = document.get(name)
    if document.get("schema") != schema or not isinstance(token, str):
        raise ReceiptError("malformed", f"the entry holds no {name} of schema {schema}")
    return token


def _check_key_dates(key: ReceiptKey, issued_at: datetime) -> None:
    early = key.not_before is not None and issued_at < key.not_before
    if early or (key.not_after is not None and issued_at >= key.not_after):
        raise ReceiptError("key_not_valid", f"issued at {issued_at.isoformat()}, outside the key's dates")


def _signed_claims(
    token: str, keys: Sequence[ReceiptKey], header_type: str
) -> tuple[dict[str, Any], ReceiptKey]:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise ReceiptError("malformed", "this is no compact JWS") from error
    if header.get("alg") != ALGORITHM or header.get("typ") != header_type:
        raise ReceiptError("malformed", f"the header is not what it should be ({ALGORITHM}, {header_type})")
    key = next((key for key in keys if key.key_id == header.get("kid")), None)
    if key is None:
        raise ReceiptError("unknown_key", "signed with a key that is not among those given")
    try:
        payload = jws.deserialize_compact(token, key.jwk, algorithms=[ALGORITHM]).payload
    except (JoseError, ValueError, TypeError) as error:
        raise ReceiptError(
            "bad_signature", "the signature does not hold: it was changed or forged"
        ) from error
    return _json_object(payload.decode("utf-8", "replace"), "what is signed"), key


def _check_parts(claims: Mapping[str, Any]) -> None:
    for name in ("jti", "iss"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise ReceiptError("incomplete", f"`{name}` is missing")
    candidate, ledger = claims.get("candidate"), claims.get("ledger")
    if not isinstance(candidate, dict) or not all(
        isinstance(candidate.get(name), str) and candidate[name] for name in _CANDIDATE_TEXTS
    ):
        raise ReceiptError("incomplete", "`candidate` is missing or does not say which one it is")
    if not isinstance(ledger, dict) or not isinstance(ledger.get("entry_hash"), str):
        raise ReceiptError("incomplete", "`ledger` is missing: the confirmation is not in the log")
    if not isinstance(claims.get("evidence"), list) or not claims["evidence"]:
        raise ReceiptError("incomplete", "`evidence` is missing: nothing says what was judged")


def _check_judgements(claims: Mapping[str, Any], issued_at: datetime) -> None:
    policy, judgements = claims.get("policy"), claims.get("judgements")
    if not isinstance(policy, dict) or not isinstance(policy.get("judges"), int) or policy["judges"] < 2:
        raise ReceiptError("not_two_judges", "the policy asks for fewer than two judges")
    if not isinstance(judgements, list) or not all(isinstance(one, dict) for one in judgements):
        raise ReceiptError("not_two_judges", "`judgements` is missing")
    judges = [one.get("judge") for one in judgements]
    if not all(isinstance(judge, str) and judge for judge in judges):
        raise ReceiptError("not_two_judges", "a judgement does not say whose it is")
    if len(judges) < policy["judges"] or len(set(judges)) != len(judges):
        raise ReceiptError("not_two_judges", "not confirmed by two different judges")
    for one in judgements:
        if one.get("answer") != "same_person":
            raise ReceiptError("not_confirmed", "a judge did not answer `same_person`")
        if _moment(one, "answered_at") > issued_at:
            raise ReceiptError("not_confirmed", "a judgement is younger than the receipt")


def _moment(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ReceiptError("incomplete", f"`{name}` is missing or no RFC 3339 time with its offset")
    return moment.astimezone(UTC)


def _json_object(text: str, what: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError
        return members

    try:
        document = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ReceiptError("malformed", f"{what} is not JSON, or names a member twice") from error
    if not isinstance(document, dict):
        raise ReceiptError("malformed", f"{what} is not a JSON object")
    return document


def _key_from_pem(text: str) -> ReceiptKey:
    try:
        jwk = OKPKey.import_key(text)
    except (JoseError, ValueError, TypeError) as error:
        raise ValueError("the PEM holds no Ed25519 public key") from error
    return _checked_key(jwk, {})


def _key_from_jwk(members: object) -> ReceiptKey:
    if not isinstance(members, dict) or "d" in members:
        raise ValueError("a JWK is damaged or private; verifying takes public keys")
    try:
        jwk = OKPKey.import_key({name: members[name] for name in ("kty", "crv", "x")})
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("a JWK is not an Ed25519 public key") from error
    return _checked_key(jwk, members)


def _checked_key(jwk: OKPKey, members: Mapping[str, Any]) -> ReceiptKey:
    if jwk.curve_name != "Ed25519" or jwk.is_private:
        raise ValueError("the key is not an Ed25519 public key")
    return ReceiptKey(jwk, jwk.thumbprint(), _key_date(members, "nbf"), _key_date(members, "exp"))


def _key_date(members: Mapping[str, Any], name: str) -> datetime | None:
    seconds = members.get(name)
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, OverflowError, OSError, ValueError) as error:
        raise ValueError(f"`{name}` of a JWK is no number of seconds since 1970") from error
