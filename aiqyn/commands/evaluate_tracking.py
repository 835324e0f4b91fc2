"""`aiqyn evaluate tracking`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aiqyn.commands.evaluate_options import (
    AsJson,
    ConfigFile,
    Threads,
    build_models,
    chosen_model,
    load_settings,
)
from aiqyn.commands.evaluate_output import finish
from aiqyn.commands.evaluate_report import NoReport, ReportChoice, ReportPath


class TrackerChoice(StrEnum):
    """The trackers there are."""

    OC_SORT = "oc-sort"
    BYTETRACK = "bytetrack"


def register(group: typer.Typer) -> None:
    """Adds the command to the group."""
    group.command("tracking")(tracking)


def tracking(  # noqa: PLR0913 - a command's options are its user's
    video: Annotated[Path, typer.Option("--video", help="Video file, or folder of its pictures.")],
    ground_truth: Annotated[
        Path, typer.Option("--ground-truth", help="gt.txt in MOTChallenge format, or its sequence folder.")
    ],
    scale: Annotated[
        float, typer.Option("--scale", help="Multiplies the ground truth's boxes, for a resized video.")
    ] = 1.0,
    detector: Annotated[str | None, typer.Option("--detector", help="Model; else the settings'.")] = None,
    tracker: Annotated[
        TrackerChoice | None, typer.Option("--tracker", help="Tracker; else the settings'.")
    ] = None,
    detections: Annotated[
        Path | None,
        typer.Option("--detections", help="det.txt in MOTChallenge format, instead of a detector."),
    ] = None,
    report: ReportPath = None,
    no_report: NoReport = False,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures a tracker on people: HOTA, IDF1, MOTA, identity switches."""
    from pipelines.evaluate.runs import TrackingRequest, run_tracking

    settings = load_settings(config)
    request = TrackingRequest(
        video=video,
        ground_truth=ground_truth,
        scale=scale,
        detector="" if detections else chosen_model(detector, settings.models.detector),
        tracker=tracker.value if tracker else settings.tracking.tracker,
        detections=detections,
    )
    models = build_models(settings, threads)
    choice = ReportChoice("tracking", report, wanted=not no_report)
    finish(lambda progress: run_tracking(models, request, progress), as_json=as_json, choice=choice)
