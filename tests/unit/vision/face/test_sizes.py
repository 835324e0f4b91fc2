"""The size a camera's pictures are searched at follows from its own faces."""

from __future__ import annotations

import numpy as np
import pytest

from vision.face.sizes import FaceSizes
from vision.types import Float32


def faces(side_px: float, count: int = 60) -> Float32:
    return np.tile(np.array([0, 0, side_px, side_px], np.float32), (count, 1))


def usual(sizes: FaceSizes, picture_px: int) -> int:
    """The size most pictures get."""
    chosen = [sizes.long_side_px(picture_px) for _ in range(20)]
    return max(set(chosen), key=chosen.count)


def test_until_faces_are_known_the_usual_size_and_no_larger_than_the_picture() -> None:
    assert usual(FaceSizes(), 3840) == 1280
    assert usual(FaceSizes(), 640) == 640


@pytest.mark.parametrize(("face_px", "expected"), [(200, 640), (30, 960), (24, 1280), (10, 1280)])
def test_large_faces_are_searched_for_in_smaller_pictures(face_px: float, expected: int) -> None:
    sizes = FaceSizes()
    sizes.note(faces(face_px))
    assert usual(sizes, 1280) == expected


def test_small_faces_of_a_large_picture_are_searched_for_at_its_own_size() -> None:
    sizes = FaceSizes()
    sizes.note(faces(30))
    assert usual(sizes, 2560) == 1920
    sizes.note(faces(16, 1000))
    assert usual(sizes, 2560) == 2560


def test_one_picture_in_ten_is_searched_at_the_largest_size_so_that_small_faces_are_not_missed_for_ever() -> (
    None
):
    sizes = FaceSizes()
    sizes.note(faces(300))
    assert [sizes.long_side_px(1920) for _ in range(20)].count(1920) == 2


def test_a_few_faces_are_no_statistics() -> None:
    sizes = FaceSizes()
    sizes.note(faces(300, 10))
    assert sizes.small_px is None


def test_one_face_in_ten_is_smaller_than_the_small_size() -> None:
    sizes = FaceSizes()
    sizes.note(np.concatenate([faces(100, 80), faces(20, 20)]))
    assert sizes.small_px == pytest.approx(20)


def test_faces_without_an_area_do_not_stop_the_search() -> None:
    sizes = FaceSizes()
    sizes.note(faces(0))
    assert usual(sizes, 1280) == 1280
