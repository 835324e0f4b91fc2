"""`aiqyn keys`: the key store, made once at set-up."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from api.keys.store import KeyStore

CONTENTS = (
    ("api/receipts.pem", "signs receipts; without it no confirmed match can be issued under this name"),
    ("api/galleries.pem", "signs the lists workers search"),
    ("api/evidence.pem", "opens evidence; lost, every sealed picture is lost"),
    ("api/subjects/", "a key per listed person; lost, names and references are lost"),
    ("workers/<id>/", "all that one worker is given; can be made anew"),
)

PASSPHRASE = "AIQYN_BACKUP_PASSPHRASE"  # noqa: S105  # the name of a variable

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Adds the command group to the program."""
    group = typer.Typer(no_args_is_help=True, help="The key store, outside the database and its backups.")
    group.command("init")(init)
    group.command("backup")(back_up)
    group.command("restore")(restore)
    app.add_typer(group, name="keys")


def init(
    keys_dir: Annotated[
        Path | None, typer.Option("--keys-dir", help="Where to make it; else paths.keys_dir.")
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option(
            "--worker",
            help="A worker to register; else worker.id. Repeatable. ID=CAMERA,CAMERA names cameras for the ACL file that "
            "the service gives it, besides those whose ids begin with its own and a colon.",
        ),
    ] = None,
    acl: Annotated[
        Path | None,
        typer.Option("--acl", help="Also write the ACL file of a Redis server of your own, for these users."),
    ] = None,
    redis_version: Annotated[
        str, typer.Option("--redis-version", help="Of that server, as MAJOR.MINOR.")
    ] = "7.0",
    integrator: Annotated[
        list[str] | None, typer.Option("--integrator", help="A reader of confirmed matches. Repeatable.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Makes what is missing of the key store; what exists is left as it is."""
    from api.keys.store import KeyStore
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        loaded = load_config(config or default_config_path())
        folder = (keys_dir or loaded.paths.keys_dir).absolute()
        store = KeyStore.init(folder, data_dir=loaded.paths.data_dir)
        named = dict(_named(one) for one in worker or [loaded.worker.id])
        for worker_id in named:
            store.create_worker(worker_id)
        cameras = {
            worker_id: (*loaded.cameras, *named.get(worker_id, ())) for worker_id in store.worker_ids()
        }
        passwords = _write_acl(store, acl, redis_version, cameras, integrator or [])
    except PipelineError as error:
        fail(str(error))
    document = _document(store, acl, passwords)
    if as_json:
        typer.echo(json.dumps(document))
        return
    _explain(document, passwords)


def back_up(
    target: Annotated[Path, typer.Argument(help="A new file.")],
    with_subject_keys: Annotated[
        bool,
        typer.Option(
            "--with-subject-keys",
            help="Also the data keys of listed persons: they bring back what is deleted later.",
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Writes the keys into one file, encrypted under a passphrase: AIQYN_BACKUP_PASSPHRASE, else asked for."""
    from api.backup.errors import BackupError
    from api.backup.keys import back_up_keys
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        folder = load_config(config or default_config_path()).paths.keys_dir
        passphrase = _passphrase(confirm=True)
        made = back_up_keys(folder, target.absolute(), passphrase, with_subjects=with_subject_keys)
    except (BackupError, PipelineError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps({"path": str(target.absolute()), **asdict(made)}))
        return
    typer.echo(f"{target}: {made.files} files, {made.subject_keys} of them data keys of listed persons")
    typer.echo("Keep it and its passphrase apart from each other and from every backup of records.")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `aiqyn keys backup` wrote.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Writes the keys of a backup into a key store that has none yet."""
    from api.backup.errors import BackupError
    from api.backup.keys import restore_keys
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    try:
        folder = load_config(config or default_config_path()).paths.keys_dir
        found = restore_keys(source.absolute(), folder, _passphrase(confirm=False))
    except (BackupError, PipelineError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps({"keys_dir": str(folder), **asdict(found)}))
        return
    typer.echo(f"{folder}: {found.files} files, {found.subject_keys} of them data keys of listed persons")


def _passphrase(*, confirm: bool) -> str:
    given = os.environ.get(PASSPHRASE)
    if given is not None:
        return given
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


def _write_acl(
    store: KeyStore,
    path: Path | None,
    version: str,
    cameras: dict[str, tuple[str, ...]],
    integrators: list[str],
) -> dict[str, str]:
    """Writes the ACL file where one is wanted; returns the passwords of integrators, which are kept nowhere."""
    from pipelines.acl import WorkerAccount, integrator_user, make_acl_file
    from pipelines.errors import ConfigError
    from pipelines.key_files import write_private

    if path is None:
        if integrators:
            raise ConfigError("--integrator makes an account in an ACL file: name the file with --acl")
        return {}
    parts = version.split(".")
    if len(parts) < 2 or not all(part.isdecimal() and len(part) < 4 for part in parts):
        raise ConfigError(f"--redis-version {version!r}: give it as MAJOR.MINOR, such as 7.0")
    # One machine's settings name that worker's cameras; the others' state keys need a file made from theirs.
    workers = [WorkerAccount(worker_id, camera_ids) for worker_id, camera_ids in cameras.items()]
    known = store.redis_passwords()
    for worker in workers:
        if worker.user not in known:
            raise ConfigError(
                f"worker {worker.worker_id}: its folder is not in {store.folder / 'workers'}, and with it its password; "
                "copy it back while the ACL file is written"
            )
    made = make_acl_file(
        tuple(int(part) for part in parts),
        workers=workers,
        integrators=integrators,
        passwords=known,
    )
    write_private(path.absolute(), made.text.encode(), replace=True)
    return {user: made.passwords[user] for user in map(integrator_user, integrators)}


def _named(option: str) -> tuple[str, tuple[str, ...]]:
    worker_id, _, cameras = option.partition("=")
    return worker_id, tuple(one for one in cameras.split(",") if one)


def _document(store: KeyStore, acl: Path | None, passwords: dict[str, str]) -> dict[str, Any]:
    return {
        "keys_dir": str(store.folder),
        "receipts_key_id": store.receipts_key().key_id,
        "galleries_key_id": store.galleries_key().key_id,
        "workers": {worker_id: str(store.folder / "workers" / worker_id) for worker_id in store.worker_ids()},
        "contents": [{"path": path, "purpose": purpose} for path, purpose in CONTENTS],
        "acl": None if acl is None else str(acl.absolute()),
        "integrator_passwords": passwords,
    }


def _explain(document: dict[str, Any], passwords: dict[str, str]) -> None:
    typer.echo(f"key store: {document['keys_dir']} (readable by this user alone)")
    for path, purpose in CONTENTS:
        typer.echo(f"  {path:<18} {purpose}")
    typer.echo(f"receipts key: {document['receipts_key_id']}")
    for worker_id, folder in document["workers"].items():
        typer.echo(f"worker {worker_id}: give it {folder}, and nothing else of this")
    if document["acl"] is not None:
        typer.echo(f"ACL file: {document['acl']}")
    for user, password in passwords.items():
        typer.echo(f"{user}: password {password} (shown once)")
    typer.echo(
        "Back up api/ now, encrypted, apart from the backups of data_dir: who has both can read everything, "
        "and a backup of subject keys brings back what was deleted (docs/keys.md)."
    )
