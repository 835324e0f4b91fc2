"""Reading MOTChallenge files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.evaluate.errors import EvaluationError
from pipelines.evaluate.mot import read_ground_truth, read_mot


def written(folder: Path, text: str) -> Path:
    path = folder / "gt.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "separator", [",", ", ", " ", "\t", ";"], ids=["comma", "both", "blank", "tab", "semicolon"]
)
def test_reads_boxes_whatever_separates_them(tmp_path: Path, separator: str) -> None:
    line = separator.join(["2", "7", "10", "20.5", "30", "40", "0.5", "1", "0.9"])
    boxes = read_mot(written(tmp_path, line + "\n\n"))
    assert boxes.frame.tolist() == [2]
    assert boxes.track_id.tolist() == [7]
    assert boxes.xyxy.tolist() == [[10.0, 20.5, 40.0, 60.5]]
    assert boxes.confidence.tolist() == [0.5]
    assert boxes.class_id.tolist() == [1]


def test_missing_columns_mean_certain_and_without_class(tmp_path: Path) -> None:
    boxes = read_mot(written(tmp_path, "1,1,0,0,5,5\n"))
    assert (boxes.confidence.tolist(), boxes.class_id.tolist()) == ([1.0], [-1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("1,1,0,0,5,5\n1,2,3\n", r"gt\.txt:2: has 3 values", id="too few values"),
        pytest.param("1,1,zero,0,5,5\n", r"gt\.txt:1: .*zero", id="not a number"),
        pytest.param("1,1,nan,0,5,5\n", r"gt\.txt:1: .*not finite", id="not finite"),
        pytest.param("0,1,0,0,5,5\n", r"gt\.txt:1: frame 0", id="frames from 0"),
        pytest.param("1.5,1,0,0,5,5\n", r"gt\.txt:1: frame 1\.5", id="half a frame"),
        pytest.param("999999999999,1,0,0,5,5\n", r"gt\.txt:1: .*beyond 10000000", id="no frame of any video"),
        pytest.param("1,1,0,0,1e300,5\n", r"gt\.txt:1: .*beyond", id="no box of any picture"),
        pytest.param("", "holds no boxes", id="empty"),
        pytest.param("3,4,0,0,5,5\n3,4,9,9,5,5\n", "id 4 stands twice in frame 3", id="id twice"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(EvaluationError, match=reason):
        read_ground_truth(written(tmp_path, text))


def test_binary_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(EvaluationError, match="is not text"):
        read_mot(path)
    with pytest.raises(EvaluationError, match="No such file"):
        read_mot(tmp_path / "none.txt")


@pytest.mark.parametrize("inner", ["gt/gt.txt", "gt.txt"])
def test_a_sequence_folder_will_do(tmp_path: Path, inner: str) -> None:
    (tmp_path / inner).parent.mkdir(exist_ok=True)
    (tmp_path / inner).write_text("1,1,0,0,5,5\n")
    assert len(read_ground_truth(tmp_path)) == 1


def test_a_folder_without_ground_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="neither"):
        read_ground_truth(tmp_path)


def test_by_frame_gives_every_frame(tmp_path: Path) -> None:
    boxes = read_mot(written(tmp_path, "3,1,0,0,5,5\n1,1,0,0,5,5\n3,2,0,0,5,5\n9,1,0,0,5,5\n"))
    assert [frame.track_id.tolist() for frame in boxes.by_frame(4)] == [[1], [], [1, 2], []]


def test_scaling_moves_and_grows(tmp_path: Path) -> None:
    boxes = read_mot(written(tmp_path, "1,1,10,20,30,40\n")).scaled(0.5)
    assert boxes.xyxy.tolist() == [[5.0, 10.0, 20.0, 30.0]]
