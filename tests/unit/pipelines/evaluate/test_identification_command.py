"""`aiqyn evaluate identification` as it is typed, with the real models on a handful of people."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.unit.pipelines.evaluate.report.reading import Reading
from tests.unit.pipelines.evaluate.test_command import document, elsewhere, invoke
from vision.images import encode_png

__all__ = ["elsewhere"]  # a fixture

LISTED, STRANGERS = 12, 100


def folder_of(root: Path, images: Path) -> Path:
    """Twelve people with two pictures and a hundred others with one, by links."""
    people = sorted(path for path in images.iterdir() if path.is_dir())
    pictures = {person.name: sorted(person.glob("*.jpg")) for person in people}
    several = [name for name, found in pictures.items() if len(found) > 1][:LISTED]
    single = [name for name in pictures if name not in several][:STRANGERS]
    for name in (*several, *single):
        (root / name).mkdir()
        for picture in pictures[name][: 2 if name in several else 1]:
            (root / name / picture.name).symlink_to(picture)
    return root


@pytest.mark.evaldata
@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_real_people(tmp_path: Path, elsewhere: Path, eval_data: Path) -> None:
    people = tmp_path / "people"
    people.mkdir()
    folder_of(people, eval_data / "faces" / "lfw2" / "images")
    (people / "nobody").mkdir()
    (people / "nobody" / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    groups = tmp_path / "groups.csv"
    names = sorted(path.name for path in people.iterdir())
    rows = [f"{name},{'күндіз' if row % 2 else 'түнде'}" for row, name in enumerate(names)]
    groups.write_text("\n".join(["person,group", *rows]), encoding="utf-8")
    arguments: list[str | Path] = [
        "--images",
        people,
        "--gallery-size",
        "10",
        "--groups",
        groups,
        "--det",
        "det.svg",
    ]
    result = invoke("identification", *arguments, "--json")
    assert result.exit_code == 1, "one picture is broken"
    assert len(result.stderr.splitlines()) == 1
    assert "broken.jpg" in result.stderr
    figures = document(result)
    assert (figures["gallery_size"], figures["mated_probes"], figures["non_mated_probes"]) == (10, 10, 102)
    assert figures["rank1"] >= 0.9
    assert figures["fnir_at_fpir"]["0.1"] <= 0.1
    assert figures["fnir_at_fpir"]["0.01"] is figures["fnir_at_fpir"]["0.003"] is None
    assert [model["role"] for model in figures["models"]] == ["face_detector", "embedder"]
    assert set(figures["groups"]["by_group"]) == {"күндіз", "түнде"}
    assert ET.parse(elsewhere / "det.svg").getroot().tag.endswith("svg")  # noqa: S314
    read = Reading((elsewhere / figures["report"]).read_text(encoding="utf-8"))
    assert read.faults == []
    assert len(read.pictures) >= 12 + 10
    for words in (
        "Strangers most like a listed person",
        "DET curve",
        "By group",
        figures["models"][1]["sha256"],
    ):
        assert words in read.text


@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"--images": "none"}, "is not a folder of people", id="no folder"),
        pytest.param({}, "nobody has the 2 readable pictures", id="one picture each"),
        pytest.param({"--embedder": "none-such"}, "none-such", id="unknown model"),
        pytest.param({"--face-detector": "mobilefacenet-faceplugin"}, "for the task", id="another task"),
        pytest.param({"--groups": "none.csv"}, "none.csv: No such file", id="no groups"),
        pytest.param({"--det": "none/det.svg"}, "there is no folder", id="no folder for the curve"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    tmp_path: Path, elsewhere: Path, options: dict[str, str], reason: str
) -> None:
    for person in "ab":
        (tmp_path / person).mkdir()
        (tmp_path / person / "1.png").write_bytes(encode_png(np.zeros((40, 40, 3), np.uint8)))
    usual = {"--images": str(tmp_path), "--gallery-size": "1"}
    result = invoke(
        "identification", *(part for pair in (usual | options).items() for part in pair), "--json"
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (elsewhere / "out").exists()


def test_without_the_extra_a_curve_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    result = invoke(
        "identification", "--images", tmp_path, "--gallery-size", "1", "--det", tmp_path / "det.svg"
    )
    assert result.exit_code == 2
    assert "aiqyn[evaluate]" in result.stderr
