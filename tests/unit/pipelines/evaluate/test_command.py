"""`aiqyn evaluate` as it is typed: documents, tables, exit codes, one line per problem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from aiqyn.commands.evaluate import register
from vision.images import encode_png

WIDTH, HEIGHT, FRAMES = 160, 120, 30


def invoke(*arguments: str | Path) -> Result:
    """Runs `aiqyn evaluate …` in this process."""
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def document(result: Result) -> dict[str, Any]:
    """What stood on standard output: one JSON document and nothing else."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own: reports go to `out` in it."""
    folder = tmp_path_factory.mktemp("work")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A second of a dark room."""
    path = tmp_path / "room.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FRAMES)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            image = np.full((HEIGHT, WIDTH, 3), 30 + index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def walker(path: Path, frames: int = FRAMES, scale: float = 1.0, confidence: float = 0.9) -> Path:
    """Two people who walk apart, as ground truth or as detections."""
    lines = []
    for frame in range(1, frames + 1):
        for number, left in ((1, 60 - frame), (2, 90 + frame)):
            box = [left * scale, 20 * scale, 20 * scale, 60 * scale]
            lines.append(",".join(map(str, [frame, number, *box, confidence, -1, -1, -1])))
    path.write_text("\n".join(lines))
    return path


def test_tracking_on_given_detections(tmp_path: Path, video: Path) -> None:
    truth, found = walker(tmp_path / "gt.txt"), walker(tmp_path / "det.txt")
    result = invoke("tracking", "--video", video, "--ground-truth", truth, "--detections", found, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    figures = document(result)
    assert (figures["idf1"], figures["mota"], figures["switches"]) == (1.0, 1.0, 0)
    assert figures["hota"] == pytest.approx(1.0)
    assert (figures["frames"], figures["video_frames"], figures["tracks"]) == (FRAMES, FRAMES, 2)


@pytest.mark.parametrize("tracker", ["oc-sort", "bytetrack"])
def test_scale_multiplies_the_ground_truth(tmp_path: Path, video: Path, tracker: str) -> None:
    truth, found = walker(tmp_path / "gt.txt", scale=2.0), walker(tmp_path / "det.txt")
    arguments: list[str | Path] = [
        "tracking",
        "--video",
        video,
        "--ground-truth",
        truth,
        "--detections",
        found,
        "--json",
    ]
    half = document(invoke(*arguments, "--tracker", tracker, "--scale", "0.5"))
    assert (half["idf1"], half["tracker"]) == (1.0, tracker)
    assert document(invoke(*arguments, "--tracker", tracker))["idf1"] < 0.5


def test_a_table_without_json(tmp_path: Path, video: Path) -> None:
    truth, found = walker(tmp_path / "gt.txt"), walker(tmp_path / "det.txt")
    result = invoke("tracking", "--video", video, "--ground-truth", truth, "--detections", found)
    assert result.exit_code == 0
    assert "idf1" in result.stdout
    assert "{" not in result.stdout


def test_ground_truth_beyond_the_video_is_told(tmp_path: Path, video: Path) -> None:
    truth, found = walker(tmp_path / "gt.txt", frames=40), walker(tmp_path / "det.txt")
    result = invoke("tracking", "--video", video, "--ground-truth", truth, "--detections", found, "--json")
    assert result.exit_code == 1
    assert "has 30 frames, the ground truth goes on to 40" in result.stderr
    assert document(result)["misses"] == 20


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"--video": "none.mp4"}, "none.mp4", id="no video"),
        pytest.param({"--ground-truth": "none.txt"}, "none.txt: No such file", id="no ground truth"),
        pytest.param({"--detections": "none.txt"}, "none.txt: No such file", id="no detections"),
        pytest.param({"--scale": "0"}, "scale must be above 0", id="no scale"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    tmp_path: Path, video: Path, change: dict[str, str], reason: str
) -> None:
    truth, found = walker(tmp_path / "gt.txt"), walker(tmp_path / "det.txt")
    usual: dict[str, str | Path] = {"--video": video, "--ground-truth": truth, "--detections": found}
    options = [part for pair in (usual | change).items() for part in pair]
    result = invoke("tracking", *options, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_video_that_is_none_is_one_line(tmp_path: Path) -> None:
    truth = walker(tmp_path / "gt.txt")
    fake = tmp_path / "fake.mp4"
    fake.write_text("not a video at all")
    result = invoke("tracking", "--video", fake, "--ground-truth", truth, "--detections", truth)
    assert result.exit_code == 2
    assert "fake.mp4" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_faces_need_pairs_or_thresholds(tmp_path: Path) -> None:
    result = invoke("faces", "--images", tmp_path)
    assert result.exit_code == 2
    assert "--pairs is needed" in result.stderr


def test_faces_without_any_of_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("image_a,image_b,same\na/1.png,a/2.png,1\n")
    result = invoke("faces", "--images", tmp_path, "--pairs", tmp_path / "pairs.csv")
    assert result.exit_code == 2
    assert "none of the 2 pictures" in result.stderr


@pytest.mark.models("centerface", "mobilefacenet-faceplugin", "yolov3-tiny")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(
            ["--format", "wider-json", "--detector", "yolov3-tiny"], "scores faces", id="no face detector"
        ),
        pytest.param(["--format", "wider-json", "--detector", "none-such"], "none-such", id="unknown model"),
        pytest.param(
            ["--format", "wider-json", "--detector", "mobilefacenet-faceplugin"], "scores faces", id="task"
        ),
    ],
)
def test_a_model_that_does_not_fit_is_named(tmp_path: Path, arguments: list[str], reason: str) -> None:
    (tmp_path / "labels.json").write_text('{"a.png": [[0, 0, 9, 9]]}')
    result = invoke("detection", "--images", tmp_path, "--labels", tmp_path / "labels.json", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


@pytest.mark.models("centerface")
def test_a_broken_picture_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encode_png(np.zeros((64, 64, 3), np.uint8)))
    (tmp_path / "broken.png").write_bytes(b"")
    (tmp_path / "labels.json").write_text('{"good.png": [[0, 0, 30, 30]], "broken.png": [[0, 0, 9, 9]]}')
    arguments: list[str | Path] = [
        "--images",
        tmp_path,
        "--labels",
        tmp_path / "labels.json",
        "--format",
        "wider-json",
        "--json",
    ]
    result = invoke("detection", *arguments)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "broken.png" in result.stderr
    figures = document(result)
    assert (figures["images"], figures["unreadable"], figures["recall"], figures["precision"]) == (
        1,
        1,
        0.0,
        None,
    )
    assert set(figures) >= {"recall", "precision", "ap50", "false_per_image", "per_class"}


@pytest.mark.evaldata
@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_faces_with_an_unreadable_picture(tmp_path: Path, eval_data: Path) -> None:
    source = eval_data / "faces" / "lfw2" / "images"
    names = sorted(path.relative_to(source) for path in source.rglob("*_0001.jpg"))[:4]
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.jpg").write_bytes(b"broken")
    rows = [f"{names[0]},{names[0]},1", f"{names[1]},{names[2]},0", f"{names[3]},x/1.jpg,0"]
    (tmp_path / "pairs.csv").write_text("\n".join(["image_a,image_b,same", *rows]))
    result = invoke(
        "faces", "--images", tmp_path, "--pairs", tmp_path / "pairs.csv", "--thresholds", "--json"
    )
    assert result.exit_code == 1
    assert "1.jpg" in result.stderr
    figures = document(result)
    assert (figures["pairs"], figures["unreadable"], figures["undetected"]) == (3, 1, 0)
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["tar_at_fmr"] == {"0.01": None, "0.001": None}
    assert figures["threshold_from"] == "same_fold"
    assert figures["impostor_pairs"] == 6
    assert [model["role"] for model in figures["models"]] == ["face_detector", "embedder"]
