"""How an `evaluate` command shows how far it is, and its figures at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from aiqyn.commands.evaluate_report import ReportChoice, write_report
from aiqyn.commands.exits import ALL_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from pipelines.evaluate.progress import Progress
    from pipelines.evaluate.runs import Outcome

_LONGEST_TABLE = 40


def finish(
    run: Callable[[Progress], Outcome],
    *,
    as_json: bool,
    choice: ReportChoice | None = None,
    also: Callable[[Outcome], None] | None = None,
) -> None:
    """Runs, writes the report, shows the figures and ends the command.

    An error that left nothing measured is one line. A file that cannot be written costs no figure.

    Args:
        run: the measurement.
        as_json: one JSON document instead of tables.
        choice: of the report; None for a measurement that has none.
        also: writes what else was asked for; an OSError of it counts as a failure.
    """
    from pipelines.errors import PipelineError
    from vision.errors import VisionError
    from weights.errors import WeightsError

    with _Bar() as bar:
        try:
            outcome = run(bar.progress())
        except (PipelineError, VisionError, WeightsError) as error:
            bar.stop()
            fail(str(error))
    document, failed = dict(outcome.document), bool(outcome.problems)
    if choice is not None:
        written, reported = _reported(choice, outcome)
        document["report"] = None if written is None else str(written)
        failed |= not reported
    if also is not None:
        failed |= not _written(lambda: also(outcome))
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _show(document)
    raise typer.Exit(SOME_FAILED if failed else ALL_DONE)


def _reported(choice: ReportChoice, outcome: Outcome) -> tuple[Path | None, bool]:
    """The report's file, and whether what was asked for was done: only a named file must be written."""
    try:
        return write_report(choice, outcome), True
    except OSError as error:
        report(
            f"{choice.place}: the report cannot be written ({error.strerror or error}); --report names a file"
        )
        return None, choice.path is None


def _written(write: Callable[[], None]) -> bool:
    try:
        write()
    except OSError as error:
        report(f"{error.filename or 'file'}: cannot be written ({error.strerror or error})")
        return False
    return True


class _Bar:
    """A bar on a terminal, nothing elsewhere; on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Bars(*columns, console=self._console, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bar away. Twice is once."""
        if self._bars.live.is_started:
            self._bars.stop()

    def progress(self) -> Progress:
        """What a run tells of itself, shown."""
        from pipelines.evaluate.progress import Progress

        bars = self._bars

        class Shown(Progress):
            def begin(self, what: str, total: int) -> None:
                bars.add_task(what, total=total)

            def advance(self) -> None:
                bars.advance(bars.task_ids[-1])

            def problem(self, line: str) -> None:
                report(line)

            def note(self, line: str) -> None:
                typer.echo("note: " + " ".join(line.split()), err=True)

        return Shown()


def _show(document: dict[str, Any]) -> None:
    """One table of the figures, and one for each list or group of them."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    figures = Table(box=None, show_header=False)
    for name, value in document.items():
        if not isinstance(value, list | dict):
            figures.add_row(_words(name), _text(value))
    console.print(figures)
    for name, value in document.items():
        rows = _rows(value)
        if len(rows) > _LONGEST_TABLE:
            console.print(f"{_words(name)}: {len(rows)} rows, with --json and in the report", style="dim")
        elif rows:
            table = Table(*map(_words, rows[0]), title=_words(name), box=None, title_justify="left")
            for row in rows:
                table.add_row(*map(_text, row.values()))
            console.print(table)


def _rows(value: Any) -> list[dict[str, Any]]:
    """A list of records, or a group of figures or records by name, as records."""
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, dict)]
    if not isinstance(value, dict):
        return []
    if all(isinstance(item, dict) for item in value.values()):
        return [{"": name, **item} for name, item in value.items()]
    return [dict(value)]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " to ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_text(item)}" for name, item in value.items())
    return str(value)
