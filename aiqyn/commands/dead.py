"""`aiqyn dead list|show|retry`: what the service could not keep, and putting it back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import NOTHING_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from redis import Redis

    from api.keys.store import KeyStore
    from pipelines.config import Config
    from pipelines.dead_letters import DeadLetter, DeadLetters

group = typer.Typer(
    name="dead",
    help="Candidates put aside with a reason: look at them, and put back what verifies.",
    no_args_is_help=True,
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_NAMED = ("camera_id", "worker_id", "candidate_id", "revision", "observed_at")
_CONTROL_FREE = str.maketrans(dict.fromkeys((*range(32), 127, *range(128, 160)), " "))
"""An event comes from outside: no escape sequence of its reaches a terminal."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of one letter.

    Attributes:
        letter_id: of the letter.
        entry_id: its entry among the candidates; None where it stays.
        problem: why it stays; None where it went back.
    """

    letter_id: str
    entry_id: str | None
    problem: str | None


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("list")
def list_letters(
    limit: Annotated[int, typer.Option("--limit", min=1, max=2000, help="At most so many.")] = 50,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lists the newest dead letters, newest first, with their reasons."""
    with _dead_letters(config) as (letters, _):
        found, count = letters.newest(limit), letters.count()
    if as_json:
        typer.echo(json.dumps({"count": count, "letters": [_summary(letter) for letter in found]}))
        return
    for letter in found:
        summary = _summary(letter)
        who = " ".join(f"{name}={summary[name]}" for name in _NAMED[:2] if summary[name])
        typer.echo(
            f"{letter.letter_id}  {summary['put_aside_at']}  {_plain(who) or '-'}  {_plain(letter.reason)}"
        )
    typer.echo(f"{len(found)} of {count} dead letters")


@group.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(help="As `aiqyn dead list` says.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shows one dead letter whole."""
    with _dead_letters(config) as (letters, _):
        letter = letters.get(letter_id)
    if as_json:
        typer.echo(json.dumps(asdict(letter)))
        return
    for name, value in asdict(letter).items():
        typer.echo(f"{name}: {_plain(value)}")


@group.command("retry")
def retry(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(help="As `aiqyn dead list` says; several may be given.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every letter that is there now.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Puts dead letters back among the candidates: those alone that a registered worker has signed."""
    if bool(letter_ids) == everything:
        fail("name the dead letters to put back, or give --all")
    with _dead_letters(config) as (letters, store):
        wanted: Iterable[DeadLetter]
        wanted = letters.all() if everything else [letters.get(letter_id) for letter_id in letter_ids or ()]
        done = [_retried(letters, store, letter) for letter in wanted]
    _tell(done, as_json=as_json)
    back = sum(one.entry_id is not None for one in done)
    if back < len(done):
        raise typer.Exit(SOME_FAILED if back else NOTHING_DONE)


def _retried(letters: DeadLetters, store: KeyStore, letter: DeadLetter) -> Retried:
    from pipelines.errors import SealingError

    try:
        return Retried(letter.letter_id, letters.retry(letter, store.worker_verifying_keys()), None)
    except SealingError as error:
        return Retried(letter.letter_id, None, str(error))


def _tell(done: Sequence[Retried], *, as_json: bool) -> None:
    for one in done:
        if one.problem is not None:
            report(f"{one.letter_id}: stays: {_plain(one.problem)}")
    if as_json:
        typer.echo(json.dumps({"retried": [asdict(one) for one in done]}))
        return
    typer.echo(f"{sum(one.entry_id is not None for one in done)} of {len(done)} dead letters put back")


@contextmanager
def _dead_letters(config: Path | None) -> Iterator[tuple[DeadLetters, KeyStore]]:
    """The letters, over a connection of the user `api`, and the key store; ends the command on any error."""
    from api.keys.store import KeyStore
    from pipelines.config import default_config_path, load_config
    from pipelines.dead_letters import DeadLetters
    from pipelines.errors import PipelineError

    try:
        loaded = load_config(config or default_config_path())
        store = KeyStore.open(loaded.paths.keys_dir)
        with _connected(loaded, store) as redis:
            yield DeadLetters(redis), store
    except PipelineError as error:
        fail(str(error))


def _connected(loaded: Config, store: KeyStore) -> Redis:
    from aiqyn.embedded.redis import embedded_address
    from pipelines.acl import API_USER
    from pipelines.errors import BusError
    from pipelines.streams import connect

    address = loaded.redis.address() or embedded_address(loaded.paths.data_dir)
    if address is None:
        raise BusError(
            f"redis.url is not set, and no embedded Redis runs on {loaded.paths.data_dir}: set it, or start "
            "the service first"
        )
    password = loaded.redis.password
    return connect(
        address,
        username=loaded.redis.username or API_USER,
        password=store.redis_passwords()[API_USER] if password is None else password.get_secret_value(),
        security=loaded.redis.security(),
    )


def _summary(letter: DeadLetter) -> dict[str, Any]:
    """What tells one letter from another, as far as it is there: nothing of it is verified."""
    try:
        event: Any = json.loads(letter.event)
    except (ValueError, RecursionError):
        event = None
    named = event if isinstance(event, dict) else {}
    return {
        "letter_id": letter.letter_id,
        "put_aside_at": _time_of(letter.letter_id),
        "schema": letter.schema,
        "reason": letter.reason,
        **{name: named[name] if isinstance(named.get(name), str | int) else None for name in _NAMED},
    }


def _time_of(letter_id: str) -> str | None:
    """When it was put aside, by Redis's clock; None where the id tells no time."""
    try:
        return datetime.fromtimestamp(int(letter_id.partition("-")[0]) // 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _plain(text: str) -> str:
    return text.translate(_CONTROL_FREE)
