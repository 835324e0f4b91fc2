"""Around a camera's detectors: moving parts searched closely, faces at the camera's own size, all in its pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from pipelines.closer_look import FACE_CROP_PX, FACE_GROWTH, OBJECT_CROP_PX, CloserLook
from vision.types import Detections, Faces, Image

SIZE_WH = (1280, 720)


@dataclass
class ShortSighted:
    """Finds the painted face only where it is at least so large."""

    least_px: int
    seen_wh: list[tuple[int, int]] = field(default_factory=list)
    min_confidence: float = 0.3

    def detect(self, image: Image) -> Faces:
        """See `FaceDetector.detect`."""
        self.seen_wh.append((image.shape[1], image.shape[0]))
        bright = (image.min(axis=2) > 200).astype(np.uint8)
        count, _, found, _ = cv2.connectedComponentsWithStats(bright)
        rows = [found[i] for i in range(1, count) if found[i][2] >= self.least_px]
        xyxy = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
        landmarks = np.repeat(xyxy[:, None, :2], 5, axis=1)
        return Faces(xyxy, np.full(len(xyxy), 0.9, np.float32), landmarks)


@dataclass
class SizesSeen:
    """An object detector that finds nothing and remembers what it was shown."""

    labels: tuple[str, ...] = ("person",)
    min_confidence: float = 0.3
    seen_wh: list[tuple[int, int]] = field(default_factory=list)

    def detect(self, image: Image) -> Detections:
        """See `Detector.detect`."""
        self.seen_wh.append((image.shape[1], image.shape[0]))
        return Detections.empty()


def picture(*squares: tuple[int, int, int]) -> Image:
    image = np.full((SIZE_WH[1], SIZE_WH[0], 3), 60, np.uint8)
    for left, top, side in squares:
        image[top : top + side, left : left + side] = 230
    return image


def seen(look: CloserLook, detector: ShortSighted, *pictures: Image) -> Faces:
    found = Faces.empty()
    for image in pictures:
        moving = look.see(image)
        found = look.faces(image, moving, look.face_search(image), detector)
        look.note(found)
    return found


def test_a_small_moving_face_is_found_in_a_grown_crop_and_where_it_is() -> None:
    detector = ShortSighted(least_px=24)
    found = seen(CloserLook(1), detector, picture(), picture((900, 200, 16)))
    np.testing.assert_allclose(found.xyxy, [[900, 200, 916, 216]], atol=1)
    np.testing.assert_allclose(found.landmarks[0, 0], [900, 200], atol=1)
    assert detector.seen_wh[-1] == (FACE_CROP_PX * FACE_GROWTH, FACE_CROP_PX * FACE_GROWTH)


def test_without_crops_it_is_not_found_and_nothing_more_is_searched() -> None:
    detector = ShortSighted(least_px=24)
    assert len(seen(CloserLook(0), detector, picture(), picture((900, 200, 16)))) == 0
    assert detector.seen_wh == [SIZE_WH, SIZE_WH]


def test_a_camera_of_large_faces_is_searched_small_and_without_crops() -> None:
    detector = ShortSighted(least_px=10)
    crowd = picture(*[(100 + 200 * i, 100, 80) for i in range(5)])
    moved = picture(*[(104 + 200 * i, 100, 80) for i in range(5)], (600, 500, 24))
    found = seen(CloserLook(2), detector, *[crowd] * 12, moved)
    assert detector.seen_wh[-1] == (640, 360)
    np.testing.assert_allclose(sorted(found.xyxy[:, 0]), [104, 304, 504, 600, 704, 904], atol=3)


def test_objects_are_searched_in_crops_at_full_resolution() -> None:
    look, detector = CloserLook(1), SizesSeen()
    for image in (picture(), picture((900, 200, 16))):
        look.objects(image, look.see(image), detector)
    assert detector.seen_wh == [SIZE_WH, SIZE_WH, (OBJECT_CROP_PX, OBJECT_CROP_PX)]


def test_a_small_picture_has_no_crops() -> None:
    look, detector = CloserLook(4), SizesSeen()
    for light in (60, 220):
        image = np.full((360, 480, 3), 60, np.uint8)
        image[100:130, 100:130] = light
        look.objects(image, look.see(image), detector)
    assert detector.seen_wh == [(480, 360), (480, 360)]
