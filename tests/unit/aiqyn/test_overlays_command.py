"""`aiqyn overlays`: what is drawn goes out as YAML and comes back, under an administrator's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner, Result

from aiqyn.commands import exits, overlays, users

TRIANGLE = [[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]
EXPORT = {
    "schema": "aiqyn.overlays/1",
    "cameras": {
        "gate": {"privacy_mask": {"polygons": [TRIANGLE]}},
        "yard": {"detection_mask": {"polygons": [TRIANGLE, [[0.6, 0.6], [0.9, 0.6], [0.9, 0.9]]]}},
    },
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\n", encoding="utf-8")
    run(path, "users", "add", "root:administrator", "gulnar:authoriser", "aigul")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "masks.yaml"
    path.write_text(json.dumps(EXPORT), "utf-8")  # JSON is YAML, and has no aliases
    return path


def run(config: Path, *arguments: str) -> Result:
    app = typer.Typer()
    users.register(app)
    overlays.register(app)
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def import_file(config: Path, file: Path, by: str = "root") -> Result:
    return run(
        config, "overlays", "import", str(file), "--by", by, "--reason", "from the old system", "--json"
    )


def test_masks_come_in_and_go_out_again(config: Path, file: Path, tmp_path: Path) -> None:
    done = import_file(config, file)
    assert done.exit_code == exits.ALL_DONE, done.output
    assert [(one["camera_id"], one["version"]) for one in json.loads(done.stdout)["versions"]] == [
        ("gate", 1),
        ("yard", 1),
    ]
    out = tmp_path / "out.yaml"
    assert run(config, "overlays", "export", "--output", str(out)).exit_code == exits.ALL_DONE
    exported = yaml.safe_load(out.read_text("utf-8"))
    assert exported["cameras"]["gate"]["privacy_mask"]["polygons"] == [TRIANGLE]
    assert exported["cameras"]["gate"]["privacy_mask"]["reason"] == "from the old system"
    assert json.loads(import_file(config, out).stdout) == {"versions": []}
    one = run(config, "overlays", "export", "--camera", "yard")
    assert set(yaml.safe_load(one.stdout)["cameras"]) == {"yard"}


def test_what_is_drawn_is_listed(config: Path, file: Path) -> None:
    assert "nothing is drawn" in run(config, "overlays", "list").stderr
    import_file(config, file)
    rows = json.loads(run(config, "overlays", "list", "--json").stdout)["overlays"]
    assert [(row["camera_id"], row["kind"], row["polygons"], row["active"]) for row in rows] == [
        ("gate", "privacy_mask", 1, True),
        ("yard", "detection_mask", 2, True),
    ]
    assert "yard" in run(config, "overlays", "list").stdout


@pytest.mark.parametrize("by", ["aigul", "nobody"])
def test_only_an_administrator_draws(config: Path, file: Path, by: str) -> None:
    refused = import_file(config, file, by)
    assert (refused.exit_code, refused.stdout) == (exits.NOTHING_DONE, "")
    assert "no active administrator" in refused.stderr
    assert json.loads(run(config, "overlays", "list", "--json").stdout) == {"overlays": []}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("schema: [", "masks.yaml:1"),
        ("schema: something/1\ncameras: {}\n", "schema: must be"),
        (
            "schema: aiqyn.overlays/1\ncameras: {gate: {privacy_mask: {polygons: [[[0, 0], [1, 1]]]}}}\n",
            "polygon 1",
        ),
    ],
    ids=["no YAML", "another document", "no polygon"],
)
def test_what_is_no_export_is_one_line(config: Path, file: Path, text: str, why: str) -> None:
    file.write_text(text, "utf-8")
    refused = import_file(config, file)
    assert refused.exit_code == exits.NOTHING_DONE
    assert why in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_file_that_is_missing_or_no_text_is_one_line(config: Path, tmp_path: Path) -> None:
    assert "cannot be read" in import_file(config, tmp_path / "nowhere.yaml").stderr
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff")
    assert "UTF-8" in import_file(config, tmp_path / "picture.yaml").stderr
    nowhere = run(config, "overlays", "export", "--output", str(tmp_path / "missing" / "out.yaml"))
    assert (nowhere.exit_code, nowhere.stderr.count("\n")) == (exits.NOTHING_DONE, 1)
