"""`aiqyn evaluate calibration`: a folder of people becomes the file thresholds are taken from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.build import PerceptionOptions, build_perception
from pipelines.calibrations import load_calibration
from pipelines.config import load_config
from pipelines.errors import ConfigError
from tests.unit.pipelines.evaluate.test_command import document, invoke
from weights.catalog import load_catalog
from weights.store import WeightStore

PEOPLE = 60


@pytest.fixture
def images(tmp_path: Path, eval_data: Path) -> Path:
    folder = tmp_path / "people"
    source = eval_data / "faces" / "lfw2" / "images"
    for person in sorted(source.iterdir())[:PEOPLE]:
        (folder / person.name).mkdir(parents=True)
        first = min(person.iterdir())
        (folder / person.name / first.name).symlink_to(first)
    return folder


@pytest.mark.evaldata
@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_the_file_is_taken_up_by_the_settings(images: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "site.json", tmp_path / "report.html"
    result = invoke("calibration", "--images", images, "--out", out, "--report", page, "--json")
    assert result.exit_code == 0, result.stderr
    figures = document(result)
    assert (figures["people"], figures["pictures"], figures["undetected"]) == (PEOPLE, PEOPLE, 0)
    calibration = load_calibration("mobilefacenet-faceplugin", out)
    assert calibration.name == figures["calibration"]
    assert calibration.name.startswith("people:")
    assert figures["operating_points"][0]["gallery_size"] == 1
    assert "Strangers most alike" in page.read_text(encoding="utf-8")
    assert not any(person.name in out.read_text() for person in images.iterdir())
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    options = PerceptionOptions(detector=None, calibration=out)
    assert build_perception(store, options).engines().calibration.name == calibration.name
    with pytest.raises(ConfigError, match=r"is of embedder 'mobilefacenet-faceplugin'"):
        load_calibration("dlib-resnet", out)


def test_too_few_people_are_told(tmp_path: Path) -> None:
    (tmp_path / "nobody").mkdir()
    result = invoke("calibration", "--images", tmp_path, "--out", tmp_path / "site.json")
    assert result.exit_code == 2
    assert result.stderr.strip() == f"error: {tmp_path}: holds no pictures"
    assert not (tmp_path / "site.json").exists()


@pytest.mark.parametrize(
    ("folder", "out", "options", "said"),
    [
        ("people", "nowhere/site.json", (), "there is no folder .*nowhere that can be written to"),
        ("people", ".", (), "is a folder; name the file to write"),
        ("our people", "site.json", (), "cannot be called 'our people': .*; name it with --name"),
        ("people", "site.json", ("--name", "<b>"), "cannot be called '<b>'"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, folder: str, out: str, options: tuple[str, ...], said: str
) -> None:
    """The one picture is none, which would be told first if it were looked at."""
    (tmp_path / folder / "a").mkdir(parents=True)
    (tmp_path / folder / "a" / "1.png").write_text("no picture")
    result = invoke("calibration", "--images", tmp_path / folder, "--out", tmp_path / out, *options)
    assert result.exit_code == 2
    assert re.fullmatch(f"error: .*{said}.*\n", result.stderr)
