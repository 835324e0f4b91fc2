"""Composing: people between barriers, and a truth that says what can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from aiqyn.demo.footage.cast import BYSTANDER_LAWN, BYSTANDER_TIE, Person
from aiqyn.demo.footage.cutout import Cutout, cut_out
from aiqyn.demo.footage.hall import HEIGHT_PX, WIDTH_PX, Hall, Lane, draw_hall
from aiqyn.demo.footage.scene import Moment, compose, placement
from aiqyn.demo.footage.walks import Key, Pose, Walk
from tests.unit.aiqyn.demo.figures import PORTRAIT, drawn_portrait

_FPS = 12.5


@pytest.fixture(scope="module")
def hall() -> Hall:
    return draw_hall(np.random.default_rng(1))


@pytest.fixture(scope="module")
def cutouts() -> dict[str, Cutout]:
    made = cut_out(drawn_portrait(), PORTRAIT, face_width_px=90)
    return {BYSTANDER_TIE.person_id: made, BYSTANDER_LAWN.person_id: made}


def _standing(who: tuple[Person, Lane], x: float, y: float, face: float = 60) -> Walk:
    person, lane = who
    return Walk(person, lane, (Key(0, x, y, face), Key(10, x, y, face)))


def _compose(hall: Hall, cutouts: dict[str, Cutout], *walks: Walk) -> Moment:
    return compose(hall, cutouts, walks, 5.0, _FPS)


def test_the_hall_is_the_same_for_the_same_seed(hall: Hall) -> None:
    again = draw_hall(np.random.default_rng(1))
    assert np.array_equal(again.background, hall.background)
    other = draw_hall(np.random.default_rng(2))
    assert not np.array_equal(other.background, hall.background)


def test_an_empty_hall_shows_its_barriers(hall: Hall, cutouts: dict[str, Cutout]) -> None:
    moment = _compose(hall, cutouts)
    assert moment.faces == ()
    assert moment.scene.shape == (HEIGHT_PX, WIDTH_PX, 3)
    changed = np.abs(moment.scene - hall.background).max(axis=2) > 1
    assert changed.any(axis=1)[700]
    assert not changed[:300].any()


def test_a_person_is_where_the_truth_says(hall: Hall, cutouts: dict[str, Cutout]) -> None:
    moment = _compose(hall, cutouts, _standing((BYSTANDER_TIE, Lane.MIDDLE), 640, 400))
    (face,) = moment.faces
    assert face.visible
    x0, y0, x1, y1 = face.xyxy
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((640, 400), abs=0.2)
    assert x1 - x0 == pytest.approx(60, rel=0.01)
    drawn = np.abs(moment.scene - _compose(hall, cutouts).scene).max(axis=2)
    assert float(drawn[390:410, 630:650].mean()) > 10


def test_nobody_shows_below_the_barrier_in_front(hall: Hall, cutouts: dict[str, Cutout]) -> None:
    moment = _compose(hall, cutouts, _standing((BYSTANDER_TIE, Lane.FAR), 640, 320))
    lowest = hall.barriers[Lane.FAR].hidden_below_px
    empty = _compose(hall, cutouts)
    assert np.array_equal(moment.scene[lowest:], empty.scene[lowest:])
    assert not np.array_equal(moment.scene[:lowest], empty.scene[:lowest])


def test_a_face_behind_a_nearer_person_is_not_called_visible(hall: Hall, cutouts: dict[str, Cutout]) -> None:
    behind = _standing((BYSTANDER_LAWN, Lane.FAR), 640, 330)
    before = _standing((BYSTANDER_TIE, Lane.MIDDLE), 640, 330, face=90)
    aside = _standing((BYSTANDER_TIE, Lane.MIDDLE), 1000, 330, face=90)
    hidden = {face.person_id: face.visible for face in _compose(hall, cutouts, behind, before).faces}
    assert hidden == {BYSTANDER_LAWN.person_id: False, BYSTANDER_TIE.person_id: True}
    assert all(face.visible for face in _compose(hall, cutouts, behind, aside).faces)


@pytest.mark.parametrize("x", [-10.0, 1290.0, 5000.0, -5000.0])
def test_a_face_outside_the_picture_is_not_called_visible(
    hall: Hall, cutouts: dict[str, Cutout], x: float
) -> None:
    moment = _compose(hall, cutouts, _standing((BYSTANDER_TIE, Lane.MIDDLE), x, 400))
    assert [face.visible for face in moment.faces] == [False]


def test_placement_turns_about_the_face(cutouts: dict[str, Cutout]) -> None:
    cutout = cutouts[BYSTANDER_TIE.person_id]
    matrix = placement(cutout, Pose(300, 200, 45, roll_degrees=12, speed_px_per_second=0))
    centre = matrix[:, :2] @ np.asarray(cutout.anchor_xy) + matrix[:, 2]
    assert centre == pytest.approx((300, 200))
    assert np.hypot(*matrix[:, 0]) == pytest.approx(0.5)
