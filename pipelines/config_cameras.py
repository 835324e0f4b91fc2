"""Cameras in a file of their own (`cameras_file`): read, and merged with those of the settings file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.config_yaml import LocatedYaml, read_yaml
from pipelines.errors import ConfigError

KEY = "cameras_file"


def with_cameras_file(located: LocatedYaml, base_dir: Path) -> LocatedYaml:
    """The settings with the cameras of the file they name, each at its place there.

    Relative sources in that file start at its own folder.

    Args:
        located: settings; without `cameras_file` they are returned as they are.
        base_dir: where a relative `cameras_file` starts.

    Raises:
        ConfigError: the file cannot be read, or gives a camera that the settings give, too; one line for each.
    """
    named, own = located.values.get(KEY), located.values.get("cameras") or {}
    if not isinstance(named, str) or not isinstance(own, dict):
        return located  # nothing is named, or the settings are wrong there, which validation says
    path = base_dir / Path(named).expanduser()
    if not path.is_file():
        raise ConfigError(f"{located.places[KEY,]}: {KEY}: {path}: no such file")
    cameras = read_yaml(path)
    places = located.places | {("cameras", *where): place for where, place in cameras.places.items()}
    twice = [name for name in cameras.values if name in own]
    if twice:
        raise ConfigError(
            "\n".join(
                f"{cameras.places[name,]}: camera {name!r} is given twice (first at "
                f"{located.places['cameras', name]}); keep one"
                for name in twice
            )
        )
    merged = own | {name: _anchored(camera, path.parent) for name, camera in cameras.values.items()}
    return LocatedYaml({**located.values, "cameras": merged}, places)


def _anchored(camera: Any, folder: Path) -> Any:
    """A relative source, made to start at a folder; anything else as it is."""
    if not isinstance(camera, Mapping):
        return camera
    source = camera.get("source")
    if not isinstance(source, str) or not source or "://" in source or source.startswith("~"):
        return camera
    return {**camera, "source": str(folder / source)}
