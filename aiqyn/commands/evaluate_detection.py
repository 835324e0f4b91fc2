"""`aiqyn evaluate detection`."""

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


class Format(StrEnum):
    """How pictures are labelled."""

    YOLO = "yolo"
    WIDER_JSON = "wider-json"


def register(group: typer.Typer) -> None:
    """Adds the command to the group."""
    group.command("detection")(detection)


def detection(  # noqa: PLR0913 - a command's options are its user's
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures.")],
    labels: Annotated[
        Path, typer.Option("--labels", help="yolo: folder of text files; wider-json: one JSON file.")
    ],
    label_format: Annotated[Format, typer.Option("--format", help="Of the labels; wider-json scores faces.")],
    detector: Annotated[
        str | None, typer.Option("--detector", help="Model; else the settings' detector of objects or faces.")
    ] = None,
    min_size_px: Annotated[
        float,
        typer.Option("--min-size-px", min=0, help="Ignore smaller ground truth (root of its area)."),
    ] = 0.0,
    report: ReportPath = None,
    no_report: NoReport = False,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures a detector: recall, precision, average precision, false boxes a picture."""
    from pipelines.evaluate.runs import DetectionRequest, run_detection

    settings = load_settings(config)
    configured = (
        settings.models.face_detector if label_format is Format.WIDER_JSON else settings.models.detector
    )
    request = DetectionRequest(
        images=images,
        labels=labels,
        label_format=label_format.value,
        detector=chosen_model(detector, configured),
        min_size_px=min_size_px,
    )
    models = build_models(settings, threads)
    choice = ReportChoice("detection", report, wanted=not no_report)
    finish(lambda progress: run_detection(models, request, progress), as_json=as_json, choice=choice)
