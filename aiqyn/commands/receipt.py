"""`aiqyn receipt verify`: is this a receipt that may be acted on? Needs nothing but it and the public key."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from aiqyn.commands.exits import SOME_FAILED, fail

if TYPE_CHECKING:
    from api.ledger.assertions import PublicPasskey
    from api.ledger.verify import ReceiptKey

MAX_INPUT_BYTES = 1_000_000
_Keys = TypeVar("_Keys")


def register(app: typer.Typer) -> None:
    """Adds the command group to the program."""
    group = typer.Typer(no_args_is_help=True, help="Receipts of confirmed matches.")
    group.callback()(_group)
    group.command("verify")(verify)
    app.add_typer(group, name="receipt")


def _group() -> None:
    """Receipts of confirmed matches."""


def verify(
    receipt: Annotated[
        str,
        typer.Argument(
            help="File with the receipt, or with the stream entry it came in; - for standard input."
        ),
    ],
    key: Annotated[Path, typer.Option("--key", help="The issuer's public key: PEM, JWK or JWK set.")],
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Moment at which it was acted on (RFC 3339); else now, and stale is refused."
        ),
    ] = None,
    retractions: Annotated[
        list[str] | None,
        typer.Option(
            "--retraction", help="File with a retraction, or with its stream entry; as many as there are."
        ),
    ] = None,
    passkeys: Annotated[
        Path | None,
        typer.Option(
            "--passkeys",
            help="The judges' public keys, as GET /api/v1/passkeys/public gives them: each judgement must be signed.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Exit code 0: holds and may be acted on. 1: must not be acted on. 2: could not be looked at."""
    from api.ledger.assertions import AssertionRefusedError, verify_judgements
    from api.ledger.verify import (
        ReceiptError,
        receipt_in_event,
        retraction_in_event,
        verify_receipt,
    )

    moment = _moment(at)
    keys = _keys(key)
    judges = None if passkeys is None else _passkeys(passkeys)
    text = _text(receipt).strip()
    try:
        token = receipt_in_event(text) if text.startswith("{") else text
        given = [_text(name).strip() for name in retractions or ()]
        void = [retraction_in_event(one) if one.startswith("{") else one for one in given]
        verified = verify_receipt(token, keys, at=moment, retractions=void)
        if judges is not None:
            verify_judgements(verified.claims, judges)
    except (ReceiptError, AssertionRefusedError) as error:
        if as_json:
            typer.echo(
                json.dumps({"valid": False, "code": error.code, "reason": str(error), "receipt": None})
            )
        fail(f"not a receipt to act on: {error} ({error.code})", SOME_FAILED)
    if as_json:
        typer.echo(json.dumps({"valid": True, "code": None, "reason": None, "receipt": verified.claims}))
    else:
        _explain(verified.claims, verified.key_id, signed=judges is not None)


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at {text!r}: not an RFC 3339 time, such as 2026-03-01T12:00:00Z")
    if moment.tzinfo is None:
        fail(f"--at {text!r}: needs its offset, such as 2026-03-01T12:00:00Z or +05:00")
    return moment


def _keys(path: Path) -> tuple[ReceiptKey, ...]:
    from api.ledger.verify import load_keys

    return _loaded(path, load_keys)


def _passkeys(path: Path) -> dict[str, PublicPasskey]:
    from api.ledger.assertions import load_passkeys

    return _loaded(path, load_passkeys)


def _loaded(path: Path, load: Callable[[str], _Keys]) -> _Keys:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_INPUT_BYTES + 1)
        if len(content) > MAX_INPUT_BYTES:
            fail(f"{path}: larger than {MAX_INPUT_BYTES} bytes; no public key is")
        return load(content.decode("utf-8"))
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except ValueError as error:
        fail(f"{path}: {error}")


def _text(name: str) -> str:
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        fail(f"{name}: {error.strerror}")
    if len(content) > MAX_INPUT_BYTES:
        fail(f"{name}: larger than {MAX_INPUT_BYTES} bytes; no receipt is")
    return content.decode("utf-8", "replace")


def _explain(claims: dict[str, Any], key_id: str, *, signed: bool) -> None:
    candidate = claims["candidate"]
    typer.echo(f"holds: receipt {claims['jti']} of {claims['iss']}, signed with key {key_id}")
    typer.echo(f"  candidate {candidate['candidate_id']} at camera {candidate['camera_id']}")
    for one in claims["judgements"]:
        proved = ", signed with her passkey" if signed else ""
        typer.echo(f"  {one['judge']} answered {one['answer']} at {one['answered_at']}{proved}")
    typer.echo(f"  issued {claims['issued_at']}, may be acted on until {claims['act_before']}")
