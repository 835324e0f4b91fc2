"""Pairs, pictures and the central face, with models that read painted squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.faces import (
    FaceSet,
    central_face,
    embed_images,
    identities,
    list_faces,
    read_pairs,
    score_faces,
)
from pipelines.evaluate.progress import Progress
from tests.fake_engine import FakeEmbedder, FakeFaceDetector, Painted, paint
from vision.images import encode_png
from vision.types import Faces

BLANK = np.zeros((100, 200, 3), np.uint8)


class Heard(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.advanced = 0
        self.problems: list[str] = []

    def advance(self) -> None:
        self.advanced += 1

    def problem(self, line: str) -> None:
        self.problems.append(line)


def write(folder: Path, name: str, *people: Painted) -> None:
    """A painted picture of these people."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(encode_png(paint(list(people))))


def pairs_file(folder: Path, *rows: str, header: str = "image_a,image_b,same") -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_pairs_name_each_picture_once(tmp_path: Path) -> None:
    pairs = read_pairs(
        pairs_file(tmp_path, "a/1.png,a/2.png,1", "a/1.png,b/1.png,0", "b/1.png,a/2.png,False")
    )
    assert pairs.images == ("a/1.png", "a/2.png", "b/1.png")
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0, 0, 2], [1, 2, 1])
    assert pairs.same.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("image_a,image_b,same\n", "holds no pairs", id="no rows"),
        pytest.param("a,b,same\nx,y,1\n", "no column image_a, image_b", id="other columns"),
        pytest.param("image_a,image_b,same\nx,y,1\nx,y,maybe\n", r"pairs\.csv:3: ", id="neither 1 nor 0"),
        pytest.param("image_a,image_b,same\nx,,1\n", r"pairs\.csv:2: ", id="one picture"),
        pytest.param("image_a,image_b,same\nx,y\n", r"pairs\.csv:2: ", id="short row"),
    ],
)
def test_a_protocol_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(EvaluationError, match=reason):
        read_pairs(path)


def test_a_missing_or_binary_protocol_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="No such file"):
        read_pairs(tmp_path / "pairs.csv")
    (tmp_path / "pairs.csv").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(EvaluationError, match="not a CSV"):
        read_pairs(tmp_path / "pairs.csv")


def test_the_central_face_is_the_one_nearest_the_middle() -> None:
    boxes = np.array([[0, 0, 90, 90], [80, 30, 120, 70], [150, 0, 200, 100]], np.float32)
    faces = Faces(boxes, np.array([0.99, 0.5, 0.9], np.float32), np.zeros((3, 5, 2), np.float32))
    assert central_face(faces, BLANK).xyxy.tolist() == [[80, 30, 120, 70]]
    assert len(central_face(Faces.empty(), BLANK)) == 0


def test_a_folder_is_a_person() -> None:
    assert identities(["a/1.png", "b/1.png", "a/2.png", "c/d/1.png"]).tolist() == [0, 1, 0, 2]


def test_broken_and_empty_pictures_are_told_and_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a/1.png", Painted(3, (100, 80, 180, 160)))
    write(tmp_path, "a/2.png")
    (tmp_path / "a" / "3.png").write_bytes(b"")
    heard = Heard()
    names = list_faces(tmp_path)
    faces = embed_images(tmp_path, [*names, "a/4.png"], FakeFaceDetector(), FakeEmbedder(), heard)
    assert faces.found.tolist() == [True, False, False, False]
    assert faces.undetected == ("a/2.png",)
    assert len(faces.problems) == len(heard.problems) == 2
    assert "3.png" in heard.problems[0]
    assert "4.png" in heard.problems[1]
    assert heard.advanced == 4


def test_figures_of_painted_people(tmp_path: Path) -> None:
    names = [f"{person}/{number}.png" for person in range(8) for number in range(2)]
    for name in names:
        write(tmp_path, name, Painted(20 + 25 * int(name[0]), (100, 80, 180, 160)))
    write(tmp_path, "7/1.png")  # nobody in it
    same = [f"{person}/0.png,{person}/1.png,1" for person in range(8)]
    different = [f"{person}/0.png,{(person + 1) % 8}/0.png,0" for person in range(8)]
    pairs = read_pairs(pairs_file(tmp_path, *same, *different))
    faces = embed_images(tmp_path, pairs.images, FakeFaceDetector(), FakeEmbedder())
    score = score_faces(pairs, faces)
    assert score.verification.accuracy == 15 / 16
    assert (score.undetected_pairs, score.genuine_pairs) == (1, 8)
    assert score.impostor_pairs == 15 * 14 // 2 - 7
    assert score.tar_at_fmr == {"0.01": None, "0.001": None}, "98 pairs cannot show one in a hundred"


def test_true_accepts_are_over_all_strangers_not_the_listed_ones(tmp_path: Path) -> None:
    """Two strangers who are not on the list look exactly alike: the threshold must know of them."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[1] = rows[0]
    rows[59] = rows[58]
    names = [*(f"p{number}/1.png" for number in range(59)), "p58/2.png"]
    listed = [f"{names[58]},{names[59]},1", *(f"{names[n]},{names[n + 2]},0" for n in range(56))]
    listed += [f"{names[57]},{names[58]},0"]
    pairs = read_pairs(pairs_file(tmp_path, *listed))
    order = [names.index(name) for name in pairs.images]
    faces = FaceSet(rows[order], (), (), 0.0, 0.0)
    score = score_faces(pairs, faces)
    at = score.threshold_at_fmr["0.01"]
    strangers = sorted(
        (float(a @ b) for i, a in enumerate(rows) for j, b in enumerate(rows[:i]) if (i, j) != (59, 58)),
        reverse=True,
    )
    assert score.impostor_pairs == len(strangers) == 60 * 59 // 2 - 1
    assert at == pytest.approx(strangers[len(strangers) // 100], abs=1e-6)


def test_pictures_without_any_face_cannot_be_measured(tmp_path: Path) -> None:
    write(tmp_path, "a/1.png")
    pairs = read_pairs(pairs_file(tmp_path, "a/1.png,a/1.png,1"))
    with pytest.raises(EvaluationError, match="not one face"):
        score_faces(pairs, embed_images(tmp_path, pairs.images, FakeFaceDetector(), FakeEmbedder()))


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no pictures"):
        list_faces(tmp_path)


def test_linked_folders_are_people_like_any_other(tmp_path: Path) -> None:
    """Data sets are put together out of links; one that leads back to where it lies ends nothing."""
    elsewhere = tmp_path / "elsewhere" / "b"
    elsewhere.mkdir(parents=True)
    (elsewhere / "1.png").write_bytes(encode_png(BLANK))
    people = tmp_path / "people"
    (people / "a").mkdir(parents=True)
    (people / "a" / "1.png").symlink_to(elsewhere / "1.png")
    (people / "b").symlink_to(elsewhere)
    (people / "c").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(people)
    (people / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    (people / "d").symlink_to(tmp_path / "nowhere")
    assert list_faces(people) == ("a/1.png", "b/1.png", "c/1.png")
