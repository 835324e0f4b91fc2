"""The image, as far as it can be judged without an engine: pinned, in stages, not root, no weights, no secrets."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.contract.project import ROOT, SHIPPED, git_files

DIGEST = re.compile(r"^\S+:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}( AS \w+)?$")
SECRET_NAME = re.compile(r"password|secret|token|api_?key|private", re.IGNORECASE)
WEIGHT_FILE = re.compile(r"\.(onnx|pt|dat|weights|caffemodel|tflite|engine)\b|weights pull")


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continuation lines joined."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [
        (line.split(" ", 1)[0].upper(), line.split(" ", 1)[1].strip()) for line in joined.splitlines() if line
    ]


def faults(text: str) -> list[str]:
    """What is wrong with a Dockerfile."""
    steps = instructions(text)
    starts = [number for number, (name, _) in enumerate(steps) if name == "FROM"]
    final = steps[starts[-1] :]
    users = [value for name, value in final if name == "USER"]
    found = [] if len(starts) > 1 else ["one stage only"]
    found += [f"not pinned: {value}" for name, value in steps if name == "FROM" and not DIGEST.match(value)]
    if not users or re.match(r"(root|0)\b", users[-1]) or not re.match(r"\d+:\d+$", users[-1]):
        found.append("runs as root, or as a user without a number")
    found += [] if any(name == "HEALTHCHECK" for name, _ in final) else ["no health check"]
    found += [f"fetches: {value}" for name, value in steps if name == "ADD"]
    found += [f"weights: {value}" for name, value in steps if name != "ENV" and WEIGHT_FILE.search(value)]
    found += [
        f"secret: {name}" for name, value in steps if name in {"ENV", "ARG"} and SECRET_NAME.search(value)
    ]
    found += [
        f"copies everything: {value}" for name, value in steps if name == "COPY" and value.split()[0] == "."
    ]
    if not any(
        "--require-hashes" in value and "--no-deps" in value for name, value in steps if name == "RUN"
    ):
        found.append("does not install exactly the lock")
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_it_keeps_the_rules(dockerfile: str) -> None:
    assert faults(dockerfile) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("@sha256:fe55", ":latest-", "not pinned"),
        ("USER 10001:10001", "USER root", "runs as root"),
        ("USER 10001:10001", "USER aiqyn", "without a number"),
        ("HEALTHCHECK", "LABEL", "no health check"),
        ("COPY vision vision", "COPY . .", "copies everything"),
        ("COPY vision vision", "ADD https://example.org/x /x", "fetches"),
        ("WORKDIR /src", "RUN aiqyn weights pull --default", "weights"),
        ("PYTHONUNBUFFERED=1", "AIQYN_REDIS_PASSWORD=x", "secret"),
        ("--require-hashes", "", "exactly the lock"),
    ],
)
def test_a_worse_one_is_caught(dockerfile: str, old: str, new: str, fault: str) -> None:
    assert old in dockerfile
    assert any(fault in found for found in faults(dockerfile.replace(old, new)))


def test_it_passes_the_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_only_what_is_copied_by_name_enters_the_build(dockerfile: str) -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    let_in = {line.removeprefix("!") for line in entries if line.startswith("!")}
    assert entries[0] == "*"
    assert let_in == set(copied_sources(dockerfile))
    assert all((ROOT / path).exists() for path in let_in)


def copied_sources(dockerfile: str) -> list[str]:
    """What is copied out of the build context."""
    copies = [value.split() for name, value in instructions(dockerfile) if name == "COPY"]
    return [path for words in copies if not words[0].startswith("--") for path in words[:-1]]


def test_the_installed_wheel_is_whole(dockerfile: str, tmp_path: Path) -> None:
    """Builds the wheel from what the Dockerfile copies; data files must not be left behind."""
    context = tmp_path / "context"
    wanted = tuple(copied_sources(dockerfile))
    for path in git_files():
        if path in wanted or path.startswith(tuple(f"{folder}/" for folder in SHIPPED)):
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, context / path)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run(
        [*command, "--wheel-dir", tmp_path, context], check=True, capture_output=True, cwd=tmp_path
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    shipped = {path for path in git_files() if path.startswith(tuple(f"{room}/" for room in SHIPPED))}
    assert shipped - held == set()
    assert not [name for name in held if name.startswith("tests/") or WEIGHT_FILE.search(name)]
