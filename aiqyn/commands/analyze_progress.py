"""How a run over files shows itself: a bar on a terminal, a line per input elsewhere; on standard error."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from pipelines.analysis import AnalyzedInput
    from pipelines.enrol import PictureReport


class AnalyzeBars:
    """A `pipelines.analyze.Progress` for people. It shows files, times and numbers, no subject."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._task: TaskID | None = None
        self._input = ""
        self._started = 0.0
        self._references = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
            self._task = self._bars.add_task("references")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def reference(self, _: PictureReport) -> None:
        """One more picture of the list is done."""
        self._references += 1
        self._describe(f"references: {self._references}")

    def input_started(self, path: Path) -> None:
        """An input is being opened."""
        self._input = str(path)
        self._started = time.monotonic()
        self._describe(self._input)

    def reached(self, media_seconds: float) -> None:
        """So much of the current input is done."""
        took = max(time.monotonic() - self._started, 1e-3)
        self._describe(f"{self._input}: {media_seconds:.0f} s, {media_seconds / took:.1f}x real time")

    def input_ended(self, result: AnalyzedInput) -> None:
        """Leaves one line behind."""
        summary = result.summary
        line = (
            f"{' '.join(summary.input.split())}: {summary.status}, {summary.media_seconds:.1f} s of footage in "
            f"{summary.elapsed_seconds:.1f} s, {len(result.candidates)} unconfirmed candidates"
        )
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)

    def _describe(self, text: str) -> None:
        if self._task is not None:
            self._bars.update(self._task, description=text.replace("[", "\\["))
