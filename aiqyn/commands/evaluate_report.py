"""Where the report of an `evaluate` command goes, and what it says of how it came to be."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.evaluate.runs import Outcome

ReportPath = Annotated[
    Path | None,
    typer.Option("--report", help="HTML file of the report; else out/aiqyn-evaluate-<kind>.html."),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report.")]

_DEFAULT_FOLDER = Path("out")
_TOLD_APART = frozenset({"models"})


@dataclass(frozen=True, slots=True)
class ReportChoice:
    """Whether and where a report is written.

    Attributes:
        kind: of the measurement, as the command is called.
        path: asked for; None for the default place.
        wanted: False with `--no-report`.
    """

    kind: str
    path: Path | None
    wanted: bool

    @property
    def place(self) -> Path:
        """The file to be written."""
        return self.path or _DEFAULT_FOLDER / f"aiqyn-evaluate-{self.kind}.html"


def write_report(choice: ReportChoice, outcome: Outcome) -> Path | None:
    """Writes the report, for its owner's eyes; a report of an earlier run in the same place is replaced.

    Returns:
        The file; None where none is wanted or the measurement has none.

    Raises:
        OSError: it cannot be written.
    """
    from pipelines.evaluate.report.page import render

    if not choice.wanted or outcome.report is None:
        return None
    page = render(outcome.report(outcome.document), _facts(outcome))
    choice.place.parent.mkdir(parents=True, exist_ok=True)
    # It shows faces: nobody else on the machine reads it. File names need not be text; what is not is spelt out.
    new = choice.place.with_name(f".{choice.place.name}.part")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(page.encode("utf-8", "backslashreplace"))
    new.replace(choice.place)
    return choice.place


def _facts(outcome: Outcome) -> Any:
    from datetime import UTC, datetime
    from importlib.metadata import version

    from pipelines.evaluate.report.body import ReportFacts

    return ReportFacts(
        command_line=shown_command(sys.argv[1:]),
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        software=f"aiqyn {version('aiqyn')}",
        models=tuple(outcome.document.get("models", ())),
        settings=_settings(outcome.document),
        problems=outcome.problems,
    )


def _settings(document: Mapping[str, Any]) -> dict[str, str]:
    """The plain values of the document: counts, sizes, seeds."""
    plain = {
        name: value
        for name, value in document.items()
        if isinstance(value, str | int | float) and name not in _TOLD_APART
    }
    return {
        name.replace("_", " "): f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in plain.items()
    }


def shown_command(arguments: list[str]) -> str:
    """The command line as it may be shown: addresses without user, password and query."""
    from vision.locations import redact_url

    shown = []
    for argument in arguments:
        option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
        shown.append(option + equals + redact_url(value))
    return shlex.join(["aiqyn", *shown])
