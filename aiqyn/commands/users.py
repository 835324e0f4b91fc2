"""`aiqyn users add|list|reset`: accounts, with one-time passwords that are printed once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from api.accounts import AccountService

ROLES = ("operator", "supervisor", "auditor", "authoriser", "administrator")

group = typer.Typer(name="users", help="Add and list accounts; reset passwords.", no_args_is_help=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("add")
def add(
    usernames: Annotated[list[str], typer.Argument(help="Login names: a-z, digits, '.', '_', '-'.")],
    role: Annotated[str, typer.Option("--role", help=f"One of {', '.join(ROLES)}.")] = "operator",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Adds accounts and prints their one-time passwords; each must be replaced at the first login."""
    from api.errors import ApiError
    from api.review.cases import Role

    if role not in ROLES:
        fail(f"--role {role}: there is no such role; choose one of {', '.join(ROLES)}")
    with _accounts(config) as accounts:
        made: list[tuple[str, str]] = []
        for username in usernames:
            try:
                made.append((username, accounts.add(username, Role(role))))
            except ApiError as error:
                _print_passwords(made, as_json=as_json)
                fail(f"{username}: {error.detail}", 1 if made else 2)
    _print_passwords(made, as_json=as_json)


@group.command("list")
def list_accounts(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Lists the accounts; passwords are not among what is kept."""
    with _accounts(config) as accounts:
        lines = accounts.all()
    if as_json:
        rows = [
            {
                "account_id": line.account_id,
                "username": line.username,
                "role": line.role.value,
                "active": line.active,
                "must_change_password": line.must_change_password,
            }
            for line in lines
        ]
        typer.echo(json.dumps({"accounts": rows}))
        return
    for line in lines:
        waiting = "  (one-time password not yet replaced)" if line.must_change_password else ""
        typer.echo(f"{line.username:<24} {line.role.value:<14} {line.account_id}{waiting}")
    if not lines:
        typer.echo("no accounts yet: aiqyn users add NAME --role operator", err=True)


@group.command("reset")
def reset(
    username: Annotated[str, typer.Argument(help="Whose password was lost.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ends all logins of an account and prints a new one-time password."""
    from api.errors import ApiError

    with _accounts(config) as accounts:
        try:
            password = accounts.reset(username)
        except ApiError as error:
            fail(f"{username}: {error.detail}")
    _print_passwords([(username, password)], as_json=as_json)


@contextmanager
def _accounts(config_path: Path | None) -> Iterator[AccountService]:
    from api.accounts import AccountService
    from api.store.engine import Database
    from api.store.open import open_database
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError
    from pipelines.events import utc_now

    try:
        config = load_config(config_path or default_config_path())
    except PipelineError as error:
        fail(str(error))
    database: Database = open_database(config.database_address())
    try:
        yield AccountService(database, utc_now)
    finally:
        database.close()


def _print_passwords(made: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        rows = [{"username": username, "one_time_password": password} for username, password in made]
        typer.echo(json.dumps({"accounts": rows}))
        return
    for username, password in made:
        typer.echo(f"{username}: one-time password {password}")
