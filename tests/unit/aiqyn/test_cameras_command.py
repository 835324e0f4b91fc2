"""`aiqyn cameras`: cameras that are given go out as YAML and come back, under an administrator's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from aiqyn.commands import cameras, exits, keys, users

EXPORT = {
    "schema": "aiqyn.cameras/1",
    "cameras": {
        "w1:hall": {"worker_id": "w1", "source": "rtsp://viewer:{hall}@10.1.2.3/a", "inference_fps": 2.0},
        "w1:yard": {"worker_id": "w1", "source": "rtsp://10.1.2.4/a"},
    },
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\n", encoding="utf-8")
    run(path, "keys", "init", "--worker", "w1")
    run(path, "users", "add", "root:administrator", "gulnar:authoriser", "aigul")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cameras.yaml"
    path.write_text(yaml.safe_dump(EXPORT), "utf-8")
    return path


def run(config: Path, *arguments: str) -> Result:
    app = typer.Typer()
    for command in (users, keys, cameras):
        command.register(app)
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def take_in(config: Path, file: Path, by: str = "root") -> Result:
    return run(config, "cameras", "import", str(file), "--by", by, "--reason", "from the old site", "--json")


def test_cameras_come_in_and_go_out_again(config: Path, file: Path, tmp_path: Path) -> None:
    done = take_in(config, file)
    assert done.exit_code == exits.ALL_DONE, done.output
    assert [(one["camera_id"], one["version"]) for one in json.loads(done.stdout)["versions"]] == [
        ("w1:hall", 1),
        ("w1:yard", 1),
    ]
    out = tmp_path / "out.yaml"
    assert run(config, "cameras", "export", "--output", str(out)).exit_code == exits.ALL_DONE
    assert yaml.safe_load(out.read_text("utf-8")) == EXPORT
    assert json.loads(take_in(config, out).stdout) == {"versions": []}
    rows = json.loads(run(config, "cameras", "list", "--json").stdout)["cameras"]
    assert [(row["camera_id"], row["worker_id"], row["active"]) for row in rows] == [
        ("w1:hall", "w1", True),
        ("w1:yard", "w1", True),
    ]
    assert "w1:yard" in run(config, "cameras", "list").stdout


def test_only_an_administrator_imports(config: Path, file: Path) -> None:
    assert take_in(config, file, by="aigul").exit_code == exits.NOTHING_DONE
    assert json.loads(run(config, "cameras", "list", "--json").stdout) == {"cameras": []}


def test_what_is_wrong_is_said_and_nothing_is_taken_over(config: Path, file: Path) -> None:
    document = yaml.safe_load(yaml.safe_dump(EXPORT))
    document["cameras"]["w1:x"] = {"worker_id": "w1", "source": "file:///a"}
    file.write_text(yaml.safe_dump(document), "utf-8")
    done = take_in(config, file)
    assert done.exit_code == exits.NOTHING_DONE
    assert "cameras.w1:x.source" in done.output
    assert json.loads(run(config, "cameras", "list", "--json").stdout) == {"cameras": []}
