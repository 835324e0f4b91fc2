"""`aiqyn users` and `aiqyn serve`: exit codes, lines on standard error, one JSON document."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from aiqyn.commands import exits, serve, users
from api.keys.store import KeyStore
from api.logins import LoginService
from api.store.open import open_database
from pipelines.config import load_config
from pipelines.events import utc_now

FIRST = ("askar:administrator", "gulnar:authoriser")


def run(*arguments: str) -> Result:
    """Runs a command in this process."""
    app = typer.Typer()
    users.register(app)
    serve.register(app)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\n", encoding="utf-8")
    return path


def test_passwords_are_printed_once(config: Path) -> None:
    added = run("users", "add", *FIRST, "aigul", "--config", str(config), "--json")
    accounts = json.loads(added.stdout)["accounts"]
    assert (added.exit_code, [item["username"] for item in accounts]) == (
        exits.ALL_DONE,
        ["askar", "gulnar", "aigul"],
    )
    listed = run("users", "list", "--config", str(config), "--json")
    lines = json.loads(listed.stdout)["accounts"]
    assert [(item["username"], item["role"], item["standing"]) for item in lines] == [
        ("aigul", "operator", "active"),
        ("askar", "administrator", "active"),
        ("gulnar", "authoriser", "active"),
    ]
    assert not any(item["one_time_password"] in listed.output for item in accounts)
    again = run("users", "reset", "aigul", "--config", str(config), "--json")
    assert json.loads(again.stdout)["accounts"][0]["one_time_password"] != accounts[0]["one_time_password"]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["add", "aigul", "--role", "judge"], exits.NOTHING_DONE, "no such role"),
        (["add", "aigul:judge"], exits.NOTHING_DONE, "no such role"),
        (["add", "with blank"], exits.NOTHING_DONE, "letters a-z"),
        (["add", "new", "new"], exits.SOME_FAILED, "already"),
        (["add", "other", "--person", "a", "--person", "b"], exits.NOTHING_DONE, "one for each"),
        (["add", "second-askar", "--person", "  ASKAR "], exits.NOTHING_DONE, "person has an account"),
        (["reset", "nobody"], exits.NOTHING_DONE, "no such account"),
    ],
)
def test_what_goes_wrong_is_one_line(config: Path, arguments: list[str], code: int, reason: str) -> None:
    run("users", "add", *FIRST, "--config", str(config))
    result = run("users", *arguments, "--config", str(config))
    assert result.exit_code == code
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr


@pytest.mark.parametrize("names", [["askar"], ["aigul", "daniyar"], ["askar:administrator", "aigul"]])
def test_the_first_people_are_made_together(config: Path, names: list[str]) -> None:
    result = run("users", "add", *names, "--config", str(config))
    assert (result.exit_code, "made together" in result.stderr) == (exits.NOTHING_DONE, True)
    assert json.loads(run("users", "list", "--config", str(config), "--json").stdout) == {"accounts": []}


def test_whoever_comes_later_waits_for_a_second_person(config: Path) -> None:
    where = ("--config", str(config))
    first = json.loads(run("users", "add", *FIRST, *where, "--json").stdout)["accounts"]
    later = run("users", "add", "aigul", *where)
    assert "waits for a second person" in later.stderr

    def standing() -> str:
        lines = json.loads(run("users", "list", *where, "--json").stdout)["accounts"]
        return str(next(line["standing"] for line in lines if line["username"] == "aigul"))

    def approve(by: str, password: str) -> Result:
        app = typer.Typer()
        users.register(app)
        arguments = ["users", "approve", "aigul", "--by", by, "--password-stdin", *where]
        return CliRunner().invoke(app, arguments, input=password + "\n")

    assert standing() == "pending"
    one_time = {item["username"]: item["one_time_password"] for item in first}
    assert "is wrong" in approve("gulnar", "wrong password").stderr
    # whoever made the accounts has seen the one-time passwords: they prove nothing
    assert "replace the one-time password" in approve("gulnar", one_time["gulnar"]).stderr
    assert standing() == "pending"
    replace_password(config, "gulnar", one_time["gulnar"], "storks over the steppe")
    done = approve("gulnar", "storks over the steppe")
    assert (done.exit_code, standing()) == (exits.ALL_DONE, "active"), done.output
    assert "nothing waits" in approve("gulnar", "storks over the steppe").stderr


def replace_password(config: Path, username: str, one_time: str, password: str) -> None:
    """What a person does on the page at her first login."""
    database = open_database(load_config(config).database_address())
    try:
        logins = LoginService(database, utc_now)
        principal = logins.authenticate(logins.login(username, one_time, "192.0.2.1").token)
        logins.set_password(principal, password)
    finally:
        database.close()


def test_the_database_is_its_owners_alone(config: Path, tmp_path: Path) -> None:
    run("users", "add", *FIRST, "--config", str(config))
    for path in (tmp_path / "data").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "camera-server"])  # noqa: S104
def test_an_address_others_reach_needs_tls_or_a_proxy(config: Path, host: str) -> None:
    result = run("serve", "--config", str(config), "--host", host)
    assert result.exit_code == exits.NOTHING_DONE
    assert "--behind-proxy" in result.stderr


def test_a_page_others_reach_needs_its_name(config: Path) -> None:
    """Else nobody could judge on it: passkeys are made for names."""
    result = run("serve", "--config", str(config), "--behind-proxy")
    assert result.exit_code == exits.NOTHING_DONE
    assert "api.origin is not set" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)],
)
def test_loopback_is_recognised(host: str, loopback: bool) -> None:
    assert serve.is_loopback(host) is loopback


def test_without_keys_nothing_is_served(config: Path) -> None:
    result = run("serve", "--config", str(config))
    assert result.exit_code == exits.NOTHING_DONE
    assert "keys" in result.stderr.splitlines()[-1]


def test_half_a_certificate_is_refused(config: Path) -> None:
    result = run("serve", "--config", str(config), "--tls-certificate", "x.pem")
    assert "--tls-key" in result.stderr


def test_files_that_are_no_certificate_are_refused(config: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    for certificate in (tmp_path / "x.pem", tmp_path / "missing.pem"):
        files = ("--tls-certificate", str(certificate), "--tls-key", str(tmp_path / "x.pem"))
        result = run("serve", "--config", str(config), *files)
        assert result.exit_code == exits.NOTHING_DONE
        assert len(result.stderr.splitlines()) == 1
        assert str(certificate) in result.stderr


@pytest.mark.models("redis-server")
def test_a_port_in_use_is_one_line(config: Path, tmp_path: Path) -> None:
    KeyStore.init(tmp_path / "keys", data_dir=tmp_path / "data")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = run("serve", "--config", str(config), "--port", str(port))
    assert result.exit_code == exits.NOTHING_DONE
    assert f"127.0.0.1:{port}: cannot be listened on" in result.stderr.splitlines()[-1]


@pytest.mark.models("redis-server")
def test_the_service_starts_answers_and_ends(config: Path, tmp_path: Path) -> None:
    KeyStore.init(tmp_path / "keys", data_dir=tmp_path / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(config), "--port", str(port)]
    log = (tmp_path / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ)) as process:
        try:
            health = wait_for(f"http://127.0.0.1:{port}/health", process)
        finally:
            process.terminate()
            code = process.wait(20)
    assert health["status"] == "ok"
    assert {"process", "hold-clock", "expiry-sweeper", "intake", "outbox"} <= set(health["parts"])
    assert code in {0, -15}


def wait_for(url: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return dict(httpx.get(url, timeout=5).json())
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
