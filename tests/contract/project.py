"""What the contract tests read: the files of this checkout and their syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ROOMS = ("vision", "weights", "pipelines", "api", "aiqyn")
SHIPPED = (*ROOMS, "bench")
GENERATED = "api/store/migrations/versions/"
"""Alembic's files: each is written once, by a generator, and never edited."""

_LOCKED = re.compile(r"^([a-z0-9][a-z0-9._-]*==[^\\]+?)\s*\\?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A Python file: its path from the root, and its text."""

    path: str
    text: str

    @property
    def line_count(self) -> int:
        return len(self.text.splitlines())

    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)


@cache
def source_files(*folders: str) -> tuple[SourceFile, ...]:
    """The Python files under these folders that git would take, without generated ones."""
    listed = git_files()
    return tuple(
        SourceFile(path, (ROOT / path).read_text(encoding="utf-8"))
        for path in listed
        if path.endswith(".py") and path.startswith(tuple(f"{folder}/" for folder in folders))
        if not path.startswith(GENERATED)
    )


@cache
def git_files() -> tuple[str, ...]:
    """Every file git has or would take; in a copy without git, every file outside hidden folders."""
    if (ROOT / ".git").exists():
        command = [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]
        listed = (
            subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        )
        return tuple(sorted(path for path in listed if path and (ROOT / path).is_file()))
    return tuple(sorted(_walk(ROOT)))


def _walk(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        if path.name in {"__pycache__", "out", "build", "dist"} or path.name.endswith(
            (".egg-info", "_cache")
        ):
            continue
        if path.is_dir() and path.name not in {".git", ".venv", ".hypothesis"}:
            yield from _walk(path)
        elif path.is_file():
            yield path.relative_to(ROOT).as_posix()


@cache
def locked(name: str) -> tuple[Requirement, ...]:
    """The requirements of `requirements/<name>.txt`; one name may stand there twice, for two Pythons."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(Requirement(match) for match in _LOCKED.findall(text))
