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
    added = run("users", "add", "aigul", "daniyar", "--config", str(config), "--json")
    accounts = json.loads(added.stdout)["accounts"]
    assert (added.exit_code, [item["username"] for item in accounts]) == (
        exits.ALL_DONE,
        ["aigul", "daniyar"],
    )
    listed = run("users", "list", "--config", str(config), "--json")
    assert [item["role"] for item in json.loads(listed.stdout)["accounts"]] == ["operator", "operator"]
    assert not any(item["one_time_password"] in listed.output for item in accounts)
    again = run("users", "reset", "aigul", "--config", str(config), "--json")
    assert json.loads(again.stdout)["accounts"][0]["one_time_password"] != accounts[0]["one_time_password"]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["add", "aigul", "--role", "judge"], exits.NOTHING_DONE, "no such role"),
        (["add", "with blank"], exits.NOTHING_DONE, "letters a-z"),
        (["add", "new", "new"], exits.SOME_FAILED, "already"),
        (["reset", "nobody"], exits.NOTHING_DONE, "no such account"),
    ],
)
def test_what_goes_wrong_is_one_line(config: Path, arguments: list[str], code: int, reason: str) -> None:
    result = run("users", *arguments, "--config", str(config))
    assert result.exit_code == code
    assert len(result.stderr.splitlines()) == 1
    assert reason in result.stderr


def test_the_database_is_its_owners_alone(config: Path, tmp_path: Path) -> None:
    run("users", "add", "aigul", "--config", str(config))
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
