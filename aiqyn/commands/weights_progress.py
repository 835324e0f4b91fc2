"""How a pull shows itself: bars on a terminal, a line per step elsewhere; always on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn


class PullBars:
    """A `weights.progress.PullProgress` for people.

    Attributes:
        download_bytes: sizes of the packages fetched so far.
    """

    def __init__(self) -> None:
        self.download_bytes = 0
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._task: TaskID | None = None
        self._total: int | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if self._console.is_terminal:
            self._bars.stop()

    def begin(self, step: str, total_bytes: int | None) -> None:
        """Shows the step; a known total is something fetched."""
        self.end()
        self._total = total_bytes
        self.download_bytes += total_bytes or 0
        size = f" ({total_bytes / 1e6:.1f} MB)" if total_bytes else ""
        if self._console.is_terminal:
            self._task = self._bars.add_task(step, total=total_bytes)
        else:
            self._console.print(f"{step}{size}", highlight=False, soft_wrap=True)

    def advance_to(self, done_bytes: int) -> None:
        """Moves the bar; clients unpack beside what they fetched, so the count is capped."""
        if self._task is not None:
            done = min(done_bytes, self._total) if self._total else done_bytes
            self._bars.update(self._task, completed=done)

    def end(self) -> None:
        """Leaves one line of the step behind."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
