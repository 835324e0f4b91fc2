"""`aiqyn weights add|remove`, as a user types it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from aiqyn.commands import weights as command
from tests.model_builders import EmbedderFlaws, embedder, external, write
from weights.catalog import load_catalog
from weights.store import WeightStore


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("AIQYN_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    program = typer.Typer()
    command.register(program)
    return program


def run(app: typer.Typer, *words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["weights", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def document(out: str) -> dict[str, Any]:
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def added_files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "weights" / "added"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_add_list_card_verify_remove(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path, embedder(), "Our_Model v2.onnx")
    code, out, err = run(
        app, "add", file, "--family", "embedding", "--colour", "bgr", "--licence", "MIT", "--json"
    )
    assert (code, err) == (0, "")
    said = document(out)
    assert (said["id"], said["registered"], said["refusal"]) == ("our-model-v2", True, None)
    assert said["report"]["input"]["colour"] == "bgr"
    store = WeightStore(tmp_path / "weights", load_catalog(tmp_path / "weights"))
    assert store.read("our-model-v2") == embedder()
    spec = store.catalog.get("our-model-v2")
    assert (spec.task, spec.dimension, spec.licence) == ("embed", 16, "MIT")

    rows = {row["id"]: row for row in document(run(app, "list", "--json")[1])["entries"]}
    assert rows["our-model-v2"]["state"] == "ready"
    card = run(app, "card", "our-model-v2")[1]
    assert "who vouches for it; nobody else does" in card
    assert "Colour order and scaling were not tested" in card
    assert card == Path(said["card"]).read_text()
    assert run(app, "verify")[:2] == (0, f"1 of 1 right in {tmp_path / 'weights'}\n")
    assert run(app, "remove", "our-model-v2")[0] == 0
    assert added_files(tmp_path) == []
    assert run(app, "remove", "our-model-v2")[0] == 2


def test_the_report_is_in_plain_words(app: typer.Typer, tmp_path: Path) -> None:
    code, out, _ = run(
        app, "add", write(tmp_path, embedder(EmbedderFlaws(one_row=True))), "--family", "embedding"
    )
    assert code == 0
    told = " ".join(out.split())
    assert "The file was changed before it was registered: declared to take one picture a call." in told
    assert "cannot be used for matching until you measure one with `aiqyn evaluate calibration" in told
    assert "Added as model: aiqyn weights card model; in the settings, models.embedder: model" in told


def test_an_id_is_taken_once(app: typer.Typer, tmp_path: Path) -> None:
    file = write(tmp_path, embedder())
    assert run(app, "add", file, "--family", "embedding", "--id", "ours")[0] == 0
    code, _, err = run(app, "add", file, "--family", "embedding", "--id", "ours")
    assert (code, "replace it with --replace" in err) == (2, True)
    assert run(app, "add", file, "--family", "embedding", "--id", "ours", "--replace")[0] == 0
    code, _, err = run(app, "add", file, "--family", "embedding", "--id", "centerface")
    assert (code, "'centerface' is the catalogue's own" in err) == (2, True)
    code, _, err = run(app, "remove", "centerface")
    assert (code, "'centerface' is the catalogue's own" in err) == (2, True)


def test_a_name_of_the_catalogue_becomes_another(app: typer.Typer, tmp_path: Path) -> None:
    out = run(app, "add", write(tmp_path, embedder(), "centerface.onnx"), "--family", "embedding", "--json")[
        1
    ]
    assert document(out)["id"] == "centerface-own"


@pytest.mark.system  # takes its time
@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        pytest.param(b"", [], "model.onnx: is empty (0 bytes)", id="empty"),
        pytest.param(b"words", [], "model.onnx: is not an ONNX file", id="no ONNX"),
        pytest.param(embedder()[:400], [], "or a truncated one", id="truncated"),
        pytest.param(embedder(), ["--family", "yolox"], "model.onnx: not a YOLOX", id="another family"),
        pytest.param(embedder(), ["--family", "resnet"], "no family is called 'resnet'", id="no family"),
        pytest.param(
            external("/etc/passwd"), [], "'/etc/passwd', which is not a file beside it", id="elsewhere"
        ),
        pytest.param(embedder(), ["--pairs", "x.csv"], "--pairs and --images go together", id="pairs alone"),
        pytest.param(
            embedder(),
            ["--family", "yunet", "--pairs", "x.csv", "--images", "."],
            "there is no test of colour order for yunet",
            id="pairs for faces",
        ),
        pytest.param(embedder(), ["--pairs", "x.csv", "--images", "."], "x.csv", id="no pairs"),
        pytest.param(embedder(), ["--size", "0x7"], "--size must be", id="size"),
        pytest.param(
            embedder(), ["--labels", "none.txt"], "none.txt: is no file of class names", id="labels"
        ),
        pytest.param(embedder(), ["--id", "../up"], "--id must be", id="id"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_2(
    app: typer.Typer, tmp_path: Path, content: bytes, words: list[str], said: str
) -> None:
    file = write(tmp_path, content)
    code, out, err = run(app, "add", file, "--json", "--family", "embedding", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert added_files(tmp_path) == []


def test_what_is_no_file_is_one_line_and_2(app: typer.Typer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        ("gone.onnx", "No such file"), ("pipe", "is no regular file"), (".", "is a folder")
    ):  # fmt: skip
        code, out, err = run(app, "add", tmp_path / name, "--family", "embedding")
        assert (code, out, said in err, err.count("\n")) == (2, "", True, 1), name


def test_a_pytorch_file_needs_the_extra_and_says_what_the_licence_means(
    app: typer.Typer, tmp_path: Path
) -> None:
    file = write(tmp_path, b"PK\x03\x04", "yolo11n.pt")
    code, _, err = run(app, "add", file, "--family", "ultralytics")
    assert code == 2
    assert "pip install 'aiqyn[export]'" in err
    assert "AGPL-3.0" in err
    assert err.count("\n") == 1
    code, _, err = run(app, "add", file, "--family", "yunet")
    assert (code, "for --family ultralytics only" in err) == (2, True)


def test_a_weights_folder_that_cannot_be_written_is_one_line(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "added").write_text("in the way")
    code, _, err = run(app, "add", write(tmp_path, embedder()), "--family", "embedding")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be written" in err


def test_a_broken_one_is_told_and_costs_nothing_else(app: typer.Typer, tmp_path: Path) -> None:
    run(app, "add", write(tmp_path, embedder()), "--family", "embedding")
    (tmp_path / "weights" / "added" / "bad.toml").write_text("[[entry]")
    code, out, err = run(app, "list", "--json")
    assert code == 0
    assert list(document(out)["broken"]) == ["bad"]
    assert err.startswith("error: bad: added here and cannot be used: ")
    code, out, err = run(app, "verify", "--json")
    assert code == 1
    assert {entry["id"]: entry["state"] for entry in document(out)["entries"]} == {
        "model": "ready",
        "bad": "broken",
    }
    assert run(app, "card", "bad")[0] == 2
    assert run(app, "remove", "bad")[0] == 0
    assert run(app, "verify")[0] == 0
