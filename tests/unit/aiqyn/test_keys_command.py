"""`aiqyn keys init`."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aiqyn.commands import keys
from aiqyn.embedded.redis_server import RedisServer
from api.keys.store import KeyStore
from pipelines.streams import connect
from pipelines.worker_keys import WorkerKeys
from tests.redis_server import find_kind


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    keys.register(app)
    return app


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\ncameras: {gate: {source: clip.mp4}}\n")
    return path


def run(app: typer.Typer, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["keys", "init", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_it_says_where_what_and_what_to_back_up(app: typer.Typer, config: Path) -> None:
    code, out, err = run(app, "--config", str(config))
    assert (code, err) == (0, "")
    assert f"key store: {config.parent / 'keys'}" in out
    for word in ("api/receipts.pem", "api/evidence.pem", "worker worker-1", "Back up api/"):
        assert word in out
    store = KeyStore.open(config.parent / "keys")
    assert store.receipts_key().key_id in out
    private = (config.parent / "keys" / "api" / "receipts.pem").read_text().splitlines()[1]
    assert private not in out


def test_again_it_changes_nothing(app: typer.Typer, config: Path) -> None:
    first = json.loads(run(app, "--config", str(config), "--json")[1])
    files = {path: path.read_bytes() for path in (config.parent / "keys").rglob("*") if path.is_file()}
    second = json.loads(run(app, "--config", str(config), "--json")[1])
    assert first == second
    assert files == {
        path: path.read_bytes() for path in (config.parent / "keys").rglob("*") if path.is_file()
    }


def test_workers_can_be_named(app: typer.Typer, config: Path) -> None:
    document = json.loads(run(app, "--config", str(config), "--worker", "a", "--worker", "b", "--json")[1])
    assert set(document["workers"]) == {"a", "b"}
    assert WorkerKeys.load(Path(document["workers"]["b"])).worker_id == "b"


def test_another_folder_can_be_named(app: typer.Typer, config: Path, tmp_path: Path) -> None:
    assert run(app, "--config", str(config), "--keys-dir", str(tmp_path / "elsewhere"))[0] == 0
    KeyStore.open(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["--keys-dir", "{here}/data/keys"], "lies inside the data folder", id="inside the data"),
        pytest.param(["--worker", "a:b"], "worker id", id="a bad name"),
        pytest.param(["--integrator", "x"], "--acl", id="an account without a file"),
        pytest.param(["--acl", "{here}/x", "--redis-version", "new"], "MAJOR.MINOR", id="a bad version"),
        pytest.param(["--acl", "{here}/x", "--redis-version", "\u00b2.0"], "MAJOR.MINOR", id="no decimal"),
        pytest.param(["--acl", "/dev/null/x"], "cannot be written", id="no folder"),
    ],
)
def test_what_is_refused(app: typer.Typer, config: Path, arguments: list[str], reason: str) -> None:
    given = [argument.format(here=config.parent) for argument in arguments]
    code, out, err = run(app, "--config", str(config), *given)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert reason in err
    assert err.count("\n") == 1


def test_an_open_folder_is_refused(app: typer.Typer, config: Path) -> None:
    run(app, "--config", str(config))
    (config.parent / "keys").chmod(0o755)
    code, _, err = run(app, "--config", str(config))
    assert code == 2
    assert "chmod 700" in err


def test_the_acl_file_is_one_a_server_takes(app: typer.Typer, config: Path, tmp_path: Path) -> None:
    """The users it names get in with the passwords of the key store."""
    server = find_kind("6.2")
    if not isinstance(server, RedisServer):
        pytest.skip(server)
    acl = tmp_path / "users.acl"
    arguments = ["--acl", str(acl), "--redis-version", "6.2", "--integrator", "control-room", "--json"]
    document = json.loads(run(app, "--config", str(config), *arguments)[1])
    passwords = KeyStore.open(tmp_path / "keys").redis_passwords() | document["integrator_passwords"]
    assert set(passwords) == {"api", "worker:worker-1", "integrator:control-room"}
    assert all(password not in acl.read_text() for password in passwords.values())
    with tempfile.TemporaryDirectory() as short, serving(server.path, acl, Path(short) / "s"):
        for user, password in passwords.items():
            with connect(f"unix://{short}/s", username=user, password=password) as client:
                assert client.ping()


@contextmanager
def serving(program: Path, acl: Path, path: Path) -> Iterator[None]:
    """A server as an administrator would start it, with that ACL file."""
    options = ["--port", "0", "--unixsocket", str(path), "--aclfile", str(acl), "--save", ""]
    with subprocess.Popen([str(program), *options], cwd=path.parent, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 10
            while not path.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


def test_a_worker_moved_away_is_not_given_another_password(
    app: typer.Typer, config: Path, tmp_path: Path
) -> None:
    run(app, "--config", str(config), "--worker", "far")
    (tmp_path / "keys" / "workers" / "far").rename(tmp_path / "far")
    code, _, err = run(app, "--config", str(config), "--acl", str(tmp_path / "users.acl"))
    assert code == 2
    assert "worker far" in err
    assert not (tmp_path / "users.acl").exists()
