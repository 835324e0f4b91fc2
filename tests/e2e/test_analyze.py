"""`aiqyn analyze` as a user runs it: one document, numbers instead of names, one line per bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.fake_footage import huge_png
from vision.images import read_image

pytestmark = [pytest.mark.evaldata, pytest.mark.models("centerface", "mobilefacenet-faceplugin")]

NAMES = ("miranda", "obama", "biden", "lacamoire")
QUICK = ("--detector", "none", "--threads", "1", "--fps", "4")


@pytest.fixture(scope="module")
def clip(eval_data: Path) -> Path:
    return eval_data / "faces" / "hamilton" / "short_hamilton_clip.mp4"


@pytest.fixture(scope="module")
def references(eval_data: Path) -> Path:
    return eval_data / "faces" / "hamilton" / "references"


def aiqyn(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aiqyn", *(str(argument) for argument in arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)


def analyze(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return aiqyn("analyze", *arguments, *QUICK, cwd=cwd)


def test_json_is_one_document_and_says_who(tmp_path: Path, clip: Path, references: Path) -> None:
    done = analyze(clip, "--watchlist", references, "--json", "--explain", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert {"lin-manuel-miranda", "barack-obama"} <= {c["subject_id"] for c in document["candidates"]}
    for candidate in document["candidates"]:
        assert candidate["status"] == "unconfirmed"
        wanted = {"similarity", "threshold", "pts_seconds", "track_id", "frames_fused", "evidence"}
        assert wanted <= candidate.keys()
    for track in document["tracks"]:
        assert {"track_id", "pts_seconds", "best"} <= track.keys()
    frames = document["frame_accounting"]
    assert frames["read"] == frames["inferred"] + frames["not_sampled"] == 275
    assert document["media_seconds"] == pytest.approx(9.18, abs=0.05)
    assert document["elapsed_seconds"] > 0
    assert not any(name in done.stderr.lower() for name in NAMES)


def test_terminal_shows_numbers_and_no_names(tmp_path: Path, clip: Path, references: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--watchlist", references, "--out", out, "--purpose", "case 7")
    done = analyze(clip, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "candidate 1" in done.stdout
    assert "unconfirmed" in done.stdout
    assert not any(name in (done.stdout + done.stderr).lower() for name in NAMES)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["purpose"] == "case 7"
    assert manifest["inputs"][0]["path"] == str(clip)
    assert list((out / "annotated").glob("*.mp4"))
    again = analyze(clip, *arguments, cwd=tmp_path)
    assert again.returncode == 0
    assert "reused" in again.stderr


def make_bad_list(folder: Path, references: Path) -> dict[str, str]:
    """A list with one good reference and every kind of bad one; what is to be said of each."""
    good = folder / "obama" / "1.jpg"
    good.parent.mkdir(parents=True)
    shutil.copy(references / "barack-obama" / "1.jpg", good)
    face = read_image(good)
    wall = np.full((300, 300, 3), 127, np.uint8)
    bad = {
        "empty/1.jpg": (b"", "is empty"),
        "faceless/1.png": (cv2.imencode(".png", wall)[1].tobytes(), "no face found"),
        "two/1.jpg": (cv2.imencode(".jpg", np.hstack([face, face]))[1].tobytes(), "2 faces found"),
        "huge/1.png": (huge_png(), "more pixels than allowed"),
    }
    for name, (content, _) in bad.items():
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(content)
    return {name: reason for name, (_, reason) in bad.items()}


def test_bad_inputs_get_one_line_each_and_the_rest_goes_on(
    tmp_path: Path, clip: Path, references: Path
) -> None:
    expected = make_bad_list(tmp_path / "list", references)
    (tmp_path / "text.mp4").write_text("this is a text\n" * 200)
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:200_000])
    expected |= {"text.mp4": "", "cut.mp4": "", "nowhere.mp4": "No such file"}
    inputs = ("text.mp4", "cut.mp4", "nowhere.mp4", clip)
    done = analyze(*inputs, "--watchlist", "list", "--json", cwd=tmp_path)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == len(expected)
    for name, reason in expected.items():
        (line,) = (line for line in errors if name in line)
        assert reason in line
    document = json.loads(done.stdout)
    assert [candidate["subject_id"] for candidate in document["candidates"]] == ["obama"]
    assert [each["status"] for each in document["inputs"]][-1] == "done"
    assert "Traceback" not in done.stderr


@pytest.mark.system  # takes its time
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("nowhere.mp4", "--watchlist", "REFS", *QUICK), "nowhere.mp4", id="no input"),
        pytest.param(("a.mp4", "--watchlist", "nowhere", *QUICK), "nowhere: no such folder", id="no list"),
        pytest.param(("a.mp4",), "--watchlist", id="list not named"),
        pytest.param(
            ("a.mp4", "--watchlist", "REFS", "--recorded-at", "yesterday"), "RFC 3339", id="no time"
        ),
        pytest.param(
            ("a.mp4", "--watchlist", "REFS", "--recorded-at", "0001-01-01T00:00:00+14:00"),
            "1970",
            id="no year",
        ),
        pytest.param(
            ("a.mp4", "--watchlist", "REFS", "--recorded-at", "2026-05-01T12:00:00"), "UTC", id="no offset"
        ),
        pytest.param(("a.mp4", "--watchlist", "REFS", "--fps", "nan"), "--fps", id="no frame rate"),
        pytest.param(
            ("a.mp4", "--watchlist", "REFS", "--embedder", "centerface"), "centerface", id="no embedder"
        ),
        pytest.param(
            ("a.mp4", "--watchlist", "REFS", "--false-alerts-per-1000-faces", "0"), "above 0", id="no rate"
        ),
    ],
)
def test_nothing_done_is_exit_2(
    tmp_path: Path, references: Path, arguments: tuple[str, ...], said: str
) -> None:
    given = [references if argument == "REFS" else argument for argument in arguments]
    done = aiqyn("analyze", *given, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
