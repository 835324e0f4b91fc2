"""The rules of `tests/conftest.py`, shown on small suites of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest

SUITE = """
import pytest

def test_plain(): pass

@pytest.mark.skip(reason="no such luck")
def test_skipped(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_expected_failure(): assert False

@pytest.mark.evaldata
def test_with_data(eval_data): assert eval_data.is_dir()

@pytest.mark.models("centerface")
def test_with_model(): pass

@pytest.mark.system
def test_with_system(): pass
"""
MARKERS = "[pytest]\nmarkers =\n    evaldata:\n    models:\n    system:\n"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with this project's conftest and the tests above."""
    shutil.copy(conftest.__file__, tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(MARKERS, encoding="utf-8")
    return tmp_path


def outcomes(suite: Path, *options: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of pytest run there with only these of our variables set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIQYN_")}
    weights = {"AIQYN_WEIGHTS_DIR": str(suite / "no-weights")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", *options],
        cwd=suite,
        env=environment | weights | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_cannot_run_skips_by_name_and_system_is_left_out(suite: Path) -> None:
    code, output = outcomes(suite)
    assert code == 0, output
    assert "1 passed, 3 skipped, 1 deselected, 1 xfailed" in output
    assert "AIQYN_EVAL_DATA is not set" in output
    assert "the weights cache lacks centerface" in output


def test_system_tests_run_when_asked_for(suite: Path) -> None:
    assert "1 passed, 5 deselected" in outcomes(suite, "-m", "system")[1]


@pytest.mark.system  # takes its time
def test_data_is_found_by_its_variable(suite: Path) -> None:
    assert "2 passed, 2 skipped" in outcomes(suite, AIQYN_EVAL_DATA=str(suite))[1]


def test_a_skip_is_a_named_failure_where_asked(suite: Path) -> None:
    code, output = outcomes(suite, AIQYN_SKIPS_FAIL="1", AIQYN_EVAL_DATA=str(suite / "gone"))
    assert code == 1
    assert "1 passed, 1 deselected, 1 xfailed, 3 errors" in output
    assert "test_it.py::test_skipped was skipped" in output
    assert "no such luck" in output


@pytest.mark.system  # takes its time
def test_where_there_is_no_evaluation_data_its_tests_are_named_and_no_failure(suite: Path) -> None:
    output = outcomes(suite, AIQYN_SKIPS_FAIL="1")[1]
    assert "1 passed, 1 skipped, 1 deselected, 1 xfailed, 2 errors" in output
    assert "AIQYN_EVAL_DATA is not set" in output


@pytest.mark.system  # takes its time
def test_a_file_skipped_at_its_top_is_a_failure_where_asked(suite: Path) -> None:
    (suite / "test_top.py").write_text(
        "import pytest\npytest.importorskip('nothing_of_that_name')\n", encoding="utf-8"
    )
    code, output = outcomes(suite, "test_top.py", AIQYN_SKIPS_FAIL="1")
    assert code != 0
    assert "test_top.py was skipped" in output
