"""Settings that change while a worker runs: what of them takes effect without a restart, and when to look.

Cameras come and go with the settings file, and with the `cameras_file` it names: by whoever edits them, or by a
program that writes the latter. A file that cannot be used changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from pipelines.config import CameraConfig, Config, load_config
from pipelines.errors import ConfigError

Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Time of change, size and number of each file; None for one that is not there."""

_WITHOUT_RESTART = frozenset({"cameras", "cameras_file", "camera_defaults"})


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """What becomes of a worker's cameras.

    Attributes:
        added: those that begin.
        removed: those that end.
        changed: those that end and begin again as they are now.
    """

    added: dict[str, CameraConfig] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    changed: dict[str, CameraConfig] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Reload:
    """Other settings than those in force.

    Attributes:
        config: the new ones.
        cameras: what becomes of the cameras.
        restart: sections that changed as well and take effect with the next start only.
    """

    config: Config
    cameras: CameraPlan
    restart: tuple[str, ...] = ()


def plan_cameras(before: Mapping[str, CameraConfig], after: Mapping[str, CameraConfig]) -> CameraPlan:
    """What must happen to the cameras so that they are those of `after`; who stays as he is is not touched."""
    return CameraPlan(
        added={name: camera for name, camera in after.items() if name not in before},
        removed=tuple(name for name in before if name not in after),
        changed={name: camera for name, camera in after.items() if name in before and camera != before[name]},
    )


def plan_reload(before: Config, after: Config) -> Reload:
    """What other settings bring."""
    restart = tuple(
        name
        for name in Config.model_fields
        if name not in _WITHOUT_RESTART and getattr(before, name) != getattr(after, name)
    )
    return Reload(after, plan_cameras(before.cameras, after.cameras), restart)


class ConfigWatch:
    """Notices that the settings changed, or were asked to be read again.

    Args:
        path: the settings file.
        config: what was read from it and is in force.
        load: reads it.
    """

    def __init__(self, path: Path, config: Config, load: Callable[[Path], Config] = load_config) -> None:
        self._path = path
        self._load = load
        self._config = config
        self._read = self._looked = self._signature()
        self._asked = False
        self._problem = ""

    @property
    def config(self) -> Config:
        """The newest settings that could be read."""
        return self._config

    def ask(self) -> None:
        """Reads at the next look, changed or not. Safe in a signal handler."""
        self._asked = True

    def look(self) -> Reload | None:
        """What changed, where the files did since they were last read and have stayed the same since the last look.

        Call it about once a second: a file somebody is still writing is left alone for that long.

        Raises:
            ConfigError: the new files cannot be used; said once, and the settings in force stand.
        """
        now = self._signature()
        settled, self._looked = now == self._looked, now
        # What is wrong may be mended in a file that the settings in force do not name.
        due = self._asked or (settled and (now != self._read or bool(self._problem)))
        if not due:
            return None
        self._asked, self._read = False, now
        before, after = self._config, self._loaded()
        if after is None:
            return None
        self._config = after
        if after.cameras_file != before.cameras_file:
            self._looked = self._read = self._signature()
        reload = plan_reload(before, after)
        return reload if reload.cameras or reload.restart else None

    def _loaded(self) -> Config | None:
        """The settings as they are now; None where what is wrong with them was said before."""
        try:
            loaded = self._load(self._path)
        except ConfigError as error:
            if str(error) == self._problem:
                return None
            self._problem = str(error)
            raise
        self._problem = ""
        return loaded

    def _signature(self) -> Signature:
        files = (self._path, self._config.cameras_file)
        return tuple(_signature_of(file) for file in files if file is not None)


def _signature_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
