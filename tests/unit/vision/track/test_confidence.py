"""Thresholds that follow the detector."""

from __future__ import annotations

import numpy as np
import pytest

from vision.track.confidence import ConfidenceScale


def of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_a_sure_detector_keeps_the_published_thresholds() -> None:
    assert ConfidenceScale().update(of(0.2, 0.95), 0.0) == 1.0


def test_an_unsure_one_lowers_them_in_proportion() -> None:
    assert ConfidenceScale().update(of(0.72, 0.1), 0.0) == pytest.approx(0.8, rel=1e-6)


@pytest.mark.parametrize("frame", [of(), of(0.05, 0.2)], ids=["nothing", "weak"])
def test_never_below_the_least(frame: np.ndarray) -> None:
    assert ConfidenceScale().update(frame, 0.0) == 0.6


def test_the_surest_is_remembered_and_fades() -> None:
    scale = ConfidenceScale()
    scale.update(of(0.9), 0.0)
    assert scale.update(of(), 1.0) > 0.98
    assert scale.update(of(0.1), 30.0) == pytest.approx(0.5**0.5, rel=1e-6)
    assert scale.update(of(0.1), 600.0) == 0.6


def test_a_clock_that_jumps_back_makes_nothing_surer() -> None:
    scale = ConfidenceScale()
    scale.update(of(0.8), 100.0)
    assert scale.update(of(), 0.0) == pytest.approx(0.8 / 0.9, rel=1e-6)
