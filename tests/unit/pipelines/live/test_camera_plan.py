"""`pipelines.live.camera_plan` and `reloading`: what a running worker does with settings that were read again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import CameraConfig, Config
from pipelines.errors import ConfigError
from pipelines.live.camera_plan import CameraPlan, fixed_changes, plan_cameras
from pipelines.live.reloading import LONGEST_NOTE, TRY_SECONDS, LiveSettings, reread_config


def config(tmp_path: Path, cameras: dict[str, dict[str, Any]] | None = None, **sections: Any) -> Config:
    paths = {"data_dir": tmp_path / "data", "keys_dir": tmp_path / "keys"}
    return Config.model_validate({"paths": paths, "cameras": cameras or {}, **sections})


def cameras(**settings: dict[str, Any]) -> dict[str, CameraConfig]:
    return {name: CameraConfig.model_validate(one) for name, one in settings.items()}


LIVE = {"source": "rtsp://viewer:{gate}@10.0.0.7/a", "inference_fps": 5}
FILE = {"source": "/recordings/a.mkv", "inference_fps": 5}


@pytest.mark.parametrize(
    ("before", "change", "list_name"),
    [
        pytest.param(LIVE, {}, None, id="the same"),
        pytest.param(LIVE, {"source": "rtsp://10.0.0.8/b"}, "changed", id="another address"),
        pytest.param(LIVE, {"inference_fps": 2}, "changed", id="another rate"),
        pytest.param(LIVE, {"priority": 3}, "changed", id="another priority"),
        pytest.param(LIVE, {"motion_gate": {"enabled": False}}, "changed", id="no gate"),
        pytest.param(LIVE, {"privacy_masks": [[[0, 0], [1, 0], [1, 1]]]}, "changed", id="a mask"),
        pytest.param(LIVE, {"max_pixels": 1000}, "reopened", id="another size of its ring"),
        pytest.param(LIVE, {"source": "/recordings/a.mkv"}, "reopened", id="a recording in its place"),
        pytest.param(FILE, {"source": "rtsp://10.0.0.8/b"}, "reopened", id="a camera in its place"),
        pytest.param(FILE, {"inference_fps": 2}, "reopened", id="a recording at another rate"),
        pytest.param(FILE, {"priority": 3}, "changed", id="a recording's priority"),
    ],
)
def test_a_camera_is_touched_as_little_as_its_change_needs(
    before: dict[str, Any], change: dict[str, Any], list_name: str | None
) -> None:
    plan = plan_cameras(cameras(gate=before, yard=LIVE), cameras(gate=before | change, yard=LIVE))
    expected = CameraPlan() if list_name is None else CameraPlan(**{list_name: ("gate",)})
    assert plan == expected


def test_cameras_come_and_go() -> None:
    plan = plan_cameras(cameras(gate=LIVE, yard=LIVE), cameras(yard=LIVE, dock=LIVE))
    assert plan == CameraPlan(added=("dock",), removed=("gate",))


def test_what_waits_for_a_restart_is_named(tmp_path: Path) -> None:
    running = config(tmp_path)
    read = config(
        tmp_path,
        worker={"id": "w9", "threads": 1},
        redis={"url": "redis://127.0.0.1:1"},
        models={"detector": None},
        api={"port": 1},
        camera_defaults={"inference_fps": 2},
    )
    assert fixed_changes(running, read) == ("models.detector", "redis.url", "worker.id", "worker.threads")


class TestReadAgain:
    def test_cameras_are_put_in_force_and_the_rest_is_told(self, tmp_path: Path) -> None:
        read = config(tmp_path, {"gate": LIVE}, worker={"threads": 1})
        settings = LiveSettings(config(tmp_path), lambda: read)
        assert settings.read_again() == CameraPlan(added=("gate",))
        assert (list(settings.config.cameras), settings.config.worker.threads) == (["gate"], None)
        assert settings.note.endswith("restart puts it in force: worker.threads")

    def test_a_file_with_mistakes_changes_nothing_and_is_told_until_it_is_mended(
        self, tmp_path: Path
    ) -> None:
        good = config(tmp_path, {"gate": LIVE})
        answers: list[Callable[[], Config]] = [_broken, lambda: good]

        def read() -> Config:
            return answers.pop(0)()

        settings = LiveSettings(good, read)
        assert settings.read_again() is None
        assert settings.config is good
        assert "/etc/aiqyn.yaml:3: cameras.gate: is wrong (and 1 more)" in settings.note
        assert settings.read_again() == CameraPlan()
        assert settings.note == ""

    def test_what_is_told_is_short(self, tmp_path: Path) -> None:
        def broken() -> Config:
            raise ConfigError("x" * 5000)

        settings = LiveSettings(config(tmp_path), broken)
        settings.read_again()
        assert len(settings.note) == LONGEST_NOTE


class TestAFileThatIsBeingWritten:
    TEXT = "paths: {data_dir: data, keys_dir: keys}\ncameras: {gate: {source: 'rtsp://cam.example/1'}}\n"

    def test_one_that_is_empty_at_first_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "aiqyn.yaml"
        path.touch()
        writing = threading.Timer(2 * TRY_SECONDS, path.write_text, [self.TEXT])
        writing.start()
        assert list(reread_config(path, {}).cameras) == ["gate"]
        writing.join()

    def test_one_that_is_away_for_a_moment_is_waited_for(self, tmp_path: Path) -> None:
        path, beside = tmp_path / "aiqyn.yaml", tmp_path / "beside.yaml"
        beside.write_text(self.TEXT)
        renaming = threading.Timer(2 * TRY_SECONDS, beside.rename, [path])
        renaming.start()
        assert list(reread_config(path, {}).cameras) == ["gate"]
        renaming.join()

    def test_one_that_stays_away_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="missing"):
            reread_config(tmp_path / "aiqyn.yaml", {})

    def test_one_that_stands_still_and_is_wrong_is_refused_for_what_is_wrong(self, tmp_path: Path) -> None:
        path = tmp_path / "aiqyn.yaml"
        path.write_text("cameras: {gate: {sou")
        with pytest.raises(ConfigError, match=r"^(?!.*still being written)"):
            reread_config(path, {})

    def test_one_that_stays_empty_sends_no_camera_away(self, tmp_path: Path) -> None:
        path = tmp_path / "aiqyn.yaml"
        path.write_text(self.TEXT)
        settings = LiveSettings(reread_config(path, {}), lambda: reread_config(path, {}))
        path.write_text("")
        assert settings.read_again() is None
        assert list(settings.config.cameras) == ["gate"]
        assert "rename" in settings.note


def _broken() -> Config:
    raise ConfigError("/etc/aiqyn.yaml:3: cameras.gate: is wrong\n/etc/aiqyn.yaml:4: so is this")
