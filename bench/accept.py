"""`python -m bench.accept ISSUE`: every acceptance line → figure → pass, and the same as JSON.

The lines of issue n are `LINES` in `bench/acceptance/issue_n.py`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.acceptance.lines import Line, LineResult, run_lines

ROOT = Path(__file__).parents[1]
NOT_PASSED = 1
WRONG_USAGE = 2


def main(
    issue: Annotated[int, typer.Argument(min=1, help="Number of the issue.")] = 1,
    only: Annotated[list[int] | None, typer.Option(help="Only this line; may be repeated.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the JSON goes; out/accept-<issue>.json otherwise.")
    ] = None,
) -> None:
    """Measures an issue's acceptance lines; exits 1 where one does not hold."""
    lines = lines_of(issue)
    wanted = [line for line in lines if not only or line.number in only]
    if not wanted:
        typer.echo(
            f"error: issue {issue} has no such line; it has {[line.number for line in lines]}", err=True
        )
        raise typer.Exit(WRONG_USAGE)
    started_at = datetime.now(UTC)
    results = []
    for result in run_lines(wanted):
        typer.echo(told(result))
        results.append(result)
    path = out or ROOT / "out" / f"accept-{issue}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(issue, started_at, results), indent=2) + "\n", encoding="utf-8")
    passed = sum(result.passed for result in results)
    typer.echo(f"\n{passed} of {len(results)} lines hold; figures: {path}")
    if passed < len(results):
        raise typer.Exit(NOT_PASSED)


def lines_of(issue: int) -> Sequence[Line]:
    """The lines of an issue, by number; ends the program where the issue has none."""
    try:
        module = import_module(f"bench.acceptance.issue_{issue}")
    except ModuleNotFoundError as error:
        if error.name != f"bench.acceptance.issue_{issue}":
            raise
        typer.echo(f"error: issue {issue} has no acceptance lines in bench/acceptance/", err=True)
        raise typer.Exit(WRONG_USAGE) from None
    lines: Sequence[Line] = module.LINES
    return sorted(lines, key=lambda line: line.number)


def told(result: LineResult) -> str:
    """A line and its figures as text."""
    verdict = "pass" if result.passed else "FAIL"
    rows = [f"\n{result.number}. {result.title} → {verdict} ({result.elapsed_seconds:.1f} s)"]
    for figure in result.figures:
        value = f"{figure.value:.6g}" if isinstance(figure.value, float) else str(figure.value)
        mark = "ok  " if figure.passed else "FAIL"
        rows.append(f"   {mark}  {figure.name} → {value}  (wanted {figure.target})")
    if result.failure:
        rows.append(f"   FAIL  could not be measured: {result.failure}")
    elif not result.figures:
        rows.append("   FAIL  nothing was measured")
    return "\n".join(rows)


def document(issue: int, started_at: datetime, results: Sequence[LineResult]) -> dict[str, Any]:
    """The report as JSON values, with what is needed to repeat it."""
    return {
        "issue": issue,
        "started_at": started_at.isoformat(),
        "version": metadata.version("aiqyn"),
        "revision": _revision(),
        "machine": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": len(os.sched_getaffinity(0)),
        },
        "passed": all(result.passed for result in results),
        "lines": [{**asdict(result), "passed": result.passed} for result in results],
    }


def _revision() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    typer.run(main)
