"""What a report says, before it is a page: figures, plots, tables and pictures of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_BREAK = "\N{NO-BREAK SPACE}"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

MAX_EXHIBITS = 12
"""Worst cases of a kind that are shown; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One headline figure.

    Attributes:
        label: what it is, in a few words.
        value: as it is read; a dash where it could not be measured.
        interval: the 95 % interval as it is read; empty where there is none.
        note: what one must know to read it; may be empty.
    """

    label: str
    value: str
    interval: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Attributes:
        title: above it.
        spec: Vega-Lite, with its data inside and nothing to be fetched.
        note: how to read it.
    """

    title: str
    spec: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; every cell is text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Exhibit:
    """One case: pictures side by side, as JPEG, and what they show."""

    jpegs: tuple[bytes, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class Exhibits:
    """Cases of one kind, worst first, at most `MAX_EXHIBITS`."""

    title: str
    note: str
    exhibits: tuple[Exhibit, ...]


@dataclass(frozen=True, slots=True)
class ReportBody:
    """Everything on the page that the run itself knows.

    Attributes:
        title: of the page.
        summary: what was measured on what, in a sentence or two.
        figures: the headline.
        plots: in order.
        tables: in order.
        exhibits: the worst cases, kind by kind.
        cautions: what the figures do not say.
    """

    title: str
    summary: str
    figures: tuple[Figure, ...]
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    exhibits: tuple[Exhibits, ...] = ()
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What the page says of how it came to be.

    Attributes:
        command_line: as typed, without passwords.
        created_at: UTC, RFC 3339.
        software: name and version.
        models: role, id and SHA-256 of each.
        settings: what else decided the figures, by name.
        problems: inputs that failed and are in no figure.
    """

    command_line: str
    created_at: str
    software: str
    models: tuple[Mapping[str, str], ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    problems: int = 0


def readable(text: str) -> str:
    """The text with everything replaced that is not seen: controls, halves of letters, marks that turn the line.

    File names need be no text at all, and may be made to look like other ones.
    """
    return "".join(letter if letter.isprintable() or letter == NO_BREAK else REPLACEMENT for letter in text)


def percent(share: float | None) -> str:
    """A share as it is read: enough digits to tell small rates apart; a dash for None."""
    if share is None:
        return "–"
    digits = 1 if abs(share) >= 0.1 else 2
    return f"{100 * share:.{digits}f}{NO_BREAK}%"


def percent_interval(interval: tuple[float, float] | list[float] | None) -> str:
    """An interval of shares; empty for None."""
    return "" if interval is None else f"{percent(interval[0])} to {percent(interval[1])}"


def nominal(rate: str | float) -> str:
    """A rate that was chosen, not measured: 10 %, 0.3 %."""
    return f"{100 * float(rate):g}{NO_BREAK}%"
