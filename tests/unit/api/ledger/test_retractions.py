"""`api.ledger.retractions` and its verifier: what makes a receipt void, and what does not."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.ledger.receipts import LedgerPlace, build_receipt
from api.ledger.retractions import RetractionContent, build_retraction
from api.ledger.verify import (
    CLOCK_LEEWAY,
    RETRACTED_HEADER_TYPE,
    ReceiptError,
    load_keys,
    retraction_in_event,
    verify_receipt,
    verify_retraction,
)
from pipelines.canonical import canonical_json
from pipelines.events import Retracted
from pipelines.signing import SigningKey
from tests.unit.api.ledger.test_receipts import ISSUED, KEY, PUBLIC, make_content

LATER = ISSUED + timedelta(minutes=5)
RECEIPT = make_content()
CONTENT = RetractionContent(
    retraction_id=str(uuid.UUID(int=9)),
    issuer=RECEIPT.issuer,
    issued_at=LATER,
    receipt_id=str(RECEIPT.receipt_id),
    candidate_id=str(RECEIPT.candidate.candidate_id),
    reason_code="judge_error",
    ledger=LedgerPlace(7, "f" * 64),
)


def retraction(key: SigningKey = KEY, **changes: Any) -> str:
    return build_retraction(replace(CONTENT, **changes), key)


def refused(*retractions: str) -> str:
    with pytest.raises(ReceiptError) as caught:
        verify_receipt(build_receipt(RECEIPT, KEY), PUBLIC, at=LATER, retractions=retractions)
    return caught.value.code


def test_a_retraction_says_what_it_retracts_and_is_of_its_schema() -> None:
    verified = verify_retraction(retraction(), PUBLIC)
    assert (verified.receipt_id, verified.issued_at) == (str(RECEIPT.receipt_id), LATER)
    assert Retracted.model_validate(verified.claims).reason_code == "judge_error"


def test_a_retracted_receipt_is_refused_and_others_are_not() -> None:
    assert refused(retraction()) == "retracted"
    other = retraction(receipt_id=str(uuid.uuid4()))
    verify_receipt(build_receipt(RECEIPT, KEY), PUBLIC, at=LATER, retractions=[other])
    assert refused(other, retraction()) == "retracted"


def test_what_was_done_before_the_retraction_was_not_wrong() -> None:
    before = LATER - CLOCK_LEEWAY - timedelta(seconds=1)
    verify_receipt(build_receipt(RECEIPT, KEY), PUBLIC, at=before, retractions=[retraction()])


def test_a_forged_retraction_retracts_nothing_and_is_said() -> None:
    forger = SigningKey.generate()
    assert refused(retraction(forger)) == "unknown_key"
    with pytest.raises(ReceiptError) as caught:
        verify_retraction(build_receipt(RECEIPT, KEY), PUBLIC)
    assert caught.value.code == "malformed"
    head, _, signature = retraction().split(".")
    body = retraction(receipt_id=str(uuid.uuid4())).split(".")[1]
    assert refused(f"{head}.{body}.{signature}") == "bad_signature"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"schema": "aiqyn.confirmed/1"}, "wrong_schema"),
        ({"receipt_id": None}, "incomplete"),
        ({"reason_code": ""}, "incomplete"),
        ({"issued_at": "yesterday"}, "incomplete"),
    ],
)
def test_a_retraction_without_its_parts_is_none(changes: dict[str, Any], code: str) -> None:
    claims = {**verify_retraction(retraction(), PUBLIC).claims, **changes}
    with pytest.raises(ReceiptError) as caught:
        verify_retraction(KEY.sign(canonical_json(claims), content=RETRACTED_HEADER_TYPE), PUBLIC)
    assert caught.value.code == code


def test_a_key_outside_its_dates_retracts_nothing() -> None:
    (key,) = load_keys(KEY.public_pem().decode())
    with pytest.raises(ReceiptError) as caught:
        verify_retraction(retraction(), [replace(key, not_after=ISSUED)])
    assert caught.value.code == "key_not_valid"


def test_an_entry_of_the_stream_holds_one_or_is_refused() -> None:
    token = retraction()
    assert retraction_in_event(f'{{"schema": "aiqyn.retracted/1", "retraction": "{token}"}}') == token
    with pytest.raises(ReceiptError):
        retraction_in_event(f'{{"schema": "aiqyn.confirmed/1", "receipt": "{token}"}}')
