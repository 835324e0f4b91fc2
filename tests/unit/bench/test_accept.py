"""The acceptance harness: what holds, what does not, and what broke are told apart."""

from __future__ import annotations

import json
import math
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bench import accept
from bench.acceptance.lines import Figure, Line, at_least, at_most, equals, holds, run_lines


def good() -> Iterator[Figure]:
    yield at_least("accuracy", 0.995, 0.991)
    yield equals("pairs", 1200, 1200)


def low() -> Iterator[Figure]:
    yield at_most("difference", 2e-5, 1e-5)


def broken() -> Iterator[Figure]:
    yield holds("begins well", True)
    raise RuntimeError("no such\nmodel")


def nothing() -> Iterator[Figure]:
    yield from ()


LINES = (Line(2, "low", low), Line(1, "good", good), Line(4, "nothing", nothing), Line(3, "broken", broken))


@pytest.fixture
def issue(monkeypatch: pytest.MonkeyPatch) -> int:
    """An issue with the lines above."""
    module = types.ModuleType("bench.acceptance.issue_99")
    module.LINES = LINES  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return 99


def run(*arguments: str) -> Result:
    """Runs the harness in this process."""
    app = typer.Typer()
    app.command()(accept.main)
    return CliRunner().invoke(app, arguments)


def test_every_line_is_measured_whatever_became_of_the_others(issue: int, tmp_path: Path) -> None:
    out = tmp_path / "deep/accept.json"
    result = run(str(issue), "--out", str(out))
    report = json.loads(out.read_text(encoding="utf-8"))
    assert result.exit_code == accept.NOT_PASSED
    assert {line["number"]: line["passed"] for line in report["lines"]} == {
        1: True,
        2: False,
        3: False,
        4: False,
    }
    assert report["passed"] is False
    assert "RuntimeError: no such model (broken, line" in report["lines"][2]["failure"]
    assert report["lines"][2]["figures"][0]["name"] == "begins well"
    assert "2. low → FAIL" in result.stdout
    assert "accuracy → 0.995  (wanted >= 0.991)" in result.stdout
    assert "1 of 4 lines hold" in result.stdout


def test_one_line_can_be_asked_for(issue: int, tmp_path: Path) -> None:
    result = run(str(issue), "--only", "1", "--out", str(tmp_path / "accept.json"))
    assert (result.exit_code, "1 of 1 lines hold" in result.stdout) == (0, True)


@pytest.mark.parametrize("arguments", [["98"], ["99", "--only", "7"], ["0"]])
def test_wrong_usage(issue: int, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == accept.WRONG_USAGE


def test_a_line_that_measures_nothing_does_not_pass() -> None:
    assert [result.passed for result in run_lines([Line(1, "nothing", nothing)])] == [False]


def test_no_number_passes_no_bound() -> None:
    assert not at_least("x", math.nan, 0).passed
    assert not at_most("x", math.nan, 0).passed
    assert not equals("x", math.nan, math.nan).passed


def test_the_lines_of_issue_1_are_numbered_once() -> None:
    numbers = [line.number for line in accept.lines_of(1)]
    assert numbers == sorted(set(numbers))
