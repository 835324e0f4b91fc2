"""`aiqyn users add|approve|list|reset`: accounts, with one-time passwords that are printed once.

The first two people are made together and approve each other; whoever comes later waits for one of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from api.accounts import AccountService, NewAccount
    from api.store.engine import Database

ROLES = ("operator", "supervisor", "auditor", "authoriser", "integrator", "administrator")
WAITS = "waits for a second person: aiqyn users approve {names} --by ADMINISTRATOR_OR_AUTHORISER"

group = typer.Typer(
    name="users", help="Add, approve and list accounts; reset passwords.", no_args_is_help=True
)

CONSOLE_ADDRESS = "console"
"""Where failed passwords typed at this command are counted."""

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("add")
def add(
    usernames: Annotated[
        list[str],
        typer.Argument(metavar="NAME[:ROLE]…", help="Login names: a-z, digits, '.', '_', '-'."),
    ],
    role: Annotated[
        str, typer.Option("--role", help=f"One of {', '.join(ROLES)}; for names without one of their own.")
    ] = "operator",
    person: Annotated[
        list[str] | None,
        typer.Option(
            "--person",
            help="Name or staff number of who will use the account, once for each NAME, in order; the login name "
            "where it is left out. Kept as a salted hash: one person has one account.",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Adds accounts and prints their one-time passwords; each must be replaced at the first login.

    The first people are added together, two administrators or authorisers among them: each is approved by another
    of them. Accounts added later wait until `aiqyn users approve`.
    """
    from api.errors import ApiError

    people = _people(usernames, role, person or [])
    with _accounts(config) as accounts:
        if accounts.needs_first_people():
            try:
                made = list(accounts.add_first(people).items())
            except ApiError as error:
                fail(error.detail)
            _print_passwords(made, as_json=as_json)
            return
        made = []
        for one in people:
            try:
                made.append((one.username, accounts.add(one.username, one.role, person=one.person)))
            except ApiError as error:
                _print_passwords(made, as_json=as_json)
                fail(f"{one.username}: {error.detail}", 1 if made else 2)
    _print_passwords(made, as_json=as_json)
    typer.echo(WAITS.format(names=" ".join(name for name, _ in made)), err=True)


@group.command("approve")
def approve(
    usernames: Annotated[list[str], typer.Argument(help="Login names of accounts that wait.")],
    by: Annotated[
        str, typer.Option("--by", help="The second person: an administrator or authoriser who did not ask.")
    ],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the second person's password from standard input.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Approves what is asked for accounts, in the name of a second person who shows her password."""
    from api.approvals import ApprovalService
    from api.errors import ApiError
    from api.logins import LoginService
    from api.principals import check_may_work
    from pipelines.events import utc_now

    password = sys.stdin.readline().rstrip("\n") if password_stdin else _ask_password(by)
    done = 0
    with _database(config) as database:
        try:
            principal = LoginService(database, utc_now).shown(by, password, CONSOLE_ADDRESS)
            check_may_work(principal)
            for username in usernames:
                ApprovalService(database, utc_now).approve_by_name(username, principal)
                done += 1
                typer.echo(f"{username}: approved by {by}")
        except ApiError as error:
            fail(f"{usernames[done]}: {error.detail}", 1 if done else 2)


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
                "standing": line.standing.value,
                "must_change_password": line.must_change_password,
            }
            for line in lines
        ]
        typer.echo(json.dumps({"accounts": rows}))
        return
    for line in lines:
        waiting = "  (one-time password not yet replaced)" if line.must_change_password else ""
        typer.echo(
            f"{line.username:<24} {line.role.value:<14} {line.standing.value:<8} {line.account_id}{waiting}"
        )
    if not lines:
        typer.echo("no accounts yet: aiqyn users add NAME:administrator NAME:authoriser", err=True)


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


def _people(usernames: list[str], role: str, persons: list[str]) -> list[NewAccount]:
    """The accounts as they were asked for; ends the command where that cannot be."""
    from api.accounts import NewAccount
    from api.review.cases import Role

    if persons and len(persons) != len(usernames):
        fail("--person: give one for each NAME, in order, or none")
    people = []
    for position, given in enumerate(usernames):
        username, _, own = given.partition(":")
        chosen = own or role
        if chosen not in ROLES:
            fail(f"{chosen}: there is no such role; choose one of {', '.join(ROLES)}")
        people.append(NewAccount(username, Role(chosen), persons[position] if persons else None))
    return people


def _ask_password(by: str) -> str:
    return str(typer.prompt(f"password of {by}", hide_input=True, err=True))


@contextmanager
def _accounts(config_path: Path | None) -> Iterator[AccountService]:
    from api.accounts import AccountService
    from pipelines.events import utc_now

    with _database(config_path) as database:
        yield AccountService(database, utc_now)


@contextmanager
def _database(config_path: Path | None) -> Iterator[Database]:
    from api.store.open import open_database
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        config = load_config(config_path or default_config_path())
    except PipelineError as error:
        fail(str(error))
    database = open_database(config.database_address())
    try:
        yield database
    finally:
        database.close()


def _print_passwords(made: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        rows = [{"username": username, "one_time_password": password} for username, password in made]
        typer.echo(json.dumps({"accounts": rows}))
        return
    for username, password in made:
        typer.echo(f"{username}: one-time password {password}")
