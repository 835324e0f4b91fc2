"""`aiqyn evaluate calibration`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiqyn.commands.evaluate_options import AsJson, ConfigFile, Threads, build_models, load_settings
from aiqyn.commands.evaluate_output import finish
from aiqyn.commands.evaluate_report import NoReport, ReportChoice, ReportPath


def register(group: typer.Typer) -> None:
    """Adds the command to the group."""
    group.command("calibration")(calibration)


def calibration(  # noqa: PLR0913  # each is an option of the command
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures, a sub-folder per person.")],
    out: Annotated[Path, typer.Option("--out", help="File to write, for identification.calibration.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name that candidates will carry; else the folder's.")
    ] = None,
    embedder: Annotated[str | None, typer.Option("--embedder", help="Model that compares faces.")] = None,
    report: ReportPath = None,
    no_report: NoReport = False,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures how alike strangers look to an embedder, and writes the file thresholds are taken from."""
    from pipelines.evaluate.calibration import CalibrationRequest, run_calibration

    settings = load_settings(config)
    request = CalibrationRequest(
        images=images,
        out=out,
        name=name or images.resolve().name,
        embedder=embedder or settings.models.embedder,
        face_detector=settings.models.face_detector,
    )
    models = build_models(settings, threads)
    choice = ReportChoice("calibration", report, wanted=not no_report)
    finish(lambda progress: run_calibration(models, request, progress), as_json=as_json, choice=choice)
