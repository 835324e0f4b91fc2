"""`aiqyn evaluate …`: models and trackers measured on labelled data; one module for each kind."""

from __future__ import annotations

import typer

from aiqyn.commands import (
    evaluate_calibration,
    evaluate_detection,
    evaluate_faces,
    evaluate_identification,
    evaluate_tracking,
)

_KINDS = (
    evaluate_faces,
    evaluate_identification,
    evaluate_calibration,
    evaluate_detection,
    evaluate_tracking,
)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    group = typer.Typer(
        name="evaluate", help="Measure models and trackers on labelled data.", no_args_is_help=True
    )
    for kind in _KINDS:
        kind.register(group)
    app.add_typer(group)
