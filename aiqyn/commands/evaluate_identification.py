"""`aiqyn evaluate identification`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.evaluate_options import AsJson, ConfigFile, Threads, build_models, load_settings
from aiqyn.commands.evaluate_output import finish
from aiqyn.commands.evaluate_report import NoReport, ReportChoice, ReportPath
from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from pipelines.evaluate.runs import Outcome


def register(group: typer.Typer) -> None:
    """Adds the command to the group."""
    group.command("identification")(identification)


def identification(  # noqa: PLR0913 - a command's options are its user's
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures, a sub-folder per person.")],
    gallery_size: Annotated[
        int, typer.Option("--gallery-size", min=1, help="People to enrol: as many as the list will have.")
    ],
    references: Annotated[
        int, typer.Option("--references", min=1, max=50, help="Pictures enrolled of each person.")
    ] = 1,
    embedder: Annotated[
        str | None, typer.Option("--embedder", help="Model that compares faces; else the settings'.")
    ] = None,
    face_detector: Annotated[
        str | None, typer.Option("--face-detector", help="Model that finds faces; else the settings'.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draw of people and pictures.")] = 0,
    cctv: Annotated[
        bool, typer.Option("--cctv", help="Also with small, smeared and H.264-coded probes.")
    ] = False,
    groups: Annotated[
        Path | None, typer.Option("--groups", help="CSV: person,group or image,group; figures by group.")
    ] = None,
    det: Annotated[Path | None, typer.Option("--det", help="SVG file for the DET curve.")] = None,
    report: ReportPath = None,
    no_report: NoReport = False,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures who of a list is found, and who is taken for somebody on it: FNIR at FPIR, DET, rank 1."""
    from pipelines.evaluate.identification_run import (
        IdentificationRequest,
        conditions_for,
        run_identification,
    )

    settings = load_settings(config)
    request = IdentificationRequest(
        images=images,
        gallery_size=gallery_size,
        embedder=embedder or settings.models.embedder,
        face_detector=face_detector or settings.models.face_detector,
        references_each=references,
        seed=seed,
        conditions=conditions_for(cctv),
        groups=groups,
    )
    models = build_models(settings, threads)
    if det is not None:
        _check_plots(det)
    finish(
        lambda progress: run_identification(models, request, progress),
        as_json=as_json,
        choice=ReportChoice("identification", report, wanted=not no_report),
        also=lambda outcome: _write_det(det, outcome),
    )


def _check_plots(path: Path) -> None:
    """Ends the command before the long run, not after it, where the curve cannot be drawn or put there."""
    from pipelines.evaluate.errors import MissingExtraError
    from pipelines.evaluate.report.charts import require_plots

    if not path.parent.is_dir():
        fail(f"--det {path}: there is no folder {path.parent}")
    try:
        require_plots()
    except MissingExtraError as error:
        fail(str(error))


def _write_det(path: Path | None, outcome: Outcome) -> None:
    from pipelines.evaluate.report.charts import to_svg
    from pipelines.evaluate.report.identification import det_spec

    if path is not None:
        path.write_text(to_svg(det_spec(outcome.document), alone=True), encoding="utf-8")
