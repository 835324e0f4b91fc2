"""How `aiqyn weights add` shows its steps and what it found."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from pipelines.model_adding import AddListener, AddOutcome
    from pipelines.model_report import MarginReport


class StepBars:
    """A bar for each step on a terminal, nothing elsewhere; on standard error."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._shown = console.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bars = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._shown:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bar off the terminal."""
        if self._shown:  # stopping one that never began writes an empty line
            self._bars.stop()

    def listener(self) -> AddListener:
        """What `add_model` is given."""
        from pipelines.model_adding import AddListener

        return AddListener(self._begin, self._advance)

    def _begin(self, step: str) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(step, total=None)

    def _advance(self, done: int, of: int) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=of)


def show_report(outcome: AddOutcome) -> None:
    """The report in plain words, on standard output."""
    from pipelines.calibrations import HOW_TO_MEASURE
    from pipelines.model_registration import margin_sentences

    console = Console()
    spec, report = outcome.spec, outcome.report
    table = Table("test", "result", "what was found", title=f"{spec.source.label} as {report.family}")
    for finding in report.findings:
        table.add_row(finding.name, finding.outcome, finding.sentence)
    console.print(table, markup=False)
    if report.rewritten:
        typer.echo(f"The file was changed before it was registered: {report.rewritten}.")
    if report.margins:
        console.print(_margin_table(report.margins), markup=False)
        for sentence in margin_sentences(report.margins):
            typer.echo(sentence[:1].upper() + sentence[1:])
    elif report.task == "embed":
        typer.echo("Colour order and scaling were not tested; --pairs CSV --images DIR does it.")
    if outcome.refusal:
        return
    if report.task == "embed":
        typer.echo(
            f"It has no calibration: its scores mean nothing yet, and it cannot be used for matching until you "
            f"{HOW_TO_MEASURE}."
        )
    role = {"detect": "detector", "face": "face_detector", "embed": "embedder"}[report.task]
    typer.echo(f"Added as {spec.id}: aiqyn weights card {spec.id}; in the settings, models.{role}: {spec.id}")


def _margin_table(margins: MarginReport) -> Table:
    table = Table(
        "declared", "against", "gain of the declared", "p", title="Margins, the same faces both ways"
    )
    for answer in margins.answers:
        for test in answer.alternatives:
            other = f"{test.colour.upper()}, {test.scaling}"
            table.add_row(answer.declared, other, f"{test.margin_gain:+.2f}", f"{test.p_value:.2g}")
    return table
