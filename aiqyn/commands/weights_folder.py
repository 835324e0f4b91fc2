"""What every `aiqyn weights` command shares: which folder, which catalogue, which options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from weights.store import WeightStore

WeightsDir = Annotated[
    Path | None,
    typer.Option(
        "--weights-dir",
        help="Folder of the model files; else AIQYN_WEIGHTS_DIR, else that of the settings file.",
        file_okay=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
EntryId = Annotated[str, typer.Argument(metavar="ID", help="As `weights list` shows it.")]


def open_store(weights_dir: Path | None) -> WeightStore:
    """The store of that folder, with the catalogue, the site's own models and the operator's pins.

    Raises:
        typer.Exit: the settings file or the pins are broken; one line has said so.
    """
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError
    from weights.catalog import load_catalog
    from weights.errors import WeightsError
    from weights.store import WeightStore

    if weights_dir is None:
        try:
            weights_dir = load_config(default_config_path()).paths.weights_dir
        except ConfigError as error:
            fail(f"{error}; mend it, or name the folder with --weights-dir")
    store = WeightStore(weights_dir, load_catalog(weights_dir))
    try:
        store.catalog  # noqa: B018 - the pins are read now, so that what is wrong with them is told at once
    except WeightsError as error:
        fail(str(error))
    return store
