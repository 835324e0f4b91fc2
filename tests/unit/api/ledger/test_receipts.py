"""`api.ledger.receipts` and `api.ledger.verify`: what is a receipt, and all that is none."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import api.ledger.verify as verify_module
from api.ledger.receipts import (
    LedgerPlace,
    ReceiptContent,
    ReceiptJudgement,
    ReceiptPolicy,
    build_receipt,
    receipt_claims,
)
from api.ledger.verify import (
    HEADER_TYPE,
    ReceiptError,
    ReceiptKey,
    load_keys,
    verify_receipt,
    verify_stream_event,
)
from pipelines.canonical import canonical_json
from pipelines.signing import SigningKey, VerifyingKey, VerifyingKeys
from tests.event_builders import NOON, make_candidate

ISSUED = NOON + timedelta(minutes=2)
KEY = SigningKey.generate()
PUBLIC = load_keys(KEY.public_pem().decode())


def make_content(**changes: Any) -> ReceiptContent:
    answers = tuple(
        ReceiptJudgement(judge, "same_person", NOON + timedelta(seconds=30 * n))
        for n, judge in enumerate(("judge-1", "judge-2"))
    )
    content = ReceiptContent(
        receipt_id=uuid.UUID(int=7),
        issuer="aiqyn.example",
        issued_at=ISSUED,
        act_before=ISSUED + timedelta(minutes=15),
        candidate=make_candidate(SigningKey.generate()),
        judgements=answers,
        policy=ReceiptPolicy("two-blind/1", hold_seconds=10),
        ledger=LedgerPlace(4, "e" * 64),
    )
    return replace(content, **changes)


def sign_claims(claims: dict[str, Any], key: SigningKey = KEY) -> str:
    return key.sign(canonical_json(claims), content=HEADER_TYPE)


def refused(receipt: str, keys: tuple[ReceiptKey, ...] = PUBLIC, at: datetime = ISSUED) -> str:
    with pytest.raises(ReceiptError) as caught:
        verify_receipt(receipt, keys, at=at)
    return caught.value.code


def test_a_receipt_says_all_and_verifies() -> None:
    verified = verify_receipt(build_receipt(make_content(), KEY), PUBLIC, at=ISSUED)
    claims = verified.claims
    assert claims["schema"] == "aiqyn.confirmed/1"
    assert claims["status"] == "confirmed"
    assert claims["issued_at"] == "2026-03-01T12:02:00Z"
    assert claims["candidate"]["subject_id"] == "s1"
    assert claims["candidate"]["models"][0]["sha256"] == "a" * 64
    assert claims["candidate"]["signature"]["key_id"]
    assert claims["evidence"] == [
        {"kind": "probe", "ref": f"cc/{'c' * 64}.sealed", "sha256_plain": "b" * 64, "sha256_sealed": "c" * 64}
    ]
    assert [one["judge"] for one in claims["judgements"]] == ["judge-1", "judge-2"]
    assert all(one["webauthn"] is None for one in claims["judgements"])
    assert claims["ledger"]["merkle"] is None
    assert "no inclusion proof" in claims["ledger"]["merkle_note"]
    assert verified.key_id == KEY.key_id


class TestNotBuilt:
    @pytest.mark.parametrize(
        ("judges", "code"),
        [
            pytest.param((), "not_two_judges", id="nobody"),
            pytest.param(("judge-1",), "not_two_judges", id="one"),
            pytest.param(("judge-1", "judge-1"), "not_two_judges", id="one, twice"),
        ],
    )
    def test_without_two_people(self, judges: tuple[str, ...], code: str) -> None:
        answers = tuple(ReceiptJudgement(judge, "same_person", NOON) for judge in judges)
        with pytest.raises(ReceiptError) as caught:
            build_receipt(make_content(judgements=answers), KEY)
        assert caught.value.code == code

    @pytest.mark.parametrize("answer", ["different", "cannot_tell", ""])
    def test_with_another_answer(self, answer: str) -> None:
        first, second = make_content().judgements
        with pytest.raises(ReceiptError, match="same_person"):
            build_receipt(make_content(judgements=(first, replace(second, answer=answer))), KEY)

    def test_by_a_policy_of_one(self) -> None:
        with pytest.raises(ReceiptError, match="two different"):
            build_receipt(make_content(policy=ReceiptPolicy("one/1", 0, judges=1)), KEY)

    def test_before_an_answer_or_after_its_own_end(self) -> None:
        with pytest.raises(ReceiptError, match="older"):
            build_receipt(make_content(issued_at=NOON), KEY)
        with pytest.raises(ReceiptError, match="act_before"):
            build_receipt(make_content(act_before=ISSUED), KEY)


class TestRefused:
    """Signed with the right key, as only a faulty issuer could: still nothing to act on."""

    def test_the_untouched_claims_hold(self) -> None:
        verify_receipt(sign_claims(receipt_claims(make_content())), PUBLIC, at=ISSUED)

    @pytest.mark.parametrize(
        ("path", "value", "code"),
        [
            pytest.param("schema", "aiqyn.candidate/1", "wrong_schema", id="another schema"),
            pytest.param("status", "unconfirmed", "not_confirmed", id="another status"),
            pytest.param("jti", "", "incomplete", id="no id"),
            pytest.param("iss", None, "incomplete", id="no issuer"),
            pytest.param("issued_at", "yesterday", "incomplete", id="no time"),
            pytest.param("issued_at", "2026-03-01T12:02:00", "incomplete", id="a time without offset"),
            pytest.param("act_before", None, "incomplete", id="no end"),
            pytest.param("act_before", "2026-03-01T12:01:59Z", "stale", id="ends before it begins"),
            pytest.param("candidate", None, "incomplete", id="no candidate"),
            pytest.param("candidate.subject_id", "", "incomplete", id="no subject"),
            pytest.param("evidence", [], "incomplete", id="no evidence"),
            pytest.param("ledger", None, "incomplete", id="not in the log"),
            pytest.param("policy.judges", 1, "not_two_judges", id="a policy of one"),
            pytest.param("policy.judges", 3, "not_two_judges", id="a policy of three, two judged"),
            pytest.param("policy", None, "not_two_judges", id="no policy"),
            pytest.param("judgements", [], "not_two_judges", id="no judgements"),
            pytest.param("judgements", "two", "not_two_judges", id="judgements in words"),
            pytest.param("judgements.1.judge", "judge-1", "not_two_judges", id="the same judge twice"),
            pytest.param("judgements.1.judge", None, "not_two_judges", id="a judge without a name"),
            pytest.param("judgements.1.answer", "different", "not_confirmed", id="one said different"),
            pytest.param("judgements.0.answer", "cannot_tell", "not_confirmed", id="one could not tell"),
            pytest.param("judgements.0.answered_at", "2026-03-01T13:00:00Z", "not_confirmed", id="too late"),
        ],
    )
    def test_by_what_it_says(self, path: str, value: object, code: str) -> None:
        claims: Any = receipt_claims(make_content())
        *parents, last = path.split(".")
        place = claims
        for name in parents:
            place = place[int(name)] if name.isdigit() else place[name]
        place[last] = value
        assert refused(sign_claims(claims)) == code

    def test_with_one_judgement_left_out(self) -> None:
        claims = receipt_claims(make_content())
        del claims["judgements"][0]
        assert refused(sign_claims(claims)) == "not_two_judges"


class TestForged:
    def test_by_a_stranger(self) -> None:
        stranger = SigningKey.generate()
        assert refused(build_receipt(make_content(), stranger)) == "unknown_key"

    def test_by_a_stranger_under_the_right_name(self) -> None:
        header, *_ = build_receipt(make_content(), KEY).split(".")
        _, payload, signature = build_receipt(make_content(), SigningKey.generate()).split(".")
        assert refused(f"{header}.{payload}.{signature}") == "bad_signature"

    def test_by_changing_it(self) -> None:
        header, _, signature = build_receipt(make_content(), KEY).split(".")
        _, other, _ = build_receipt(make_content(issuer="elsewhere"), KEY).split(".")
        assert refused(f"{header}.{other}.{signature}") == "bad_signature"

    def test_out_of_something_else_the_key_signed(self) -> None:
        other = KEY.sign(canonical_json(receipt_claims(make_content())), content="something+jws")
        assert refused(other) == "malformed"

    @pytest.mark.parametrize(
        "text", ["", "a.b.c", "{}", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "☃", "." * 40, "A" * 300_000]
    )
    def test_out_of_nothing(self, text: str) -> None:
        assert refused(text) == "malformed"

    def test_with_a_member_named_twice(self) -> None:
        text = canonical_json(receipt_claims(make_content()))
        twice = text[:-1] + b',"status":"confirmed"}'
        assert refused(KEY.sign(twice, content=HEADER_TYPE)) == "malformed"


@pytest.mark.parametrize(
    ("after", "code"),
    [
        pytest.param(timedelta(minutes=-2), "not_yet_valid", id="before it was issued"),
        pytest.param(timedelta(seconds=-59), None, id="clocks a little apart"),
        pytest.param(timedelta(minutes=14, seconds=59), None, id="the last second"),
        pytest.param(timedelta(minutes=15), "stale", id="at its end"),
        pytest.param(timedelta(days=400), "stale", id="a year later"),
    ],
)
def test_when_it_may_be_acted_on(after: timedelta, code: str | None) -> None:
    receipt = build_receipt(make_content(), KEY)
    if code is None:
        verify_receipt(receipt, PUBLIC, at=ISSUED + after)
    else:
        assert refused(receipt, at=ISSUED + after) == code


@pytest.mark.parametrize(
    ("begins", "ends", "holds"),
    [
        pytest.param(-60, 60, True, id="within the key's dates"),
        pytest.param(1, 60, False, id="before the key began"),
        pytest.param(-60, 0, False, id="after the key ended"),
    ],
)
def test_dates_of_the_key(begins: int, ends: int, holds: bool) -> None:
    public = KEY.verifying_key
    dated = VerifyingKey(
        public.jwk,
        public.key_id,
        not_before=ISSUED + timedelta(seconds=begins),
        not_after=ISSUED + timedelta(seconds=ends),
    )
    keys = load_keys(json.dumps(VerifyingKeys([dated]).to_jwks()))
    receipt = build_receipt(make_content(), KEY)
    if holds:
        verify_receipt(receipt, keys, at=ISSUED)
    else:
        assert refused(receipt, keys) == "key_not_valid"


class TestStreamEntries:
    def test_the_receipt_in_an_entry_is_what_counts(self) -> None:
        event = json.dumps({"schema": "aiqyn.confirmed/1", "receipt": build_receipt(make_content(), KEY)})
        assert verify_stream_event(event, PUBLIC, at=ISSUED).claims["iss"] == "aiqyn.example"

    @pytest.mark.parametrize(
        "event",
        [
            "",
            "[]",
            "{}",
            '{"schema": "aiqyn.confirmed/1"}',
            '{"schema": "aiqyn.confirmed/1", "receipt": "a.b.c"}',
            '{"schema": "aiqyn.confirmed/1", "status": "confirmed", "judgements": [{}, {}]}',
            '{"schema": "aiqyn.confirmed/1", "receipt": "", "receipt": ""}',
        ],
    )
    def test_a_hand_made_entry_is_refused(self, event: str) -> None:
        with pytest.raises(ReceiptError) as caught:
            verify_stream_event(event, PUBLIC, at=ISSUED)
        assert caught.value.code == "malformed"


class TestKeys:
    @pytest.mark.parametrize("form", ["pem", "jwk", "jwks"])
    def test_three_forms_of_one_key(self, form: str) -> None:
        jwk = KEY.verifying_key.to_jwk()
        text = {"pem": KEY.public_pem().decode(), "jwk": json.dumps(jwk), "jwks": json.dumps({"keys": [jwk]})}
        verify_receipt(build_receipt(make_content(), KEY), load_keys(text[form]), at=ISSUED)

    def test_a_private_key_is_refused_unread(self) -> None:
        with pytest.raises(ValueError, match="private key"):
            load_keys(KEY.to_pem().decode())

    @pytest.mark.parametrize(
        "text",
        ["", "{}", "[]", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}', "-----BEGIN NOTHING-----"],
    )
    def test_what_is_no_key(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"PEM|JWK"):
            load_keys(text)


def test_the_verifier_stands_alone(tmp_path: Path) -> None:
    """The file, copied elsewhere, verifies with joserfc and the standard library, and imports nothing else."""
    source = Path(verify_module.__file__).read_text("utf-8")
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [getattr(node, "module", "") or ""]
        )
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported - {"joserfc", "cryptography"} <= sys.stdlib_module_names
    (tmp_path / "alone.py").write_text(source, "utf-8")
    (tmp_path / "receipt").write_text(build_receipt(make_content(), KEY), "utf-8")
    (tmp_path / "key.pem").write_bytes(KEY.public_pem())
    script = (
        "import alone, datetime, pathlib\n"
        "keys = alone.load_keys(pathlib.Path('key.pem').read_text())\n"
        f"at = datetime.datetime.fromisoformat('{ISSUED.isoformat()}')\n"
        "assert alone.verify_receipt(pathlib.Path('receipt').read_text(), keys, at=at).claims['jti']\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
