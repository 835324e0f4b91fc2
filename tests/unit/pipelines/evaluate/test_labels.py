"""Labelled pictures, in both formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.labels import read_labels


def folders(tmp_path: Path, *pictures: str) -> tuple[Path, Path]:
    """A folder with empty files for pictures, and one for labels."""
    for name in pictures:
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    (tmp_path / "labels").mkdir()
    return tmp_path / "images", tmp_path / "labels"


def test_yolo_boxes_are_shares_of_the_picture(tmp_path: Path) -> None:
    images, labels = folders(tmp_path, "b.png", "a.jpg", "notes.md")
    (labels / "a.txt").write_text("2 0.5 0.5 0.2 0.4\n\n0 0.25 0.25 0.5 0.5\n")
    first, second = read_labels(images, labels, "yolo")
    assert (first.path.name, second.path.name) == ("a.jpg", "b.png")
    assert first.class_id.tolist() == [2, 0]
    assert first.xyxy((200, 100)).round(9).tolist() == [[80, 30, 120, 70], [0, 0, 100, 50]]
    assert second.xyxy((9, 9)).shape == (0, 4), "a picture without a label file has no objects"


def test_yolo_labels_follow_the_sub_folders(tmp_path: Path) -> None:
    images, labels = folders(tmp_path, "day/1.jpg", "night/1.jpg")
    (labels / "night").mkdir()
    (labels / "night" / "1.txt").write_text("0 0.5 0.5 1 1\n")
    assert [len(item.class_id) for item in read_labels(images, labels, "yolo")] == [0, 1]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("0 0.5 0.5 0.2", "needs five numbers", id="too few"),
        pytest.param("0 0.5 0.5 0.2 0.2 0.1", "needs five numbers", id="a polygon"),
        pytest.param("dog 0.5 0.5 0.2 0.2", "dog", id="a word"),
        pytest.param("1.5 0.5 0.5 0.2 0.2", "class 1.5", id="half a class"),
        pytest.param("-1 0.5 0.5 0.2 0.2", "class -1", id="negative class"),
        pytest.param("99999999999999999999 0.5 0.5 0.2 0.2", "class 9999", id="no class of any model"),
        pytest.param("0 0.5 0.5 nan 0.2", "needs five numbers", id="not finite"),
        pytest.param("0 320 240 100 50", "shares of the picture", id="pixels"),
    ],
)
def test_a_yolo_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    images, labels = folders(tmp_path, "a.jpg")
    (labels / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n" + text)
    with pytest.raises(EvaluationError, match=rf"a\.txt:2: .*{reason}"):
        read_labels(images, labels, "yolo")


def test_folders_that_do_not_fit_are_named(tmp_path: Path) -> None:
    images, labels = folders(tmp_path, "a.jpg")
    with pytest.raises(EvaluationError, match="a label file for none of the 1"):
        read_labels(images, labels, "yolo")
    with pytest.raises(EvaluationError, match="not a folder of pictures"):
        read_labels(tmp_path / "none", labels, "yolo")
    with pytest.raises(EvaluationError, match="not a folder of label files"):
        read_labels(images, tmp_path / "none", "yolo")
    with pytest.raises(EvaluationError, match="holds no pictures"):
        read_labels(labels, labels, "yolo")


def test_wider_json_boxes_are_pixels(tmp_path: Path) -> None:
    images, _ = folders(tmp_path, "a.jpg", "b.jpg")
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"b.jpg": [[1, 2, 3.5, 4]], "a.jpg": []}))
    first, second = read_labels(images, labels, "wider-json")
    assert (first.path.name, first.xyxy((9, 9)).tolist(), first.class_id.tolist()) == (
        "b.jpg",
        [[1, 2, 3.5, 4]],
        [0],
    )
    assert second.xyxy((9, 9)).shape == (0, 4)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param([], "must be an object", id="a list"),
        pytest.param({}, "must be an object", id="empty"),
        pytest.param({"a.jpg": [[1, 2, 3]]}, "a.jpg: boxes must be lists", id="three numbers"),
        pytest.param({"a.jpg": [["x", 2, 3, 4]]}, "a.jpg: boxes must be lists", id="a word"),
        pytest.param({"a.jpg": [[0, 0, 1e300, 1e308]]}, "a.jpg: a box reaches beyond", id="no picture's"),
        pytest.param({"a\0b.jpg": []}, "that no file can be called", id="no file's name"),
        pytest.param({"a.jpg": [[9, 2, 3, 4]]}, "a.jpg: boxes must be finite", id="inside out"),
    ],
)
def test_a_json_entry_that_cannot_be_used_is_named(tmp_path: Path, document: Any, reason: str) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(document))
    with pytest.raises(EvaluationError, match=reason):
        read_labels(tmp_path, labels, "wider-json")


def test_what_never_ends_is_named(tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text("[" * 100_000)
    with pytest.raises(EvaluationError, match="nested too deeply"):
        read_labels(tmp_path, labels, "wider-json")


def test_what_is_not_json_is_named_with_its_line(tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text('{\n"a.jpg": oops}')
    with pytest.raises(EvaluationError, match=r"labels\.json:2: is not JSON"):
        read_labels(tmp_path, labels, "wider-json")
