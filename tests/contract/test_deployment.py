"""`deploy/compose.yaml` and `deploy/systemd`, as far as they can be judged without an engine or a running systemd."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiqyn.health import WORK_PORT
from pipelines.config import load_config
from pipelines.live.supervisor_signals import ended_by_signals
from tests.contract.project import ROOT

PINNED = re.compile(r"^\S+/\S+:\S+@sha256:[0-9a-f]{64}$")
OURS = re.compile(r"^aiqyn(-gpu)?:local$")
SECRET_NAME = re.compile(r"password|secret|token|api_?key|credential", re.IGNORECASE)
LOOPBACK = re.compile(r"^127\.0\.0\.1:\d+:\d+$")
PROGRAMS = ("api", "worker", "worker-gpu", "weights")

Services = dict[str, dict[str, Any]]


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8")))


def faults(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a compose file."""
    found: list[str] = []
    for name, service in document["services"].items():
        found += [f"{name}: {fault}" for fault in _faults(service)]
        for secret in service.get("secrets", ()):
            source = secret if isinstance(secret, str) else secret["source"]
            found += [] if source in document["secrets"] else [f"{name}: secret {source} is nowhere"]
        found += [
            f"{name}: network {one} is nowhere"
            for one in service["networks"]
            if one not in document["networks"]
        ]
    if document["networks"]["inside"] != {"internal": True}:
        found.append("the inner network leads out")
    found += [
        f"secret {name} is no file" for name, one in document["secrets"].items() if set(one) != {"file"}
    ]
    return found


RULES: tuple[tuple[str, Callable[[Mapping[str, Any]], object]], ...] = (
    ("runs as root", lambda one: re.match(r"(root|0)\b", str(one.get("user", "root")))),
    ("keeps capabilities", lambda one: one.get("cap_drop") != ["ALL"]),
    ("keeps capabilities", lambda one: one.get("cap_add") or one.get("privileged")),
    ("may gain privileges", lambda one: "no-new-privileges:true" not in one.get("security_opt", ())),
    ("its root can be written", lambda one: one.get("read_only") is not True),
    ("may dump its core", lambda one: one.get("ulimits", {}).get("core") != 0),
    ("any number of processes", lambda one: "pids_limit" not in one),
    ("no health check", lambda one: not one.get("healthcheck")),
    (
        "shares the machine's own name spaces",
        lambda one: {"network_mode", "pid", "ipc", "devices"} & set(one),
    ),
    ("has the engine's socket", lambda one: "docker.sock" in str(one.get("volumes"))),
)
"""What is wrong with a service, and how it shows."""


def _faults(service: Mapping[str, Any]) -> Iterator[str]:
    yield from (text for text, holds in RULES if holds(service))
    image = service.get("image", "")
    if not PINNED.match(image) and not OURS.match(image):
        yield f"not pinned: {image}"
    for name, value in service.get("environment", {}).items():
        if SECRET_NAME.search(name) and not name.endswith("_FILE"):
            yield f"a secret in the environment: {name}"
        if re.search(r"://[^{/@]*:[^{@/]+@", str(value)):
            yield f"a password in the environment: {name}"
    for port in service.get("ports", ()):
        if not LOOPBACK.match(str(port)):
            yield f"published beyond this machine: {port}"


def test_it_keeps_the_rules() -> None:
    assert faults(compose()) == []


@pytest.mark.parametrize(
    ("service", "key", "value", "fault"),
    [
        ("valkey", "image", "docker.io/valkey/valkey:8-bookworm", "not pinned"),
        ("postgres", "user", "0:0", "runs as root"),
        ("api", "cap_drop", [], "keeps capabilities"),
        ("api", "cap_add", ["SYS_ADMIN"], "keeps capabilities"),
        ("worker", "security_opt", [], "may gain privileges"),
        ("worker", "read_only", False, "can be written"),
        ("worker", "ulimits", {}, "dump its core"),
        ("postgres", "healthcheck", {}, "no health check"),
        ("api", "ports", ["8750:8750"], "beyond this machine"),
        ("api", "ports", ["0.0.0.0:8750:8750"], "beyond this machine"),
        ("api", "environment", {"AIQYN_REDIS_PASSWORD": "x"}, "a secret in the environment"),
        ("api", "environment", {"AIQYN_API__DATABASE_URL": "postgresql://a:b@c/d"}, "a password"),
        ("api", "secrets", ["nothing"], "is nowhere"),
        ("worker", "network_mode", "host", "name spaces"),
        ("worker", "volumes", ["/var/run/docker.sock:/x"], "engine's socket"),
    ],
)
def test_a_worse_one_is_caught(service: str, key: str, value: object, fault: str) -> None:
    worse = deepcopy(compose())
    worse["services"][service][key] = value
    assert any(fault in found for found in faults(worse))


def test_each_starts_when_what_it_needs_is_healthy() -> None:
    services: Services = compose()["services"]
    for name, needed in {
        "api": {"valkey", "postgres"}, "worker": {"valkey", "api"}, "worker-gpu": {"valkey", "api"},
    }.items():  # fmt: skip
        waits = services[name]["depends_on"]
        assert {one: {"condition": "service_healthy"} for one in needed} == waits
        assert all("disable" not in services[one]["healthcheck"] for one in needed)


def test_what_was_told_is_written_is_on_disk() -> None:
    command = compose()["services"]["valkey"]["command"]
    settings = dict(zip(command[1::2], command[2::2], strict=True))
    assert (settings["--appendonly"], settings["--appendfsync"]) == ("yes", "always")
    assert settings["--maxmemory-policy"] == "noeviction"
    assert settings["--aclfile"] == "/run/secrets/valkey_users"


@pytest.mark.parametrize("name", ["api", "worker", "worker-gpu"])
def test_the_environment_is_one_our_settings_take(name: str, tmp_path: Path) -> None:
    service = compose()["services"][name]
    environment = {key: str(value) for key, value in service["environment"].items() if key != "AIQYN_CONFIG"}
    settings = tmp_path / "aiqyn.yaml"
    shutil.copy(ROOT / "deploy" / "aiqyn.yaml.example", settings)
    config = load_config(settings, environment=environment, secrets_dir=tmp_path)
    assert config.redis.allow_plain
    assert list(config.cameras) == ["gate", "yard"]
    if name != "api":
        assert config.worker.metrics_port == int(WORK_PORT)
        assert config.worker.id in service["volumes"][1]


def test_nobody_is_given_anothers_keys() -> None:
    services: Services = compose()["services"]
    given = {
        name: {str(volume).split(":")[0] for volume in service.get("volumes", ()) if "/keys" in str(volume)}
        for name, service in services.items()
    }
    assert given == {
        "valkey": set(), "postgres": set(), "weights": set(), "api": {"./keys/api"},
        "worker": {"./keys/workers/worker-1"}, "worker-gpu": {"./keys/workers/worker-gpu"},
    }  # fmt: skip
    for name in ("worker", "worker-gpu"):
        secrets = [str(one) for one in services[name]["secrets"]]
        assert not [one for one in secrets if "postgres" in one or "api_redis" in one]
        assert "inside" in services[name]["networks"]
        assert "front" not in services[name]["networks"]


def test_only_the_service_is_published_and_workers_are_left_time_to_end() -> None:
    services: Services = compose()["services"]
    assert [name for name, service in services.items() if service.get("ports")] == ["api"]
    assert services["worker"]["stop_grace_period"] == "60s"  # longer than `SupervisorTimes.end_seconds`


def test_what_holds_secrets_is_not_taken_by_git() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    files = [one["file"] for one in compose()["secrets"].values()]
    folders = {"deploy/" + Path(file).parts[0] + "/" for file in files}
    assert folders <= set(ignored)
    assert "deploy/aiqyn.yaml" in ignored


UNITS = {
    path.name: path.read_text("utf-8") for path in sorted((ROOT / "deploy" / "systemd").glob("*.service"))
}
WANTED = {
    "Restart=always", "LimitCORE=0", "LimitMEMLOCK=512M", "MemorySwapMax=0", "NoNewPrivileges=yes",
    "CapabilityBoundingSet=", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes",
    "UMask=0077", "RestrictNamespaces=yes", "SystemCallArchitectures=native", "StateDirectoryMode=0700",
    "StartLimitIntervalSec=0",
}  # fmt: skip
MOST_EXPOSED = 25
"""Tenths of `systemd-analyze security`: 2.5 of 10."""


def settings_of(unit: str) -> list[str]:
    return [line for line in unit.splitlines() if "=" in line and not line.startswith("#")]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_holds_what_it_must(name: str) -> None:
    settings = settings_of(UNITS[name])
    assert set(settings) >= WANTED
    values = dict(line.split("=", 1) for line in settings)
    assert not values["User"].startswith("root")
    environment = " ".join(line.split("=", 1)[1] for line in settings if line.startswith("Environment="))
    assert not SECRET_NAME.search(environment.replace("KEYS_DIR", ""))
    assert any(line.startswith("BindReadOnlyPaths=/etc/aiqyn/secrets/") for line in settings)


def test_a_worker_may_ask_whether_its_clock_is_right() -> None:
    settings = settings_of(UNITS["aiqyn-worker@.service"])
    assert "ProtectClock=yes" not in settings
    assert any(line.startswith("SystemCallFilter=") and "adjtimex" in line for line in settings)


def test_a_worker_is_reloaded_with_the_signal_it_listens_for() -> None:
    (line,) = [one for one in settings_of(UNITS["aiqyn-worker@.service"]) if one.startswith("ExecReload=")]
    assert line == "ExecReload=/bin/kill -HUP $MAINPID"
    assert "signal.SIGHUP: reload" in inspect.getsource(ended_by_signals)


@pytest.mark.parametrize("name", UNITS)
def test_its_environment_is_one_our_settings_take(name: str, tmp_path: Path) -> None:
    lines = [line.split("=", 1)[1] for line in settings_of(UNITS[name]) if line.startswith("Environment=")]
    environment = dict(word.split("=", 1) for line in lines for word in line.replace("%i", "w1").split())
    environment.pop("AIQYN_CONFIG")
    assert load_config(None, environment=environment, secrets_dir=tmp_path).paths.data_dir.is_absolute()


def test_systemd_takes_the_units_and_finds_them_little_exposed(tmp_path: Path) -> None:
    """Where this machine has systemd; elsewhere what is above is all that can be said."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    for name, text in UNITS.items():
        path = tmp_path / name.replace("@", "@w1")
        path.write_text(text.replace("/opt/aiqyn/bin/aiqyn", "/bin/true"), "utf-8")
        done = subprocess.run([program, "verify", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        command: list[str | Path] = [
            program,
            "security",
            "--offline=yes",
            f"--threshold={MOST_EXPOSED}",
            path,
        ]
        exposed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert exposed.returncode == 0, exposed.stdout
