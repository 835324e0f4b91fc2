"""Crops around what moves; what they show is merged once, whole, and where it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vision.detect.regions import choose_crops, merge_detections, merge_faces, whole_in_crop
from vision.types import Detections, Faces

SIZE_WH = (1280, 720)


def detections(
    *boxes: tuple[float, float, float, float], class_id: int = 0, confidence: float = 0.8
) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.full(len(boxes), confidence, np.float32),
        np.full(len(boxes), class_id, np.int32),
    )


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    left, top = draw(st.integers(0, SIZE_WH[0] - 1)), draw(st.integers(0, SIZE_WH[1] - 1))
    return left, top, draw(st.integers(left + 1, SIZE_WH[0])), draw(st.integers(top + 1, SIZE_WH[1]))


@given(moving=st.lists(boxes(), max_size=8), limit=st.integers(0, 4))
def test_crops_lie_inside_hold_what_moves_and_are_few(
    moving: list[tuple[int, int, int, int]], limit: int
) -> None:
    crops = choose_crops(moving, SIZE_WH, 320, 640, limit)
    assert len(crops) <= limit
    for left, top, right, bottom in crops:
        assert 0 <= left < right <= SIZE_WH[0]
        assert 0 <= top < bottom <= SIZE_WH[1]
        assert 320 <= max(right - left, bottom - top) <= 640
        assert any(
            left <= box[0] and top <= box[1] and box[2] <= right and box[3] <= bottom for box in moving
        )


def test_the_crop_that_holds_most_comes_first_and_large_motion_gets_none() -> None:
    group = [(100, 100, 120, 150), (180, 110, 200, 160), (240, 100, 260, 150)]
    crops = choose_crops([(0, 0, 1280, 700), (1000, 500, 1020, 560), *group], SIZE_WH, 320, 640, 2)
    assert len(crops) == 2
    assert all(crops[0][0] <= box[0] and box[2] <= crops[0][2] for box in group)
    assert crops[1][0] <= 1000 <= 1020 <= crops[1][2]


def test_a_box_cut_off_by_a_crop_is_not_whole_but_at_the_pictures_edge_it_is() -> None:
    crop = (0, 100, 400, 500)
    xyxy = np.array([[0, 200, 50, 300], [300, 200, 399, 300], [100, 101, 150, 200], [100, 200, 150, 300]])
    assert whole_in_crop(xyxy.astype(np.float32), crop, SIZE_WH).tolist() == [True, False, False, True]


def test_what_the_whole_picture_knows_is_not_added_again() -> None:
    whole = detections((100, 100, 200, 400))
    part_of_it = detections((110, 100, 190, 250), confidence=0.95)
    around_it = detections((95, 95, 205, 410), confidence=0.95)
    merged = merge_detections(whole, [part_of_it, around_it, detections((600, 100, 620, 150))])
    assert merged.xyxy[:, 0].tolist() == [100, 600]


def test_another_class_in_the_same_place_is_added() -> None:
    merged = merge_detections(
        detections((100, 100, 200, 400)), [detections((110, 150, 180, 300), class_id=24)]
    )
    assert sorted(merged.class_id.tolist()) == [0, 24]


def test_two_crops_that_show_one_object_give_it_once() -> None:
    twice = [detections((600, 100, 640, 200)), detections((602, 101, 641, 201), confidence=0.6)]
    assert len(merge_detections(Detections.empty(), twice)) == 1


def test_faces_keep_their_landmarks() -> None:
    def face(left: float) -> Faces:
        landmarks = np.full((1, 5, 2), left, np.float32)
        return Faces(np.array([[left, 0, left + 10, 10]], np.float32), np.ones(1, np.float32), landmarks)

    merged = merge_faces(face(0), [face(1), face(50)])
    assert merged.landmarks[:, 0, 0].tolist() == [0, 50]
