"""Cutting a drawn person out of a drawn meadow."""

from __future__ import annotations

import numpy as np
import pytest

from aiqyn.demo.footage.cutout import Cutout, cut_out
from tests.unit.aiqyn.demo.figures import PORTRAIT, drawn_portrait


@pytest.fixture(scope="module")
def cutout() -> Cutout:
    return cut_out(drawn_portrait(), PORTRAIT, face_width_px=80)


def test_face_has_the_wanted_width_and_lies_in_the_mask(cutout: Cutout) -> None:
    assert cutout.face_width_px == pytest.approx(80)
    x, y = (round(value) for value in cutout.anchor_xy)
    assert cutout.alpha[y, x] == pytest.approx(1.0)
    x0, y0, x1, y1 = cutout.face_xyxy
    assert (cutout.landmarks > (x0, y0)).all()
    assert (cutout.landmarks < (x1, y1)).all()


def test_background_is_gone_and_person_is_not(cutout: Cutout) -> None:
    scale = 0.8
    meadow = cutout.alpha[: int(60 * scale)]
    assert float(meadow.max()) == 0
    coat = cutout.alpha[int(380 * scale) : int(420 * scale), int(150 * scale) : int(250 * scale)]
    assert float(coat.min()) == pytest.approx(1.0)


def test_edge_is_soft_and_colour_is_premultiplied(cutout: Cutout) -> None:
    edge = (cutout.alpha > 0.05) & (cutout.alpha < 0.95)
    assert edge.any()
    assert (cutout.colour.max(axis=2) <= 255 * cutout.alpha + 1e-3).all()


def test_nobody_ends_in_the_air(cutout: Cutout) -> None:
    x, _ = (round(value) for value in cutout.anchor_xy)
    assert len(cutout.alpha) > 500 * 0.8
    assert float(cutout.alpha[-1, x]) == pytest.approx(1.0)


def test_same_photograph_same_person(cutout: Cutout) -> None:
    again = cut_out(drawn_portrait(), PORTRAIT, face_width_px=80)
    assert np.array_equal(again.alpha, cutout.alpha)
    assert np.array_equal(again.colour, cutout.colour)


def test_marked_background_is_left_out() -> None:
    # The drawn neck looks like the face; marked as background it has to go, with all below it.
    from dataclasses import replace

    marked = replace(PORTRAIT, background_xyxy=((0.0, 330.0, 110.0, 500.0),))
    plain = cut_out(drawn_portrait(), PORTRAIT, face_width_px=80)
    cut = cut_out(drawn_portrait(), marked, face_width_px=80)
    corner = (slice(330, 380), slice(50, 80))
    assert float(plain.alpha[corner].mean()) > 0.9
    assert float(cut.alpha[corner].mean()) < 0.1
