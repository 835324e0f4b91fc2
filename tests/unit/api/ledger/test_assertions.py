"""A stored judgement, and a receipt, checked years later with the judges' public keys and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner

from aiqyn.commands import receipt as receipt_command
from api.ledger.assertions import (
    Assertion,
    AssertionRefusedError,
    load_passkeys,
    verify_assertion,
    verify_judgement,
    verify_judgements,
)
from api.ledger.verify import load_keys, verify_receipt
from api.review.statement import statement_digest
from api.store.models import JudgementRecord, Passkey
from tests.api_client import Clients

Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def receipt(clients: Clients) -> dict[str, Any]:
    """The claims of a receipt, its text, and the public keys an auditor has fetched."""
    clients.seeded.take_in()
    for name in ("aigul", "daniyar"):
        person = clients.login(name)
        review_id = person.queue()[0]["review_id"]
        assert person.answer(review_id, "same_person", reason="ears and scar").status_code == 201
    assert clients.seeded.services.hold_clock.run_once() == 1
    auditor = clients.login("erlan")
    candidate = auditor.get("/candidates").json()["items"][0]
    text = auditor.get(f"/receipts/{candidate['candidate_id']}").json()["receipt"]
    jwks = clients.http.get("/.well-known/jwks.json").text
    claims = verify_receipt(text, load_keys(jwks), at=clients.seeded.services.desk._clock()).claims
    passkeys = auditor.get("/passkeys/public").text
    return {"claims": claims, "text": text, "jwks": jwks, "passkeys": passkeys}


def test_a_judgement_verifies_from_what_is_stored(clients: Clients, receipt: dict[str, Any]) -> None:
    with clients.seeded.services.database.read() as session:
        rows = session.scalars(select(JudgementRecord)).all()
        keys = {row.passkey_id: row for row in session.scalars(select(Passkey))}
    assert len(rows) == 2
    for row in rows:
        assert row.statement
        assert row.assertion
        assert row.authenticator
        key = keys[row.authenticator]
        said = json.loads(row.statement)
        assert (said["answer"], said["reason"], said["judge"]) == (row.answer, row.reason, row.account_id)
        digest = statement_digest(row.statement)
        assert verify_assertion(Assertion(**row.assertion), digest, key.public_key, rp_id=key.rp_id) > 0
        other = next(one for one in keys.values() if one is not key)
        with pytest.raises(AssertionRefusedError):
            verify_assertion(Assertion(**row.assertion), digest, other.public_key, rp_id=key.rp_id)


def test_a_receipt_carries_what_proves_each_judgement(receipt: dict[str, Any]) -> None:
    judgements = receipt["claims"]["judgements"]
    verify_judgements(receipt["claims"], load_passkeys(receipt["passkeys"]))
    parts = {"authenticator", "statement", "authenticator_data", "client_data_json", "signature"}
    assert all(set(one["webauthn"]) == parts for one in judgements)


@pytest.mark.system  # takes its time
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda one: one.update(answer="different"), "other_statement", id="another answer"),
        pytest.param(lambda one: one.update(reason="no reason"), "other_statement", id="another reason"),
        pytest.param(lambda one: one.update(webauthn=None), "malformed", id="no assertion"),
        pytest.param(lambda one: one["webauthn"].pop("signature"), "malformed", id="no signature"),
        pytest.param(
            lambda one: one["webauthn"].update(statement=one["webauthn"]["statement"] + " "),
            "other_statement",
            id="another statement",
        ),
        pytest.param(
            lambda one: one["webauthn"].update(signature=one["webauthn"]["signature"][:-6] + "AAAAAA"),
            "does_not_verify",
            id="another signature",
        ),
        pytest.param(lambda one: one["webauthn"].update(statement="["), "malformed", id="no statement"),
    ],
)
def test_a_judgement_changed_afterwards_does_not_verify(
    receipt: dict[str, Any], spoil: Spoil, code: str
) -> None:
    judgement = copy.deepcopy(receipt["claims"]["judgements"][0])
    key = load_passkeys(receipt["passkeys"])[judgement["webauthn"]["authenticator"]].public_key
    shown = json.loads(judgement["webauthn"]["statement"])["presentation_sha256"]
    verify_judgement(judgement, shown, key)
    spoil(judgement)
    with pytest.raises(AssertionRefusedError) as refusal:
        verify_judgement(judgement, shown, key)
    assert refusal.value.code == code


def test_one_passkey_does_not_sign_for_two(receipt: dict[str, Any]) -> None:
    claims, passkeys = receipt["claims"], load_passkeys(receipt["passkeys"])
    first, second = claims["judgements"]
    for judgements in ([first, first], [first, second | {"judge": first["judge"]}]):
        with pytest.raises(AssertionRefusedError) as refusal:
            verify_judgements(claims | {"judgements": judgements}, passkeys)
        assert refusal.value.code == "unknown_passkey"
    with pytest.raises(AssertionRefusedError):
        verify_judgements(claims, {})


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda claims: claims.update(presentation=None), "malformed", id="nothing shown"),
        pytest.param(
            lambda claims: claims["presentation"].update(pts_seconds=1.0),
            "other_statement",
            id="another moment",
        ),
        pytest.param(
            lambda claims: claims["candidate"].update(camera_id="x"), "other_statement", id="another camera"
        ),
        pytest.param(
            lambda claims: claims["evidence"][0].update(sha256_sealed="0" * 64),
            "other_statement",
            id="other evidence",
        ),
        pytest.param(lambda claims: claims["presentation"].pop("pictures"), "malformed", id="no pictures"),
    ],
)
def test_answers_to_something_else_confirm_nothing(receipt: dict[str, Any], spoil: Spoil, code: str) -> None:
    """Signed answers of the same two people to another candidate, put into this one's receipt."""
    claims = copy.deepcopy(receipt["claims"])
    spoil(claims)
    with pytest.raises(AssertionRefusedError) as refusal:
        verify_judgements(claims, load_passkeys(receipt["passkeys"]))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "text", ["", "[]", '{"items": [1]}', '{"items": [{"passkey_id": "x"}]}', "[" * 100_000]
)
def test_what_is_no_list_of_passkeys_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no list of passkeys"):
        load_passkeys(text)


def test_the_command_checks_the_judges_signatures(receipt: dict[str, Any], tmp_path: Path) -> None:
    for name in ("text", "jwks", "passkeys"):
        (tmp_path / name).write_text(receipt[name], "utf-8")
    app = typer.Typer()
    app.callback()(lambda: None)
    receipt_command.register(app)
    arguments = ["receipt", "verify", str(tmp_path / "text"), "--key", str(tmp_path / "jwks")]
    signed = [*arguments, "--passkeys", str(tmp_path / "passkeys")]
    found = CliRunner().invoke(app, signed)
    assert (found.exit_code, found.stdout.count("signed with her passkey")) == (0, 2)
    keys = json.loads(receipt["passkeys"])
    for row in keys["items"]:
        row["public_key"] = keys["items"][0]["public_key"]
    (tmp_path / "passkeys").write_text(json.dumps(keys), "utf-8")
    assert CliRunner().invoke(app, signed).exit_code == 1
    assert CliRunner().invoke(app, arguments).exit_code == 0
    (tmp_path / "passkeys").write_text("nothing", "utf-8")
    assert CliRunner().invoke(app, signed).exit_code == 2
