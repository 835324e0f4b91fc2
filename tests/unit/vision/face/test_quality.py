"""Quality: what is measured, and which faces are not worth comparing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.build import build_face_detector
from pipelines.config import load_config
from tests.builders import noise, plain
from vision.errors import ImageError
from vision.face.align import align
from vision.face.quality import (
    _TEMPLATE,
    BLURRED,
    DARK,
    FLAT,
    LOW_CONFIDENCE,
    OVEREXPOSED,
    PROFILE,
    TOO_SMALL,
    QualityLimits,
    _grey_chips,
    glance,
    measure,
)
from vision.images import read_image
from vision.types import Faces, Float32
from weights.catalog import load_catalog
from weights.store import WeightStore

FRONTAL = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])


def face(size_px: float = 80, confidence: float = 0.9, nose_x: float = 0.5, degrees: float = 0) -> Faces:
    """One face in the middle of a 240 × 240 picture."""
    points = FRONTAL.copy()
    points[2, 0] = nose_x
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (points - 0.5) @ turn.T * size_px + 120
    half = size_px / 2
    box = np.array([[120 - half, 120 - half, 120 + half, 120 + half]], np.float32)
    return Faces(box, np.array([confidence], np.float32), landmarks[None].astype(np.float32))


SHARP = noise((240, 240))


@pytest.mark.parametrize(
    ("faces", "reasons"),
    [
        pytest.param(face(), (), id="good"),
        pytest.param(face(size_px=20.1), (), id="just large enough"),
        pytest.param(face(size_px=19.9), (TOO_SMALL,), id="too small"),
        pytest.param(face(confidence=0.49), (LOW_CONFIDENCE,), id="hardly a face"),
        pytest.param(face(nose_x=0.5 + 0.39), (), id="three quarters"),
        pytest.param(face(nose_x=0.5 + 0.41), (PROFILE,), id="profile"),
        pytest.param(face(nose_x=0.5 - 0.41), (PROFILE,), id="profile the other way"),
        pytest.param(face(nose_x=0.5 + 0.41, degrees=70), (PROFILE,), id="profile, head on one side"),
        pytest.param(face(19, 0.1, 1.5), (TOO_SMALL, PROFILE, LOW_CONFIDENCE), id="nearly everything"),
    ],
)
def test_reasons(faces: Faces, reasons: tuple[str, ...]) -> None:
    (quality,) = measure(SHARP, faces)
    assert (quality.reasons, quality.good) == (reasons, not reasons)


def test_a_flat_face_is_blurred_and_limits_can_be_moved() -> None:
    (quality,) = measure(plain((240, 240)), face())
    assert (quality.reasons, quality.sharpness) == ((BLURRED, FLAT), 0)
    assert measure(plain((240, 240)), face(), QualityLimits(min_sharpness=0, min_contrast=0))[0].good


def test_more_blur_is_less_sharpness() -> None:
    blurred = [np.asarray(cv2.GaussianBlur(SHARP, (0, 0), sigma), np.uint8) for sigma in (1, 2, 4, 8)]
    values = [measure(image, face())[0].sharpness for image in blurred]
    assert values == sorted(values, reverse=True)
    assert values[0] > 4 * values[-1]


@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
def test_the_yaw_ratio_is_measured_along_the_eyes(degrees: float) -> None:
    (quality,) = measure(SHARP, face(nose_x=0.6, degrees=degrees))
    assert quality.yaw_ratio == pytest.approx(0.25, abs=1e-3)
    assert quality.face_size_px == pytest.approx(80)
    assert quality.confidence == pytest.approx(0.9)


def with_landmarks(landmarks: Float32) -> Faces:
    plain_face = face()
    return Faces(plain_face.xyxy, plain_face.confidence, landmarks.astype(np.float32)[None])


def test_landmarks_that_make_no_face_cost_nobody_the_frame() -> None:
    in_one_point = with_landmarks(np.full((5, 2), 100.0))
    eyes_in_one_point = with_landmarks(
        np.array([[100.0, 100], [100, 100], [130, 120], [90, 140], [110, 140]])
    )
    for faces in (in_one_point, eyes_in_one_point):
        (quality,) = measure(SHARP, faces)
        assert not quality.good
        assert np.isfinite([quality.sharpness, quality.yaw_ratio]).all()


def test_no_faces_are_no_measurements() -> None:
    assert measure(SHARP, Faces.empty()) == []


def test_the_smallest_picture() -> None:
    assert not measure(plain((1, 1)), face())[0].good


def test_other_images_are_refused() -> None:
    with pytest.raises(ImageError, match="uint8 BGR"):
        measure(SHARP[..., 0], face())


@pytest.mark.models("centerface")
@pytest.mark.evaldata
def test_photographs_are_good_until_they_are_spoilt(eval_data: Path) -> None:
    detector = build_face_detector(
        WeightStore(load_config(None).paths.weights_dir, load_catalog()), "centerface"
    )
    pictures = sorted((eval_data / "faces" / "hamilton" / "references").rglob("*.*"))
    assert pictures
    for path in pictures:
        image = read_image(path)
        faces = detector.detect(image)[:1]
        assert measure(image, faces)[0].good
        side_px = float(faces.xyxy[0, 2] - faces.xyxy[0, 0])
        blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), side_px / 12), np.uint8)
        assert BLURRED in measure(blurred, faces)[0].reasons
        scale = 16 / side_px
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        shrunk = Faces(faces.xyxy * scale, faces.confidence, faces.landmarks * scale)
        assert TOO_SMALL in measure(np.asarray(small, np.uint8), shrunk)[0].reasons


@pytest.mark.parametrize(
    ("gain", "offset", "reason"),
    [
        pytest.param(0.03, 0, DARK, id="dark"),
        pytest.param(0.03, 120, FLAT, id="fog"),
        pytest.param(1.0, 230, OVEREXPOSED, id="burnt"),
    ],
)
def test_light_that_leaves_nothing_has_its_own_reason(gain: float, offset: int, reason: str) -> None:
    image = np.clip(SHARP * gain + offset, 0, 255).astype(np.uint8)
    (quality,) = measure(image, face())
    assert reason in quality.reasons
    assert quality.exposure < 0.5


def test_a_dark_picture_is_not_called_a_blurred_one() -> None:
    (quality,) = measure((SHARP * 0.25).astype(np.uint8), face())
    assert quality.reasons == ()


def test_a_mask_and_glasses_are_hinted_at_and_refuse_nothing() -> None:
    clean = measure(SHARP, face())[0]
    for rows in (slice(135, 170), slice(92, 124)):
        covered = SHARP.copy()
        covered[rows, 70:170] = 90
        (quality,) = measure(covered, face())
        assert quality.occlusion > 0.8 > clean.occlusion
        assert quality.good
        assert quality.score < clean.score


def test_the_score_falls_with_everything_that_costs_likeness() -> None:
    best = measure(SHARP, face(size_px=80))[0].score
    assert 0 < best <= 1
    soft = np.asarray(cv2.GaussianBlur(SHARP, (0, 0), 5), np.uint8)
    for image, faces in (
        (SHARP, face(size_px=24)),
        (SHARP, face(confidence=0.5)),
        (SHARP, face(nose_x=0.85)),
        (soft, face()),
    ):
        assert 0 < measure(image, faces)[0].score < best


def test_a_glance_promises_no_less_than_is_measured() -> None:
    for faces in (face(), face(size_px=24), face(nose_x=0.8), face(confidence=0.5), face(size_px=19)):
        hint, (quality,) = glance(faces), measure(SHARP, faces)
        assert hint.best_score[0] >= quality.score - 1e-9
        assert hint.possible[0] or not quality.good


@pytest.mark.parametrize("degrees", [0, 25, -70, 180])
@pytest.mark.parametrize("size_px", [20, 60, 150, 400])
def test_chips_are_those_of_align(size_px: float, degrees: float) -> None:
    soft = np.asarray(cv2.GaussianBlur(noise((700, 900)), (0, 0), 3), np.uint8)
    landmarks = face(size_px, degrees=degrees).landmarks + np.float32(150)
    mine = _grey_chips(soft, landmarks)[0].astype(int)
    theirs = cv2.cvtColor(align(soft, landmarks, _TEMPLATE, 64)[0], cv2.COLOR_BGR2GRAY)
    assert np.abs(mine - theirs).mean() < 3
