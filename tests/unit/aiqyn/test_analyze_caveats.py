"""`aiqyn analyze` says what its calibration could not give: no candidate is not "not there"."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from aiqyn.commands.analyze import _caveats
from pipelines.analysis import Thresholds
from tests.fake_calibration import strewn_calibration

CALIBRATION = strewn_calibration("made-up")


@pytest.mark.parametrize(
    ("listed", "wanted", "said"),
    [
        pytest.param(2, 10.0, [], id="all is supported"),
        pytest.param(100, 10.0, ["one look decides nothing"], id="no single look"),
        pytest.param(
            1000,
            1.0,
            ["does not support 1 false alerts per 1,000 faces", "one look decides nothing"],
            id="not supported",
        ),
    ],
)
def test_what_is_not_supported_is_told(listed: int, wanted: float, said: list[str]) -> None:
    point = CALIBRATION.operating_point(
        gallery_templates=listed, gallery_subjects=listed, false_alerts_per_1000_faces=wanted
    )
    lines = _caveats(Thresholds(**asdict(point)))
    assert len(lines) == len(said)
    assert all(words in line for words, line in zip(said, lines, strict=True))
