"""`aiqyn config check|schema`: the settings file, checked as the program reads it, and its schema."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import SOME_FAILED, fail, report

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.live.admission import Standing

group = typer.Typer(
    name="config", help="Check the settings file, or print its JSON Schema.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("check")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here, else the defaults."),
    ] = None,
    load: Annotated[
        bool,
        typer.Option(
            "--load", help="Measure the models here, and say whether this machine can watch them all."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Reads the settings and says what is wrong with them, a line per problem with file and line number.

    What is valid and will disappoint is noted as well. Exits 1 where --load finds this machine too small."""
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError

    path = file or default_config_path()
    name = str(path) if path else "the defaults and the environment"
    try:
        config = load_config(path)
    except ConfigError as error:
        problems = str(error).splitlines()
        if as_json:
            typer.echo(
                json.dumps({"file": str(path) if path else None, "valid": False, "problems": problems})
            )
        for problem in problems[:-1]:
            report(problem)
        fail(problems[-1])
    notes = notes_on(config)
    standing = _standing(config) if load else None
    if as_json:
        document: dict[str, object] = {
            "file": str(path) if path else None,
            "valid": True,
            "problems": [],
            "notes": notes,
            "settings": config.model_dump(mode="json"),
        }
        typer.echo(json.dumps(document | ({"load": asdict(standing)} if standing else {}), indent=2))
    else:
        typer.echo(f"{name}: valid; cameras: {len(config.cameras)}")
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    if standing is not None:
        _tell(standing)


def notes_on(config: Config) -> tuple[str, ...]:
    """What is valid and will disappoint, a line each."""
    from pipelines.calibrations import load_calibration
    from pipelines.camera_advice import advise
    from pipelines.errors import PipelineError
    from vision.errors import VisionError

    try:
        calibration = load_calibration(config.models.embedder, config.identification.calibration)
    except (PipelineError, VisionError) as error:
        return (*advise(config, None), str(error))
    return advise(config, calibration)


def _standing(config: Config) -> Standing:
    """What the cameras would take of this machine, by one measured frame."""
    from pipelines.build import PerceptionOptions, build_perception
    from pipelines.errors import PipelineError
    from pipelines.live.machine_load import expected_standing, measure_frame_seconds
    from pipelines.thread_budget import apply_threads, plan_threads
    from vision.errors import VisionError
    from weights.catalog import load_catalog
    from weights.errors import WeightsError
    from weights.store import WeightStore

    plan = plan_threads(config.worker)
    apply_threads(plan.library_threads)
    try:
        store = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
        perception = build_perception(store, PerceptionOptions.of(config, plan))
        seconds = measure_frame_seconds(perception.engines())
    except (PipelineError, VisionError, WeightsError) as error:
        fail(str(error))
    return expected_standing(config.cameras, plan.inference_threads, seconds)


def _tell(standing: Standing) -> None:
    typer.echo(f"note: {standing.summary}", err=True)
    for camera_id, reason in standing.refused.items():
        report(f"camera {camera_id}: {reason}")
    if standing.refused:
        raise typer.Exit(SOME_FAILED)


@group.command("schema")
def schema() -> None:
    """Prints the JSON Schema of the settings file, for editors that complete and check while typing."""
    from pipelines.config import config_schema

    typer.echo(json.dumps(config_schema(), indent=2))
