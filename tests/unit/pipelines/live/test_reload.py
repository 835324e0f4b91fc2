"""Settings read again while a worker runs: what changes, what waits, and what a broken file does: nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from pipelines.live.reload import CameraPlan, ConfigWatch, plan_cameras, plan_reload

GATE, YARD = "gate: {source: rtsp://10.0.0.1/main}", "yard: {source: rtsp://10.0.0.2/main}"


class Files:
    """A settings file and its cameras file, which change when told."""

    def __init__(self, folder: Path) -> None:
        self.settings = folder / "aiqyn.yaml"
        self.cameras = folder / "cameras.yaml"
        self._seconds = 1_000_000
        self.write(self.settings, "cameras_file: cameras.yaml")
        self.write(self.cameras, GATE)

    def write(self, path: Path, text: str) -> None:
        """As an editor does, each time at another moment."""
        self._seconds += 1
        path.write_text(text + "\n", "utf-8")
        os.utime(path, (self._seconds, self._seconds))

    def load(self, path: Path | None = None) -> Config:
        return load_config(path or self.settings, environment={})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def watch(files: Files) -> ConfigWatch:
    return ConfigWatch(files.settings, files.load(), files.load)


def cameras(config: Config) -> list[str]:
    return list(config.cameras)


def test_what_becomes_of_cameras(files: Files) -> None:
    before = files.load().cameras
    files.write(files.cameras, f"{YARD}\ngate: {{source: rtsp://10.0.0.1/main, inference_fps: 9}}")
    after = files.load().cameras
    assert plan_cameras(before, after) == CameraPlan({"yard": after["yard"]}, (), {"gate": after["gate"]})
    assert plan_cameras(after, before) == CameraPlan({}, ("yard",), {"gate": before["gate"]})
    assert not plan_cameras(after, after)


def test_other_settings_wait_for_a_restart_and_are_named(files: Files) -> None:
    before = files.load()
    files.write(files.settings, "cameras_file: cameras.yaml\nworker: {threads: 3}\nmodels: {detector: null}")
    reload = plan_reload(before, files.load())
    assert (reload.restart, bool(reload.cameras)) == (("worker", "models"), False)


def test_defaults_of_cameras_change_those_that_follow_them(files: Files) -> None:
    files.write(files.cameras, f"{GATE}\nyard: {{source: a, inference_fps: 5}}")
    before = files.load()
    files.write(files.settings, "cameras_file: cameras.yaml\ncamera_defaults: {inference_fps: 3}")
    reload = plan_reload(before, files.load())
    assert (list(reload.cameras.changed), reload.restart) == (["gate"], ())


@pytest.mark.parametrize("where", ["settings", "cameras"])
def test_either_file_is_noticed_once_it_has_settled(files: Files, watch: ConfigWatch, where: str) -> None:
    assert watch.look() is None
    if where == "cameras":
        files.write(files.cameras, f"{GATE}\n{YARD}")
    else:
        files.write(files.settings, f"cameras_file: cameras.yaml\ncameras: {{{YARD}}}")
    assert watch.look() is None, "somebody may still be writing"
    reload = watch.look()
    assert reload is not None
    assert list(reload.cameras.added) == ["yard"]
    assert sorted(cameras(watch.config)) == ["gate", "yard"]
    assert watch.look() is None
    assert watch.look() is None


def test_a_file_that_is_being_written_is_left_alone(files: Files, watch: ConfigWatch) -> None:
    for size in range(4):
        files.write(files.cameras, GATE + "\n#" * size + "\n" + YARD[: 3 * size])
        assert watch.look() is None
    files.write(files.cameras, f"{GATE}\n{YARD}")
    assert watch.look() is None
    assert watch.look() is not None


def test_asked_for_it_looks_at_once_and_says_nothing_where_nothing_changed(
    files: Files, watch: ConfigWatch
) -> None:
    watch.ask()
    assert watch.look() is None
    files.write(files.cameras, f"{GATE}\n{YARD}")
    watch.ask()
    assert watch.look() is not None


def test_a_broken_file_is_told_once_and_changes_nothing(files: Files, watch: ConfigWatch) -> None:
    files.write(files.cameras, "gate: {sauce: a}")
    watch.look()
    with pytest.raises(ConfigError, match="unknown key"):
        watch.look()
    assert [watch.look() for _ in range(3)] == [None] * 3
    assert cameras(watch.config) == ["gate"]
    files.write(files.cameras, "gate: {source: }")
    watch.look()
    with pytest.raises(ConfigError, match="source"):
        watch.look()
    files.write(files.cameras, f"{GATE}\n{YARD}")
    watch.look()
    reload = watch.look()
    assert reload is not None
    assert list(reload.cameras.added) == ["yard"]


def test_what_is_missing_and_comes_later_is_noticed(files: Files, watch: ConfigWatch, tmp_path: Path) -> None:
    files.write(files.settings, "cameras_file: other.yaml")
    watch.look()
    with pytest.raises(ConfigError, match="no such file"):
        watch.look()
    files.write(tmp_path / "other.yaml", YARD)
    reload = watch.look()
    assert reload is not None
    assert (list(reload.cameras.added), reload.cameras.removed) == (["yard"], ("gate",))
    files.write(tmp_path / "other.yaml", f"{GATE}\n{YARD}")
    watch.look()
    assert watch.look() is not None


def test_a_file_that_vanishes_ends_nobody(files: Files, watch: ConfigWatch) -> None:
    files.cameras.unlink()
    watch.look()
    with pytest.raises(ConfigError, match="no such file"):
        watch.look()
    assert cameras(watch.config) == ["gate"]
