"""`aiqyn import` as a program on real faces: the acceptance of issue 4 in a short version."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.acceptance.lists import measure

pytestmark = [pytest.mark.system, pytest.mark.evaldata, pytest.mark.models]


@pytest.mark.usefixtures("eval_data")
def test_every_fault_is_told_by_row_and_nothing_is_half_imported(tmp_path: Path) -> None:
    figures = list(measure(tmp_path, rows=200, kills=3))
    assert [figure for figure in figures if not figure.passed] == []
