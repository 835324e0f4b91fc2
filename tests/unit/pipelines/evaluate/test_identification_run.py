"""A folder of painted people → the whole document, with models that read who it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.evaluate.degrade import CCTV_32, FACE_24
from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.faces import list_faces
from pipelines.evaluate.identification_faces import FaceModels
from pipelines.evaluate.identification_run import IdentificationRequest, measure_identification
from pipelines.evaluate.progress import Progress
from pipelines.evaluate.runs import Outcome
from tests.fake_engine import FakeEmbedder, FakeFaceDetector, Painted, paint
from vision.images import encode_png

PEOPLE, WITH_TWO = 130, 20
FACE = (50, 30, 110, 90)


class Heard(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        self.notes: list[str] = []
        self.problems: list[str] = []

    def begin(self, what: str, total: int) -> None:
        self.runs[what] = total

    def problem(self, line: str) -> None:
        self.problems.append(line)

    def note(self, line: str) -> None:
        self.notes.append(line)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130 people, twenty of them with two pictures; one of the twenty is never seen on the second."""
    root = tmp_path_factory.mktemp("people")
    for person in range(PEOPLE):
        for number in range(2 if person < WITH_TWO else 1):
            (root / f"p{person:03d}").mkdir(exist_ok=True)
            people = [Painted(person, FACE)] if (person, number) != (7, 1) else []
            (root / f"p{person:03d}" / f"{number}.png").write_bytes(
                encode_png(paint(people, size_wh=(160, 120)))
            )
    return root


def run(folder: Path, heard: Progress | None = None, **changes: Any) -> Outcome:
    request = IdentificationRequest(folder, changes.pop("gallery_size", 12), "e", "d", **changes)
    faces = FaceModels(FakeFaceDetector(), FakeEmbedder())
    return measure_identification(request, faces, list_faces(folder), heard or Progress())


def test_the_document(folder: Path) -> None:
    heard = Heard()
    outcome = run(folder, heard)
    figures = json.loads(json.dumps(outcome.document))
    assert (figures["gallery_size"], figures["mated_probes"], figures["non_mated_probes"]) == (12, 12, 118)
    assert set(figures["fnir_at_fpir"]) == {"0.1", "0.01", "0.003"}
    assert figures["fnir_at_fpir"]["0.01"] is figures["fnir_at_fpir_interval_95"]["0.01"] is None
    low, high = figures["fnir_at_fpir_interval_95"]["0.1"]
    assert low <= figures["fnir_at_fpir"]["0.1"] <= high
    assert heard.runs == {"reading": 150, "faces": 12 + 12 + 118}
    assert (outcome.problems, heard.notes) == (0, [])
    assert figures["det"]


def test_a_probe_without_a_face_is_a_miss(folder: Path) -> None:
    """All twenty are enrolled; which picture of the seventh is the reference is the seed's to say."""
    documents = [run(folder, gallery_size=WITH_TWO, seed=seed).document for seed in range(4)]
    assert {figures["mated_without_face"] + figures["references_without_face"] for figures in documents} == {
        1
    }
    assert {figures["rank1"] for figures in documents} == {19 / 20}
    assert {figures["fnir_at_fpir"]["0.1"] for figures in documents} == {1 / 20}
    assert {figures["references_without_face"] for figures in documents} == {0, 1}, "both ways were tried"


def test_a_gallery_that_cannot_be_filled_is_told(folder: Path) -> None:
    heard = Heard()
    figures = run(folder, heard, gallery_size=1000).document
    assert (figures["gallery_size"], figures["gallery_size_wanted"]) == (WITH_TWO, 1000)
    assert len(heard.notes) == 1
    assert "20 people" in heard.notes[0]


def test_broken_pictures_are_told_once_and_never_drawn(folder: Path, tmp_path: Path) -> None:
    for path in sorted(folder.rglob("*.png"))[:60]:
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    (tmp_path / "p000" / "0.png").write_bytes(b"no picture")
    heard = Heard()
    outcome = run(tmp_path, heard, gallery_size=50)
    assert outcome.problems == len(heard.problems) == 1
    assert "0.png" in heard.problems[0]
    assert (outcome.document["unreadable"], outcome.document["gallery_size"]) == (1, WITH_TWO - 1)


def test_under_degradations(folder: Path) -> None:
    """Shrunk paint is still read; coding shifts its colour, and it is taken for somebody else."""
    heard = Heard()
    clean = run(folder, heard, conditions=(FACE_24, CCTV_32)).document
    cctv = clean["cctv"]
    assert heard.runs["face_24px"] == heard.runs["cctv_32px"] == 12 + 118
    assert cctv["face_24px"]["rank1"] == clean["rank1"] > 0.9
    lost = cctv["cctv_32px"]
    assert lost["rank1"] < 0.5
    assert lost["fnir_at_fpir"]["0.1"] > 0.5
    assert lost["at_clean_threshold"]["0.1"]["fnir"] > 0.5


def test_by_group(folder: Path) -> None:
    groups = {f"p{number:03d}": "even" if number % 2 == 0 else "odd" for number in range(100)}
    request = IdentificationRequest(folder, 12, "e", "d")
    faces = FaceModels(FakeFaceDetector(), FakeEmbedder())
    found = measure_identification(request, faces, list_faces(folder), Progress(), groups).document["groups"]
    assert set(found["by_group"]) == {"even", "odd"}
    assert found["by_group"]["even"]["fnir_at_fpir"]["0.1"] is None, "six people are no group"
    assert found["by_group"]["even"]["fpir_at_fpir"]["0.1"] is not None
    assert found["unlabelled_probes"] == 30


def test_nobody_to_be_searched_for(tmp_path: Path) -> None:
    for person in range(3):
        (tmp_path / str(person)).mkdir()
        (tmp_path / str(person) / "1.png").write_bytes(encode_png(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(EvaluationError, match="nobody has the 2 readable pictures"):
        run(tmp_path)
