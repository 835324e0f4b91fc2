"""A worker's settings as they are read again while it runs: what is in force, and what is said of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from pipelines.given_cameras import GivenCamera, camera_config
from pipelines.live.camera_plan import CameraPlan, fixed_changes, plan_cameras, with_cameras

LONGEST_NOTE = 400
"""Of what the hash of each camera says of the settings; the log has all of it."""

TRIES: Final = 10
TRY_SECONDS: Final = 0.1

_log = structlog.get_logger(__name__)


def reread_config(path: Path | None, environment: Mapping[str, str] | None = None) -> Config:
    """The settings of a worker that runs, from a file that somebody may just be writing.

    A file without anything in it would send every camera away, and is what most editors make first.

    Args:
        path, environment: as of `load_config`.

    Raises:
        ConfigError: as of `load_config`; or the file stays away or empty, or does not stand still.
    """
    if path is None:
        return load_config(path, environment=environment)
    for _ in range(TRIES):
        before = _state(path)
        try:
            config = load_config(path, environment=environment)
        except ConfigError:
            if before and _state(path) == before:
                raise
        else:
            if before and _state(path) == before:
                return config
        time.sleep(TRY_SECONDS)
    raise ConfigError(
        f"{path}: missing, empty or still being written; write a file beside it and rename that"
    )


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file; None of one that is missing, out of reach or empty."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ino) if found.st_size else None


class LiveSettings:
    """The settings of a running worker: those of its file, and the cameras the service gives it beside them.

    Attributes:
        config: in force.
        note: what stands in the file and is not in force, and what the file wins over, in a line; empty: nothing.
        refused: why cameras that are given are not watched, by id.
    """

    def __init__(self, config: Config, read: Callable[[], Config] | None) -> None:
        """
        Args:
            config: the worker was started with.
            read: reads them again; None: there is nothing to read.
        """
        self.config = self._own = config
        self.refused: dict[str, str] = {}
        self._read = read
        self._given: Mapping[str, GivenCamera] = {}
        self._file_note = self._given_note = ""

    @property
    def note(self) -> str:
        """See the class."""
        return _shortened("; ".join(one for one in (self._file_note, self._given_note) if one))

    def read_again(self) -> CameraPlan | None:
        """Puts other cameras in force; None where the settings cannot be read: then nothing changes.

        What cannot change while the worker runs is told by name.
        """
        if self._read is None:
            return CameraPlan()
        began = time.monotonic()
        try:
            read = self._read()
        except ConfigError as error:
            problems = str(error).splitlines()
            for problem in problems:
                _log.error("settings_refused", problem=problem)
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self._file_note = f"refused, the earlier ones hold: {problems[0]}{more}"
            return None
        fixed = fixed_changes(self._own, read)
        if fixed:
            _log.warning("settings_need_restart", settings=fixed)
        self._file_note = f"changed, but only a restart puts it in force: {', '.join(fixed)}" if fixed else ""
        self._own = with_cameras(self._own, read)
        plan = self._merge()
        seconds = round(time.monotonic() - began, 3)
        _log.info(
            "settings_read",
            cameras=len(self.config.cameras),
            seconds=seconds,
            added=plan.added,
            removed=plan.removed,
            reopened=plan.reopened,
            changed=plan.changed,
        )
        return plan

    def give(self, given: Mapping[str, GivenCamera]) -> CameraPlan:
        """Puts the cameras in force that the service gives from now on."""
        self._given = given
        plan = self._merge()
        _log.info(
            "cameras_given",
            given=len(given),
            refused=sorted(self.refused),
            added=plan.added,
            removed=plan.removed,
            reopened=plan.reopened,
            changed=plan.changed,
        )
        return plan

    def _merge(self) -> CameraPlan:
        """The file wins over what is given under the same id."""
        own = self._own
        cameras, twice = dict(own.cameras), sorted(self._given.keys() & own.cameras.keys())
        self.refused = {}
        for camera_id in self._given.keys() - own.cameras.keys():
            try:
                cameras[camera_id] = camera_config(
                    self._given[camera_id], own.camera_defaults, own.worker.camera_secrets
                )
            except ConfigError as error:
                self.refused[camera_id] = str(error)
        note = (
            f"the file names cameras that the service gives, too, and wins: {', '.join(twice)}"
            if twice
            else ""
        )
        if note and note != self._given_note:
            _log.warning("cameras_given_twice", camera_ids=twice)
        self._given_note = note
        plan = plan_cameras(self.config.cameras, cameras)
        self.config = own.model_copy(update={"cameras": cameras})
        return plan


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NOTE else f"{text[: LONGEST_NOTE - 1]}…"
