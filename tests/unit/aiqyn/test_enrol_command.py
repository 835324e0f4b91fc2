"""`aiqyn enrol`: what it asks for, how it tells what it found, and the sheet of pictures."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from aiqyn.commands import enrol, exits
from aiqyn.commands.enrol_report import check_document, enrolled_document, picture_line, write_sheet
from aiqyn.enrolment import CheckedList, ListTerms, check_list, keep_list
from api.services import Services
from pipelines.errors import EnrolError
from tests.enrolment_bench import PERCEPTION
from tests.fake_engine import paint, photograph
from vision.images import encode_png


def run(*arguments: str) -> Result:
    """Runs the command in this process."""
    app = typer.Typer()
    enrol.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["enrol", *arguments])


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("paths: {data_dir: data, keys_dir: keys}\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["refs"], "missing: --watchlist, --cameras, --until, --requested-by", id="no terms"),
        pytest.param([], "missing: DIR, --watchlist", id="nothing"),
        pytest.param(
            ["refs", "--refresh"], "--refresh takes neither DIR nor --dry-run", id="refresh a folder"
        ),
        pytest.param(["--refresh", "--dry-run"], "--refresh takes neither", id="refresh dry"),
    ],
)
def test_what_is_missing_is_named_in_one_line(config: str, arguments: list[str], reason: str) -> None:
    done = run(*arguments, "--config", config)
    assert done.exit_code == exits.NOTHING_DONE
    assert done.stderr.startswith("error: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def checked(services: Services, folder: Path, terms: ListTerms) -> CheckedList:
    """Somebody else's picture with Akmaral, and Timur's photograph under a name that is no plain text."""
    (folder / "Akmaral" / "2.png").write_bytes(encode_png(photograph(7, 0)))
    (folder / "<b>Ann").mkdir()
    (folder / "<b>Ann" / "0.png").write_bytes(encode_png(photograph(2, 0)))
    return check_list(services, PERCEPTION, folder, terms)


def test_a_dry_run_adds_nothing_and_says_everything(
    services: Services, checked: CheckedList, terms: ListTerms
) -> None:
    assert services.records.find_watchlist(terms.watchlist) is None
    document = json.loads(json.dumps(enrolled_document(None) | check_document(checked)))
    assert (document["dry_run"], document["subjects"]) == (True, {})
    assert [one["kind"] for one in document["findings"]] == ["shared_picture", "outlier"]
    assert {Path(one["path"]).parent.name: one["reason"] for one in document["refused"]} == {
        "Akmaral": "outlier",
        "Timur": "shared_picture",
        "<b>Ann": "shared_picture",
        "Nobody": "no_face",
    }
    assert document["limits"]["lookalike_similarity"] > document["limits"]["disagreement_similarity"]


def test_every_picture_has_its_line(checked: CheckedList) -> None:
    lines = [picture_line(report) for report in checked.checked.enrolment.reports]
    assert len(lines) == len(checked.checked.enrolment.reports)
    assert all("\n" not in line for line in lines)
    noted = replace(checked.checked.enrolment.reports[0], outcome="ok", notes=("blurred", "other_faces"))
    assert picture_line(noted).endswith(
        "taken; the face is blurred; somebody else is in the picture, clearly smaller; the middle one was taken"
    )


def test_a_misspelt_accept_is_told(checked: CheckedList, capsys: pytest.CaptureFixture[str]) -> None:
    """Who answers for pictures must not be left to believe that it was heard."""
    enrol._tell_pictures(checked, frozenset({"Akmaral", "Akmarl"}))
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert told == ["warning: --accept Akmarl: DIR has no pictures of an entry of this name"]


def test_the_sheet_shows_both_pictures_and_is_its_owners_alone(tmp_path: Path, checked: CheckedList) -> None:
    path = tmp_path / "sheet.html"
    path.touch(mode=0o644)
    write_sheet(path, checked.checked, "References of the list <script>")
    page = path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert page.count("<img ") == 2 * len(checked.checked.findings) > 0
    assert "<script" not in page
    assert "<b>Ann" not in page
    assert "&lt;b&gt;Ann" in page
    assert "One photograph under two names" in page
    assert "http" not in page.replace("http-equiv", "")


def test_what_is_left_is_enrolled_and_nothing_else(
    services: Services, folder: Path, terms: ListTerms, checked: CheckedList
) -> None:
    (folder / "Carl").mkdir()
    (folder / "Carl" / "0.png").write_bytes(encode_png(photograph(5, 0)))
    again = check_list(services, PERCEPTION, folder, terms)
    assert {one.kind for one in again.checked.findings} == {one.kind for one in checked.checked.findings}
    done = keep_list(services, PERCEPTION, again, terms)
    assert "Carl" in done.subject_ids
    assert "Timur" not in done.subject_ids
    assert "Timur" in done.missing


def test_nothing_left_enrols_nothing(services: Services, tmp_path: Path, terms: ListTerms) -> None:
    for name in ("ann", "bea"):
        (tmp_path / "r" / name).mkdir(parents=True)
        (tmp_path / "r" / name / "0.png").write_bytes(encode_png(photograph(1, 0)))
    checked = check_list(services, PERCEPTION, tmp_path / "r", terms)
    with pytest.raises(EnrolError, match="nothing was enrolled"):
        keep_list(services, PERCEPTION, checked, terms)
    assert services.records.find_watchlist(terms.watchlist) is None
    (tmp_path / "r" / "ann" / "0.png").write_bytes(encode_png(paint([])))
