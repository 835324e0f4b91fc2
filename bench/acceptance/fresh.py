"""Line 1 of issue 1: a fresh clone with nothing prepared, as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.acceptance.lines import Figure, at_most, equals, holds
from bench.acceptance.tests_run import ROOT

TEST_USER = "aiqyn-test"
TEST_MINUTES = 10.0
_MEGABYTE = 1e6
_TIMEOUT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class FreshUser:
    """An ordinary user with an empty home; nothing of the caller's caches or settings reaches it.

    Attributes:
        place: holds home, caches and the clone.
        prefix: what a command is run through; empty where the caller is no root.
        python: an interpreter this user may run.
    """

    place: Path
    prefix: tuple[str, ...]
    python: str

    @property
    def clone(self) -> Path:
        """The fresh clone."""
        return self.place / "aiqyn"

    def run(self, *command: str) -> tuple[subprocess.CompletedProcess[str], float]:
        """Runs a command in the clone; how it ended, and in how many seconds."""
        started = time.monotonic()
        done = subprocess.run(
            [*self.prefix, "env", *self._environment(), *command],
            cwd=self.clone,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        return done, time.monotonic() - started

    def megabytes_in(self, name: str) -> float:
        """Size of what lies in one of the folders beside the clone."""
        files = [path for path in (self.place / name).rglob("*") if path.is_file()]
        return sum(path.lstat().st_size for path in files) / _MEGABYTE

    def _environment(self) -> list[str]:
        home, caches = self.place / "home", self.place / "caches"
        folders = {
            "HOME": home,
            "TMPDIR": self.place / "tmp",
            "XDG_CACHE_HOME": home / ".cache",
            "XDG_DATA_HOME": home / ".local/share",
            "XDG_RUNTIME_DIR": self.place / "tmp",
            "PIP_CACHE_DIR": caches / "pip",
            "npm_config_cache": caches / "npm",
        }
        pairs = [f"{name}={folder}" for name, folder in folders.items()]
        return ["--unset=AIQYN_WEIGHTS_DIR", "--unset=AIQYN_CONFIG", f"PYTHON={self.python}", *pairs]


def measure() -> Iterator[Figure]:
    """Clone, install, demo, tests: how long each took, and how much was downloaded."""
    place = Path(tempfile.mkdtemp(prefix="aiqyn-fresh-"))
    try:
        user = _fresh_user(place)
        yield holds("an ordinary user", _user_id(user) != 0)
        yield from _demo(user)
        yield from _tests(user)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _demo(user: FreshUser) -> Iterator[Figure]:
    installed, install_seconds = user.run("make", "install")
    yield equals("make install: exit code", installed.returncode, 0)
    yield Figure("make install: seconds", install_seconds, "reported", True)
    yield Figure("make install: MB of packages", _wheels_megabytes(user), "reported", True)
    done, demo_seconds = user.run(".venv/bin/aiqyn", "demo", "--once", "--json")
    yield equals("aiqyn demo --once: exit code", done.returncode, 0)
    yield Figure("aiqyn demo --once: seconds, models and footage included", demo_seconds, "reported", True)
    kept = user.megabytes_in("home/.cache/aiqyn")
    yield Figure("models, photographs and server kept, MB", kept, "reported", True)
    summary = json.loads(done.stdout)
    yield holds(
        "a receipt verified",
        all(item["verified"] for item in summary["confirmed"]) and bool(summary["confirmed"]),
    )
    yield equals("controls judged", ", ".join(summary["controls"]), "rejected")


def _tests(user: FreshUser) -> Iterator[Figure]:
    done, seconds = user.run("make", "test")
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    wrong = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    found = "; ".join([last.strip("= "), *wrong[:20]])
    yield Figure("make test", found, "exit code 0", done.returncode == 0)
    yield at_most("make test: minutes, its own installs included", seconds / 60, TEST_MINUTES)


def _wheels_megabytes(user: FreshUser) -> float:
    """What pip fetches for the runtime lock; mirrors leave nothing in its cache, so it is fetched again."""
    command = [".venv/bin/python", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    user.run(*command, "--requirement", "requirements/runtime.txt", "--dest", str(user.place / "wheels"))
    return user.megabytes_in("wheels")


def _fresh_user(place: Path) -> FreshUser:
    for name in ("home", "tmp", "caches"):
        (place / name).mkdir()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place / "aiqyn")], check=True)
    if os.geteuid() != 0:
        return FreshUser(place, (), sys.executable)
    try:
        pwd.getpwnam(TEST_USER)
    except KeyError:
        shell = "/usr/sbin/nologin"
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", shell, TEST_USER], check=True)
    subprocess.run(["chown", "-R", f"{TEST_USER}:", str(place)], check=True)
    # A Python inside root's home is out of an ordinary user's reach; the distribution's is not.
    return FreshUser(place, ("runuser", "-u", TEST_USER, "--"), "/usr/bin/python3")


def _user_id(user: FreshUser) -> int:
    return int(user.run("id", "-u")[0].stdout)
