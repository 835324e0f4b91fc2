"""What the `evaluate` commands are told alike, and what they make of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.evaluate.runs import Models

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file; else aiqyn.yaml.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, max=256, help="Threads of one inference; else the settings'."),
]


def load_settings(path: Path | None) -> Config:
    """The settings; ends the command where they cannot be read."""
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError

    try:
        return load_config(path or default_config_path())
    except ConfigError as error:
        fail(str(error))


def chosen_model(asked: str | None, configured: str | None) -> str:
    """The model asked for, else the configured one; ends the command where there is neither."""
    if not (asked or configured):
        fail("the settings name no detector; name one with --detector")
    return asked or configured or ""


def build_models(settings: Config, threads: int | None) -> Models:
    """Where the models come from and how they run."""
    from pipelines.evaluate.runs import Models
    from vision.runtime import RuntimeOptions
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    runtime = RuntimeOptions(settings.worker.providers, threads or settings.worker.intra_op_threads)
    return Models(WeightStore(settings.paths.weights_dir, load_catalog(settings.paths.weights_dir)), runtime)
