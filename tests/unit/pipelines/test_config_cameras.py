"""Cameras in a file of their own: merged, checked alike, and wrong at their own lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.config import Config, load_config
from pipelines.errors import ConfigError

Load = Callable[[str, str | None], Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a settings file beside `sites/cameras.yaml`, where that is given a text."""

    def run(text: str, cameras: str | None) -> Config:
        (tmp_path / "aiqyn.yaml").write_text(text, "utf-8")
        if cameras is not None:
            (tmp_path / "sites").mkdir(exist_ok=True)
            (tmp_path / "sites" / "cameras.yaml").write_text(cameras, "utf-8")
        return load_config(tmp_path / "aiqyn.yaml", environment={}, secrets_dir=tmp_path / "secrets")

    return run


NAMED = "cameras_file: sites/cameras.yaml\n"


def test_cameras_of_both_files_are_watched_and_start_from_the_defaults(load: Load, tmp_path: Path) -> None:
    config = load(
        NAMED + "camera_defaults: {inference_fps: 2}\ncameras: {gate: {source: rtsp://10.0.0.1/main}}\n",
        "yard: {source: rtsp://10.0.0.2/main}\n12: {source: clip.mp4, inference_fps: 9, priority: 3}\n",
    )
    assert {name: camera.inference_fps for name, camera in config.cameras.items()} == {
        "gate": 2,
        "yard": 2,
        "12": 9,
    }
    assert config.cameras["12"].source == str(tmp_path / "sites" / "clip.mp4")
    assert config.cameras_file == tmp_path / "sites" / "cameras.yaml"


def test_hundreds_of_cameras(load: Load) -> None:
    lines = [
        f"camera-{number}: {{source: 'rtsp://10.0.{number // 250}.{number % 250}/main', priority: 2}}"
        for number in range(1000)
    ]
    assert len(load(NAMED, "\n".join(lines)).cameras) == 1000


def test_a_file_without_cameras_adds_none(load: Load) -> None:
    assert load(NAMED, "# later\n").cameras == {}


def test_addresses_and_home_folders_are_not_joined_to_the_folder(load: Load) -> None:
    cameras = load(NAMED, "a: {source: ~/a.mp4}\nb: {source: /b.mp4}\n").cameras
    assert [camera.source for camera in cameras.values()] == [str(Path("~/a.mp4").expanduser()), "/b.mp4"]


REFUSED = [
    pytest.param(
        "a: {source: b, sauce: c}", ["cameras.yaml:1: cameras.a.sauce: unknown key"], id="unknown key"
    ),
    pytest.param("a: {source: a}\nb: {}\n", ["cameras.yaml:2: cameras.b.source: is missing"], id="no source"),
    pytest.param("a: 5\n", ["cameras.yaml:1: cameras.a: "], id="no camera at all"),
    pytest.param("- a\n", ["cameras.yaml:1: expected"], id="a list"),
    pytest.param("a: {source: a\n", ["cameras.yaml:2: not valid YAML"], id="broken"),
    pytest.param(
        "a: {source: x}\na: {source: y}\n", ["cameras.yaml:2: 'a' is given twice"], id="twice in it"
    ),
    pytest.param(
        "x: {source: x}\ngate: {source: y}\nyard: {source: z}\n",
        [
            "cameras.yaml:2: camera 'gate' is given twice (first at ",
            "cameras.yaml:3: camera 'yard' is given twice (first at ",
        ],
        id="in both",
    ),
    pytest.param(None, ["aiqyn.yaml:1: cameras_file: "], id="not there"),
    pytest.param("'a b': {source: x}\n", ["cameras.yaml:1: cameras.a b: a name may hold"], id="a bad name"),
    pytest.param(
        "a: {source: 'rtsp://u:hunter2@h/'}\n", ["cameras.yaml:1: cameras.a.source: "], id="a password"
    ),
]


@pytest.mark.parametrize(("cameras", "said"), REFUSED)
def test_what_is_wrong_is_told_with_its_own_line(load: Load, cameras: str | None, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(NAMED + "cameras:\n  gate: {source: a}\n  yard: {source: b}\n", cameras)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(said)
    for line, wanted in zip(lines, said, strict=True):
        assert wanted in line
    assert "hunter2" not in str(caught.value)
