"""`aiqyn evaluate faces`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aiqyn.commands.evaluate_options import AsJson, ConfigFile, Threads, build_models, load_settings
from aiqyn.commands.evaluate_output import finish
from aiqyn.commands.evaluate_report import NoReport, ReportChoice, ReportPath
from aiqyn.commands.exits import fail


def register(group: typer.Typer) -> None:
    """Adds the command to the group."""
    group.command("faces")(faces)


def faces(  # noqa: PLR0913 - a command's options are its user's
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures, a sub-folder per person.")],
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="CSV: image_a,image_b,same; paths relative to --images.")
    ] = None,
    embedder: Annotated[str | None, typer.Option("--embedder", help="Model that compares faces.")] = None,
    thresholds: Annotated[
        bool,
        typer.Option("--thresholds", help="Add the similarity strangers reach at falling false match rates."),
    ] = False,
    report: ReportPath = None,
    no_report: NoReport = False,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures how well an embedder tells people apart: accuracy over folds, true accepts."""
    from pipelines.evaluate.runs import FacesRequest, run_faces

    if pairs is None and not thresholds:
        fail("--pairs is needed; only --thresholds does without")
    settings = load_settings(config)
    request = FacesRequest(
        images=images,
        pairs=pairs,
        embedder=embedder or settings.models.embedder,
        face_detector=settings.models.face_detector,
        quantiles=thresholds,
    )
    models = build_models(settings, threads)
    choice = ReportChoice("faces", report, wanted=not no_report)
    finish(lambda progress: run_faces(models, request, progress), as_json=as_json, choice=choice)
