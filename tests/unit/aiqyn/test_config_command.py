"""`aiqyn config`: exit codes, lines on standard error, one JSON document on standard output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from aiqyn.commands import config, exits


def run(*arguments: str) -> Result:
    """Runs `aiqyn config ...` in this process."""
    app = typer.Typer()
    config.register(app)
    return CliRunner().invoke(app, ["config", *arguments])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("api:\n  prt: 1\nworker:\n  intra_op_threads: 0\n", encoding="utf-8")
    return path


def test_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("cameras: {gate: {source: a.mp4}}", encoding="utf-8")
    result = run("check", str(path))
    assert (result.exit_code, result.stdout) == (exits.ALL_DONE, f"{path}: valid; cameras: 1\n")


def test_problems_are_lines_on_standard_error(broken: Path) -> None:
    result = run("check", str(broken))
    assert result.exit_code == exits.NOTHING_DONE
    assert result.stdout == ""
    assert [line.startswith(f"error: {broken}:") for line in result.stderr.splitlines()] == [True, True]
    assert "did you mean 'port'?" in result.stderr


def test_json_is_one_document(broken: Path) -> None:
    result = run("check", str(broken), "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["valid"], len(document["problems"])) == (exits.NOTHING_DONE, False, 2)


def test_json_of_a_valid_file_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIQYN_REDIS_PASSWORD", "hunter2")
    path = tmp_path / "aiqyn.yaml"
    path.touch()
    result = run("check", str(path), "--json")
    assert json.loads(result.stdout)["settings"]["api"]["port"] == 8750
    assert "hunter2" not in result.output


def test_a_missing_file(tmp_path: Path) -> None:
    result = run("check", str(tmp_path / "none.yaml"))
    assert (result.exit_code, "no such file" in result.stderr) == (exits.NOTHING_DONE, True)


def test_schema_prints_a_json_schema() -> None:
    assert json.loads(run("schema").stdout)["$schema"].endswith("2020-12/schema")


SLOW = "cameras: {gate: {source: rtsp://10.0.0.1/main, inference_fps: 1}}\n"


def test_what_is_valid_and_disappoints_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text(SLOW, encoding="utf-8")
    result = run("check", str(path))
    assert (result.exit_code, result.stdout) == (exits.ALL_DONE, f"{path}: valid; cameras: 1\n")
    assert result.stderr.startswith("note: camera gate: inference_fps is 1, but a face is forgotten after ")
    (note,) = json.loads(run("check", str(path), "--json").stdout)["notes"]
    assert result.stderr == f"note: {note}\n"


@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_a_machine_that_is_too_small_is_told_beforehand(tmp_path: Path) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text(
        "models: {detector: null}\nworker: {threads: 1}\ncameras:\n"
        "  first: {source: rtsp://10.0.0.1/main, inference_fps: 240}\n"
        "  second: {source: rtsp://10.0.0.2/main, inference_fps: 240, priority: 2}\n",
        encoding="utf-8",
    )
    result = run("check", str(path), "--load", "--json")
    assert result.exit_code == exits.SOME_FAILED
    load = json.loads(result.stdout)["load"]
    assert load["admitted"] == ["second"]
    assert load["refused"]["first"] in result.stderr
    assert "note: this machine is full" in result.stderr
    assert load["wanted_load"] == pytest.approx(2 * load["load"])


@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_one_that_is_not_says_so(tmp_path: Path) -> None:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("models: {detector: null}\n" + SLOW.replace("fps: 1", "fps: 0.01"), encoding="utf-8")
    result = run("check", str(path), "--load")
    assert result.exit_code == exits.ALL_DONE
    assert "of what this machine can do" in result.stderr
