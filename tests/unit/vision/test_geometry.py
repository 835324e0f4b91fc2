"""Similarity transforms, against an independent fit by singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest

from vision.errors import ImageError
from vision.geometry import apply, fit_similarity, invert

SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.2]])


def turned(points: np.ndarray, degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(points @ matrix.T + shift)


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Equations 38 to 43 of the paper, by singular values, for one set of points."""
    x, y = source - source.mean(axis=0), target - target.mean(axis=0)
    left, values, right = np.linalg.svd(y.T @ x / len(x))
    signs = np.array([1, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    linear = (values * signs).sum() / x.var(axis=0).sum() * rotation
    return np.concatenate([linear, (target.mean(axis=0) - linear @ source.mean(axis=0))[:, None]], axis=1)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (30, 2), (-170, 0.01), (90, 400)])
def test_an_exact_similarity_is_found(degrees: float, scale: float) -> None:
    source = turned(SQUARE, degrees, scale, (300, -20))
    transform = fit_similarity(source[None], SQUARE)
    assert np.allclose(apply(transform, source[None])[0], SQUARE, atol=1e-9)
    assert np.allclose(apply(invert(transform), SQUARE[None])[0], source, atol=1e-9 * scale)


@pytest.mark.parametrize("seed", range(4))
def test_noisy_points_fit_as_umeyama_fits_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    target = random.uniform(0, 112, (5, 2))
    source = turned(target, random.uniform(-180, 180), random.uniform(0.2, 5), (10, 60))
    source += random.normal(0, 3, source.shape)
    assert np.allclose(fit_similarity(source[None], target)[0], umeyama(source, target), atol=1e-8)


def test_a_mirrored_shape_is_never_answered_with_a_mirror() -> None:
    mirrored = SQUARE * (-1, 1) + np.array([0, 0.3]) * SQUARE[:, :1]
    transform = fit_similarity(mirrored[None], SQUARE)[0]
    assert np.linalg.det(transform[:, :2]) > 0


def test_a_batch_is_its_members() -> None:
    sources = np.stack([turned(SQUARE, angle, 1 + angle / 10, (angle, 0)) for angle in range(6)])
    together = fit_similarity(sources, SQUARE)
    alone = [fit_similarity(source[None], SQUARE)[0] for source in sources]
    assert np.allclose(together, np.stack(alone))
    assert fit_similarity(np.empty((0, 5, 2)), SQUARE).shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        pytest.param(np.zeros((1, 5, 2)), "coincide", id="one point"),
        pytest.param(np.full((1, 5, 2), np.nan), "finite", id="NaN"),
        pytest.param(np.full((1, 5, 2), np.inf), "finite", id="infinite"),
        pytest.param(np.zeros((5, 2)), "must be", id="no batch"),
        pytest.param(np.zeros((1, 4, 2)), "must be", id="four points"),
    ],
)
def test_points_that_fit_nothing_are_refused(source: np.ndarray, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        fit_similarity(source, SQUARE)


def test_a_flat_transform_cannot_be_inverted() -> None:
    with pytest.raises(ImageError, match="flattens"):
        invert(np.zeros((1, 2, 3)))
