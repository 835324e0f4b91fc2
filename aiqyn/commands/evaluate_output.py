"""How an `evaluate` command shows how far it is, and its figures at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from aiqyn.commands.exits import ALL_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from pipelines.evaluate.progress import Progress
    from pipelines.evaluate.runs import Outcome


def finish(run: Callable[[Progress], Outcome], *, as_json: bool) -> None:
    """Runs, shows the figures and ends the command; an error that left nothing measured is one line."""
    from pipelines.errors import PipelineError
    from vision.errors import VisionError
    from weights.errors import WeightsError

    with _Bar() as bar:
        try:
            outcome = run(bar.progress())
        except (PipelineError, VisionError, WeightsError) as error:
            bar.stop()
            fail(str(error))
    if as_json:
        typer.echo(json.dumps(outcome.document, ensure_ascii=False, indent=2))
    else:
        _show(outcome.document)
    raise typer.Exit(SOME_FAILED if outcome.problems else ALL_DONE)


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
        if rows:
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
    return str(value)
