"""Real models as a site would add them: nothing but the family said, every other family refused, colours told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pipelines.build import build_detector, build_face_detector
from pipelines.config import load_config
from pipelines.errors import ModelCheckError
from pipelines.model_adding import AddOutcome, AddRequest, add_model
from pipelines.model_check import check_model
from pipelines.model_registration import Voucher
from pipelines.model_report import ModelQuestion, all_families
from vision.images import read_image
from weights.catalog import load_catalog
from weights.spec import Colour
from weights.store import WeightStore

pytestmark = [pytest.mark.system, pytest.mark.evaldata]  # takes its time

SHARED = {"yunet_n_dynamic.onnx": "yunet", "yolox_nano.onnx": "yolox"}


def add(root: Path, path: Path, question: ModelQuestion, pairs: Path | None = None) -> AddOutcome:
    """Adds a model to an empty folder; faces are found by the face detector of the usual one."""
    images = None if pairs is None else pairs.parent / "images"
    voucher = Voucher("somebody", "2026-03-01T10:00:00Z", path.name)
    return add_model(
        WeightStore(root, load_catalog(root)), AddRequest(path, question, voucher, pairs=pairs, images=images)
    )


@pytest.mark.parametrize("name", SHARED)
def test_a_shared_model_works_with_its_family_alone(name: str, tmp_path: Path, eval_data: Path) -> None:
    outcome = add(tmp_path, eval_data / "models" / name, ModelQuestion(SHARED[name]))
    assert (outcome.refusal, outcome.report.doubts) == ("", ())
    assert outcome.spec.input is not None
    assert (outcome.spec.input.colour, outcome.spec.input.mean, outcome.spec.input.scale) == (
        "bgr", (0.0,) * 3, (1.0,) * 3,
    )  # fmt: skip
    store = WeightStore(tmp_path, load_catalog(tmp_path))
    picture = read_image(eval_data / "faces" / "hamilton" / "references" / "barack-obama" / _first(eval_data))
    if outcome.report.task == "face":
        assert len(build_face_detector(store, outcome.spec.id).detect(picture)) == 1
    else:
        detector = build_detector(store, outcome.spec.id)
        assert "person" in {detector.labels[index] for index in detector.detect(picture).class_id}


def _first(eval_data: Path) -> str:
    folder = eval_data / "faces" / "hamilton" / "references" / "barack-obama"
    return sorted(path.name for path in folder.iterdir())[0]


WRONG = [(name, family) for name, right in SHARED.items() for family in all_families() if family != right]


@pytest.mark.parametrize(("name", "family"), WRONG)
def test_every_other_family_says_what_does_not_fit(name: str, family: str, eval_data: Path) -> None:
    with pytest.raises(ModelCheckError, match="not ") as caught:
        check_model((eval_data / "models" / name).read_bytes(), ModelQuestion(family))
    assert "\n" not in str(caught.value)
    assert f"--family {SHARED[name]}" in str(caught.value) or f"or {SHARED[name]}" in str(caught.value)


def shortened(pairs: Path, folder: Path, count: int) -> Path:
    """A list of so many pairs, half of them one of a person each, beside a link to the pictures."""
    with pairs.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    of_person = {Path(row["image_a"]).parent: row for row in reversed(rows) if row["same"] == "1"}
    strangers = [row for row in rows if row["same"] == "0"]
    folder.mkdir()
    (folder / "images").symlink_to(pairs.parent / "images")
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["image_a", "image_b", "same"])
        writer.writeheader()
        writer.writerows([*list(of_person.values())[-count // 2 :], *strangers[: count // 2]])
    return folder / "pairs.csv"


@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
@pytest.mark.parametrize(("colour", "count", "verdicts"), [
    pytest.param("bgr", 120, {"right"}, marks=pytest.mark.system),  # takes its time
    pytest.param("rgb", 120, {"wrong"}, marks=pytest.mark.system),
    ("rgb", 20, {"wrong", "cannot tell"}),
])  # fmt: skip
def test_the_colour_order_of_the_default_embedder_is_told(
    colour: Colour, count: int, verdicts: set[str], tmp_path: Path, eval_data: Path
) -> None:
    usual = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    root = tmp_path / "weights"
    (root / "files").mkdir(parents=True)
    face_detector = usual.path("centerface")
    (root / "files" / face_detector.name).symlink_to(face_detector)
    model = tmp_path / "model.onnx"
    model.write_bytes(usual.read("mobilefacenet-faceplugin"))
    pairs = shortened(eval_data / "faces" / "lfw2" / "pairs.csv", tmp_path / "pairs", count)
    outcome = add(root, model, ModelQuestion("embedding", colour), pairs)
    margins = outcome.report.margins
    assert margins is not None
    answer = margins.answers[0]
    assert answer.verdict in verdicts
    assert (answer.p_value < 0.01) == (answer.verdict != "cannot tell")
    assert bool(outcome.refusal) == (answer.verdict == "wrong")
    assert ("model" in load_catalog(root).entries) == (not outcome.refusal)
    assert margins.answers[1].verdict != "wrong"
