"""How a run over labelled data tells how far it is."""

from __future__ import annotations


class Progress:
    """Hears what happens and does nothing with it; whoever shows it overrides."""

    def begin(self, what: str, total: int) -> None:
        """A run over `total` pictures or frames starts."""

    def advance(self) -> None:
        """One more is done."""

    def problem(self, line: str) -> None:
        """One input failed, and why; the rest goes on."""

    def note(self, line: str) -> None:
        """Something whoever reads the figures should know; nothing failed."""
