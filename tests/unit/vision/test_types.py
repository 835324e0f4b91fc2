"""The frozen structs of arrays."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from tests.builders import noise, plain
from vision.errors import GalleryError, ImageError
from vision.types import Detections, Faces, Frame, Identification, Tracks

BOX = [[1.0, 2, 3, 4]]


def faces(count: int) -> Faces:
    boxes = np.arange(count * 4, dtype=np.float32).reshape(count, 4)
    return Faces(boxes, np.linspace(0, 1, count, dtype=np.float32), np.zeros((count, 5, 2), np.float32))


@pytest.mark.parametrize(
    ("xyxy", "confidence", "class_id", "reason"),
    [
        pytest.param([1.0, 2, 3, 4], [0.5], [0], r"Detections.xyxy .* got \(4,\)", id="one box without rows"),
        pytest.param(
            BOX, [0.5, 0.6], [0], r"Detections.confidence must have shape \(1,\)", id="a confidence more"
        ),
        pytest.param(BOX, [0.5], [], "Detections.class_id", id="a class less"),
        pytest.param([[1.0, np.nan, 3, 4]], [0.5], [0], "not finite", id="NaN"),
        pytest.param(BOX, [np.inf], [0], "not finite", id="infinite"),
        pytest.param([["a", "b", "c", "d"]], [0.5], [0], "Detections.xyxy", id="words"),
    ],
)
def test_what_does_not_fit_is_refused(xyxy: Any, confidence: Any, class_id: Any, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        Detections(np.array(xyxy), np.array(confidence), np.array(class_id))


def test_arrays_are_copied_converted_and_read_only() -> None:
    boxes = np.array(BOX)
    found = Detections(boxes, np.array([0.5]), np.array([3]))
    boxes[:] = 0
    assert found.xyxy.tolist() == BOX
    assert [found.xyxy.dtype.name, found.class_id.dtype.name] == ["float32", "int32"]
    with pytest.raises(ValueError, match="read-only"):
        found.xyxy[0, 0] = 9
    with pytest.raises(FrozenInstanceError):
        found.xyxy = boxes  # type: ignore[misc]


def test_arrays_of_the_right_kind_are_copied_all_the_same() -> None:
    table = np.zeros((4, 4), np.float32)
    whole, part = (Detections(t, t[:, 0], np.zeros(len(t), np.int32)) for t in (table, table[1:3]))
    table[:] = 7
    assert not whole.xyxy.any()
    assert not part.xyxy.any()
    assert table.flags.writeable


def test_rows_are_taken_together() -> None:
    some = faces(4)
    assert some[np.array([2, 0])].confidence.tolist() == pytest.approx([2 / 3, 0])
    assert len(some[some.confidence > 0.5]) == 2
    assert len(some[:0]) == 0
    assert some[1:2].as_detections().class_id.tolist() == [0]


@pytest.mark.parametrize("kind", [Detections, Faces, Tracks])
def test_empty_ones_have_no_rows(kind: type[Detections | Faces | Tracks]) -> None:
    nothing = kind.empty()
    assert len(nothing) == 0
    assert len(nothing[np.empty(0, np.int64)]) == 0


def test_representations_show_no_values() -> None:
    assert repr(faces(2)) == "Faces(n=2)"
    assert repr(Frame(plain(), 1.5, 3)) == "Frame(index=3, pts_seconds=1.500, wh=(64, 48))"


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(noise()[..., 0], id="grey"),
        pytest.param(noise().astype(np.uint16), id="16-bit"),
        pytest.param(np.zeros((4, 4, 4), np.uint8), id="with alpha"),
        pytest.param(np.zeros((0, 4, 3), np.uint8), id="no pixels"),
    ],
)
def test_a_frame_needs_a_colour_image(image: Any) -> None:
    with pytest.raises(ImageError, match=r"Frame\.image"):
        Frame(image, 0.0, 0)


def test_a_frame_needs_a_finite_time() -> None:
    with pytest.raises(ImageError, match="pts_seconds"):
        Frame(plain(), float("nan"), 0)


def test_an_identification_has_a_similarity_for_each_subject() -> None:
    with pytest.raises(GalleryError, match="1 subjects and 2 similarities"):
        Identification(("a",), (0.5, 0.4))
