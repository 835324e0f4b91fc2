"""`aiqyn receipt verify`: with nothing but the receipt and the public key."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aiqyn.commands import receipt
from api.ledger.receipts import LedgerPlace, ReceiptContent, ReceiptJudgement, ReceiptPolicy, build_receipt
from api.ledger.retractions import RetractionContent, build_retraction
from pipelines.signing import SigningKey
from tests.event_builders import make_candidate

KEY = SigningKey.generate()
ISSUED = datetime.now(UTC) - timedelta(minutes=1)


def make_receipt(issued_at: datetime = ISSUED) -> str:
    judgements = tuple(ReceiptJudgement(name, "same_person", issued_at) for name in ("judge-1", "judge-2"))
    content = ReceiptContent(
        uuid.UUID(int=7),
        "aiqyn.example",
        issued_at,
        issued_at + timedelta(minutes=15),
        make_candidate(SigningKey.generate()),
        judgements,
        ReceiptPolicy("two-blind/1", 10),
        LedgerPlace(0, "e" * 64),
    )
    return build_receipt(content, KEY)


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    receipt.register(app)
    return app


@pytest.fixture
def key(tmp_path: Path) -> str:
    (tmp_path / "key.pem").write_bytes(KEY.public_pem())
    return str(tmp_path / "key.pem")


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "receipt").write_text(make_receipt() + "\n")
    return str(tmp_path / "receipt")


def run(app: typer.Typer, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["receipt", "verify", *arguments], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_a_receipt_that_holds(app: typer.Typer, key: str, good: str) -> None:
    code, out, err = run(app, good, "--key", key)
    assert (code, err) == (0, "")
    assert "holds" in out
    assert "judge-1 answered same_person" in out


def test_as_json(app: typer.Typer, key: str, good: str) -> None:
    code, out, _ = run(app, good, "--key", key, "--json")
    document = json.loads(out)
    assert (code, document["valid"], document["code"]) == (0, True, None)
    assert document["receipt"]["policy"]["judges"] == 2


@pytest.mark.parametrize("form", ["bare", "entry"])
def test_from_standard_input(app: typer.Typer, key: str, form: str) -> None:
    text = make_receipt()
    entry = json.dumps({"schema": "aiqyn.confirmed/1", "receipt": text})
    assert run(app, "-", "--key", key, stdin=text if form == "bare" else entry)[0] == 0


def test_keys_as_published(app: typer.Typer, good: str, tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.verifying_key.to_jwk()]}))
    assert run(app, good, "--key", str(tmp_path / "jwks.json"))[0] == 0


def test_an_old_one_is_refused_unless_the_moment_is_named(app: typer.Typer, key: str, tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text(make_receipt(datetime(2025, 3, 1, 12, tzinfo=UTC)))
    code, out, err = run(app, str(path), "--key", key)
    assert (code, out) == (1, "")
    assert "(stale)" in err
    assert run(app, str(path), "--key", key, "--at", "2025-03-01T17:05:00+05:00")[0] == 0
    assert run(app, str(path), "--key", key, "--at", "2025-03-01T12:15:00Z")[0] == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("a.b.c", "malformed", id="no receipt"),
        pytest.param('{"schema": "aiqyn.confirmed/1"}', "malformed", id="an entry without one"),
        pytest.param("changed", "bad_signature", id="changed"),
    ],
)
def test_what_must_not_be_acted_on(app: typer.Typer, key: str, tmp_path: Path, text: str, code: str) -> None:
    header, payload, signature = make_receipt().split(".")
    text = f"{header}.{payload[:-8]}{'A' * 8}.{signature}" if text == "changed" else text
    (tmp_path / "bad").write_text(text)
    exit_code, out, err = run(app, str(tmp_path / "bad"), "--key", key, "--json")
    assert exit_code == 1
    assert json.loads(out)["code"] == code
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_another_key(app: typer.Typer, good: str, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(SigningKey.generate().public_pem())
    code, _, err = run(app, good, "--key", str(tmp_path / "other.pem"))
    assert code == 1
    assert "(unknown_key)" in err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["{missing}", "--key", "{key}"], id="no such receipt"),
        pytest.param(["{good}", "--key", "{missing}"], id="no such key"),
        pytest.param(["{good}", "--key", "{good}"], id="a key that is none"),
        pytest.param(["{good}", "--key", "{private}"], id="a private key"),
        pytest.param(["{good}", "--key", "{key}", "--at", "noon"], id="no time"),
        pytest.param(["{good}", "--key", "{key}", "--at", "2026-03-01T12:00:00"], id="a time without offset"),
        pytest.param(["{huge}", "--key", "{key}"], id="too large"),
    ],
)
def test_what_could_not_be_looked_at(
    app: typer.Typer, key: str, good: str, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "private.pem").write_bytes(KEY.to_pem())
    (tmp_path / "huge").write_bytes(b"a" * 1_000_001)
    places = {
        "missing": tmp_path / "missing",
        "key": key,
        "good": good,
        "private": tmp_path / "private.pem",
        "huge": tmp_path / "huge",
    }
    code, out, err = run(app, *[argument.format(**places) for argument in arguments])
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


@pytest.mark.parametrize("content", ["[" * 100_000, '{"keys":' * 50_000, "x" * 1_000_001])
def test_a_hostile_key_file_is_one_line(app: typer.Typer, good: str, tmp_path: Path, content: str) -> None:
    (tmp_path / "hostile").write_text(content)
    code, out, err = run(app, good, "--key", str(tmp_path / "hostile"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(tmp_path / "hostile") in err


@pytest.mark.parametrize("as_entry", [False, True], ids=["the retraction", "its stream entry"])
def test_a_retracted_receipt_is_refused(
    app: typer.Typer, key: str, good: str, tmp_path: Path, as_entry: bool
) -> None:
    token = build_retraction(
        RetractionContent(
            retraction_id=str(uuid.uuid4()),
            issuer="aiqyn.example",
            issued_at=datetime.now(UTC),
            receipt_id=str(uuid.UUID(int=7)),
            candidate_id=str(uuid.uuid4()),
            reason_code="judge_error",
            ledger=LedgerPlace(1, "f" * 64),
        ),
        KEY,
    )
    given = json.dumps({"schema": "aiqyn.retracted/1", "retraction": token}) if as_entry else token
    (tmp_path / "retraction").write_text(given)
    code, out, _ = run(app, good, "--key", key, "--retraction", str(tmp_path / "retraction"), "--json")
    assert (code, json.loads(out)["code"]) == (1, "retracted")


def test_what_is_no_retraction_is_said(app: typer.Typer, key: str, good: str, tmp_path: Path) -> None:
    (tmp_path / "retraction").write_text(make_receipt())
    code, _, err = run(app, good, "--key", key, "--retraction", str(tmp_path / "retraction"))
    assert code == 1
    assert "malformed" in err
