"""The report of every command as it is asked for: where it goes, who can read it, what it costs when it cannot."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from aiqyn.commands.evaluate_report import shown_command
from pipelines.evaluate.report.page import WHO_MAY_SEE
from tests.unit.pipelines.evaluate.report.reading import Reading
from tests.unit.pipelines.evaluate.test_command import FRAMES, document, elsewhere, invoke, video, walker
from vision.images import encode_png

__all__ = ["elsewhere", "video"]  # fixtures

DEFAULT = "out/aiqyn-evaluate-tracking.html"


@pytest.fixture
def arguments(tmp_path: Path, video: Path) -> list[str | Path]:
    """A run over two walkers, one of whom changes number half way."""
    truth, found = walker(tmp_path / "gt.txt"), tmp_path / "det.txt"
    lines = walker(tmp_path / "all.txt").read_text().splitlines()
    found.write_text(
        "\n".join(
            line for line in lines if not (line.split(",")[1] == "1" and 8 <= int(line.split(",")[0]) < 27)
        )
    )
    return ["tracking", "--video", video, "--ground-truth", truth, "--detections", found]


def test_a_report_for_its_owners_eyes(arguments: list[str | Path], elsewhere: Path) -> None:
    result = invoke(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert document(result)["report"] == DEFAULT
    path = elsewhere / DEFAULT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [other.name for other in path.parent.iterdir()] == [path.name]
    read = Reading(path.read_text(encoding="utf-8"))
    assert read.faults == []
    assert read.tags["svg"] == 2
    assert read.pictures, "the person who was lost"
    assert len(path.read_bytes()) < 2_000_000
    for words in (WHO_MAY_SEE, "HOTA", "identity switches", "oc-sort", "One sequence is one trial"):
        assert words in read.text


def test_a_later_run_replaces_it(arguments: list[str | Path], tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "r.html"
    for tracker in ("oc-sort", "bytetrack"):
        assert invoke(*arguments, "--report", path, "--tracker", tracker).exit_code == 0
    text = Reading(path.read_text(encoding="utf-8")).text
    assert "bytetrack" in text
    assert "oc-sort" not in text.split("How it was measured")[0]


def test_no_report_where_none_is_wanted(arguments: list[str | Path], elsewhere: Path) -> None:
    result = invoke(*arguments, "--no-report", "--json")
    assert document(result)["report"] is None
    assert not (elsewhere / "out").exists()


@pytest.mark.parametrize("asked", [False, True])
def test_a_report_that_cannot_be_written_costs_no_figure(
    arguments: list[str | Path], elsewhere: Path, asked: bool
) -> None:
    (elsewhere / "out").write_text("in the way")
    result = invoke(*arguments, "--json", *(["--report", "out/r.html"] if asked else []))
    assert result.exit_code == (1 if asked else 0)
    assert (document(result)["frames"], document(result)["report"]) == (FRAMES, None)
    assert len(result.stderr.splitlines()) == 1
    assert "the report cannot be written" in result.stderr


@pytest.mark.models("centerface")
def test_hostile_names_of_pictures(tmp_path: Path, elsewhere: Path) -> None:
    name = "<img src=x onerror=alert(1)>\udcff.png"
    (tmp_path / name).write_bytes(encode_png(np.full((120, 160, 3), 90, np.uint8)))
    labels = tmp_path / "labels.json"
    labels.write_text('{"<img src=x onerror=alert(1)>\\udcff.png": [[10, 10, 90, 90]]}')
    result = invoke("detection", "--images", tmp_path, "--labels", labels, "--format", "wider-json", "--json")
    assert result.exit_code == 0, result.stderr
    read = Reading((elsewhere / document(result)["report"]).read_text(encoding="utf-8"))
    assert read.faults == []
    assert len(read.pictures) == 1
    assert "face, 80 px: <img src=x onerror=alert(1)>\N{REPLACEMENT CHARACTER}.png" in read.text
    assert document(result)["recall_interval_95"][0] == 0.0


def test_the_command_line_is_shown_without_passwords() -> None:
    shown = shown_command(
        [
            "evaluate",
            "tracking",
            "--video",
            "rtsp://ann:secret@cam/1?token=secret",
            "--video=rtsp://ann:secret@cam/2",
            "a b",
        ]
    )
    assert "secret" not in shown
    assert "rtsp://***@cam/1" in shown
    assert shown.endswith("'a b'")
