"""`aiqyn statistics`: whole months for the public, three forms, and one line where something is wrong."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from aiqyn.commands import exits, statistics, users

MONTH = ("--from", "2026-03-01", "--to", "2026-04-01")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\n", encoding="utf-8")
    return path


def run(config: Path, *arguments: str) -> Result:
    app = typer.Typer()
    users.register(app)
    statistics.register(app)
    return CliRunner().invoke(app, ["statistics", *arguments, "--config", str(config)])


def test_a_month_as_json_is_for_publication(config: Path) -> None:
    done = run(config, *MONTH)
    assert done.exit_code == exits.ALL_DONE, done.output
    document = json.loads(done.stdout)
    assert (document["schema"], document["publishable"]) == ("aiqyn.statistics/1", True)
    assert document["total"]["counts"]["candidates"] == 0


def test_a_table_and_a_plot(config: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(config, *MONTH, "--format", "csv", "--by", "list").stdout)))
    assert [row["group"] for row in rows] == ["all"]
    plot = tmp_path / "plot.svg"
    assert run(config, *MONTH, "--format", "svg", "--output", str(plot)).exit_code == exits.ALL_DONE
    assert plot.read_text("utf-8").startswith("<svg")


def test_other_stretches_are_refused_unless_they_stay_inside(config: Path) -> None:
    week = ("--from", "2026-03-01", "--to", "2026-03-08")
    refused = run(config, *week)
    assert refused.exit_code == exits.NOTHING_DONE
    assert "calendar months" in refused.stderr
    inside = run(config, *week, "--internal")
    assert json.loads(inside.stdout)["publishable"] is False


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "2026-04-01", "--to", "2026-03-01", "--internal"), "must lie before"),
        ((*MONTH, "--output", "/no/such/folder/file"), "No such file"),
    ],
)
def test_what_is_wrong_is_one_line(config: Path, arguments: tuple[str, ...], told: str) -> None:
    done = run(config, *arguments)
    assert done.exit_code == exits.NOTHING_DONE
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_operators_are_not_a_grouping_of_the_command(config: Path) -> None:
    assert run(config, *MONTH, "--by", "operator").exit_code == exits.NOTHING_DONE
