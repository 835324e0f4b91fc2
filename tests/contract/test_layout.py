"""The house as it was agreed: rooms, imports, no attic, no broad excepts, nothing of the building machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.project import ROOMS, ROOT, SHIPPED, SourceFile, git_files, source_files

ATTICS = re.compile(r"(^|/)(utils?|helpers?|common|misc)(\.py|/)")
FOREIGN_PATHS = re.compile(r"(?<![\w.])/(?:work|root|home/[a-z]\w*|Users/\w+)/\w+")
LARGE_BYTES = 500_000


def test_the_rooms_are_there() -> None:
    for name in ("Dockerfile", "Makefile", "pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY.md"):
        assert (ROOT / name).is_file(), name
    for room in SHIPPED:
        assert (ROOT / room / "__init__.py").is_file(), room


@pytest.mark.parametrize(
    "file",
    [file for file in source_files(*SHIPPED) if file.path.endswith("__init__.py")],
    ids=lambda file: file.path,
)
def test_every_package_says_what_it_is(file: SourceFile) -> None:
    assert ast.get_docstring(file.tree())


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {Path(file.path).parent for file in source_files(*SHIPPED, "tests")}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


def test_there_is_no_attic() -> None:
    assert [path for path in git_files() if path.endswith(".py") and ATTICS.search(path)] == []


def test_imports_point_down() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", "pyproject.toml", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_that_ships_imports_the_tests() -> None:
    names = {(file.path, name) for file in source_files(*SHIPPED) for name in imported(file)}
    assert [found for found in names if found[1].partition(".")[0] in {"tests", "pytest", "unittest"}] == []
    benches = {path for path, name in names if name.partition(".")[0] == "bench" and path.startswith(ROOMS)}
    assert benches == {"aiqyn/commands/bench.py"}  # `aiqyn bench NAME` is the one door to them


def imported(file: SourceFile) -> Iterator[str]:
    """The modules a file imports anywhere."""
    for node in ast.walk(file.tree()):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def broad_excepts(file: SourceFile) -> list[str]:
    """Handlers that catch everything, unless they raise again or give their reason on the line."""
    lines = file.text.splitlines()
    found = []
    for node in ast.walk(file.tree()):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "everything"
        if not re.search(r"\b(everything|Exception|BaseException)\b", caught):
            continue
        raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        reasoned = re.search(r"noqa: BLE001\s*[-,:#]*\s*\w{3,}.*", lines[node.lineno - 1])
        if not raises and not reasoned:
            found.append(f"{file.path}:{node.lineno}")
    return found


def test_no_broad_except_without_a_reason() -> None:
    assert [place for file in source_files(*SHIPPED, "tests") for place in broad_excepts(file)] == []


@pytest.mark.parametrize(
    ("handler", "caught"),
    [
        ("except Exception:\n    pass", True),
        ("except:\n    pass", True),
        ("except (ValueError, BaseException):\n    pass", True),
        ("except Exception:  # noqa: BLE001\n    pass", True),
        ("except Exception:  # noqa: BLE001 - one camera must not stop the others\n    pass", False),
        ("except BaseException:\n    raise", False),
        ("except ValueError:\n    pass", False),
    ],
)
def test_a_broad_except_is_caught(handler: str, caught: bool) -> None:
    assert bool(broad_excepts(SourceFile("sample.py", f"try:\n    x = 1\n{handler}\n"))) is caught


def test_nobody_edits_the_import_path() -> None:
    assert [file.path for file in source_files(*SHIPPED, "tests") if "sys.path" + "." in file.text] == []


def test_nothing_names_a_folder_of_the_building_machine() -> None:
    assert [place for path in git_files() for place in foreign_paths(path)] == []


def foreign_paths(path: str) -> list[str]:
    """Places of a text file that name somebody's own folders."""
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    lines = enumerate(text.splitlines(), start=1)
    return [f"{path}:{number}: {found[0]}" for number, line in lines if (found := FOREIGN_PATHS.search(line))]


def test_a_folder_of_the_building_machine_is_caught() -> None:
    assert FOREIGN_PATHS.search("read('/ho" + "me/somebody/clip.mp4')")
    assert not FOREIGN_PATHS.search("see https://example.org/work/shared and ./work/x")


def test_nothing_large_is_in_git() -> None:
    large = {path: (ROOT / path).stat().st_size for path in git_files()}
    assert {path: size for path, size in large.items() if size > LARGE_BYTES} == {}
