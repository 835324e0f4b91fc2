"""`aiqyn weights pin|unpin`: the operator vouches for a file whose upstream hash could not be learnt."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail
from aiqyn.commands.weights_folder import AsJson, EntryId, WeightsDir, open_store

if TYPE_CHECKING:
    from weights.pins import Pin
    from weights.store import WeightStore


def pin(
    entry_id: EntryId,
    sha256: Annotated[
        str | None, typer.Option("--sha256", metavar="HEX", help="The hash to trust: 64 hexadecimal digits.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The file to trust; it is hashed and put in its place.", exists=False),
    ] = None,
    weights_dir: WeightsDir = None,
    as_json: AsJson = False,
) -> None:
    """Trusts a file whose upstream hash could not be learnt; nobody but you vouches for it."""
    from weights.errors import WeightsError

    if (sha256 is None) == (file is None):
        fail("name what to trust: either --sha256 HEX or --file PATH")
    store = open_store(weights_dir)
    content = _content(file) if file else None
    trusted = _pin(sha256, file, content)
    try:
        store.pin(entry_id, trusted, content)
    except WeightsError as error:
        fail(str(error))
    _show(store, entry_id, trusted, as_json=as_json)


def unpin(entry_id: EntryId, weights_dir: WeightsDir = None, as_json: AsJson = False) -> None:
    """Takes back a pin and removes its file; the entry is then refused again."""
    from weights.errors import WeightsError

    store = open_store(weights_dir)
    try:
        taken_back = store.unpin(entry_id)
    except WeightsError as error:
        fail(str(error))
    if as_json:
        document = {"weights_dir": str(store.root), "id": entry_id, "unpinned": asdict(taken_back)}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(f"{entry_id}: no longer trusts SHA-256 {taken_back.sha256}; its file is removed")


def _content(file: Path) -> bytes:
    from pipelines.errors import ModelCheckError
    from pipelines.model_adding import read_model

    try:
        content = read_model(file)
    except ModelCheckError as error:
        fail(str(error))
    if not content:
        fail(f"{file}: is empty (0 bytes); nothing can be trusted there")
    return content


def _pin(sha256: str | None, file: Path | None, content: bytes | None) -> Pin:
    from weights.pins import Pin

    digest = (sha256 or "").strip().lower()
    if content is not None and file is not None:
        digest, origin = hashlib.sha256(content).hexdigest(), f"the file {file.name}"
    else:
        origin = "its hash alone"
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        fail(
            f"--sha256 must be 64 hexadecimal digits, got {len(digest)} characters; sha256sum FILE prints it"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Pin(digest, account(), now, origin, len(content or b""))


def account() -> str:
    """Who runs this: the name of the account, else its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _show(store: WeightStore, entry_id: str, trusted: Pin, *, as_json: bool) -> None:
    spec = store.catalog.get(entry_id)
    if as_json:
        document = {
            "weights_dir": str(store.root),
            "id": entry_id,
            "pinned": asdict(trusted),
            "no_upstream_hash": spec.no_upstream_hash,
            "state": store.state(entry_id),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    size = f", {spec.size_bytes:,} bytes" if spec.size_bytes else ""
    typer.echo(f"{entry_id}: trusts SHA-256 {trusted.sha256}{size}")
    typer.echo(f"Vouched for by {trusted.voucher}")
    typer.echo(f"Upstream's own hash could not be learnt: {spec.no_upstream_hash}")
    ready = store.state(entry_id) == "ready"
    typer.echo("It is in its place." if ready else f"Fetch it with: aiqyn weights pull {entry_id}")
