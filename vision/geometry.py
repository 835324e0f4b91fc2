"""Similarity transforms of the plane: fitted to points, applied, inverted; many at a time."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vision.errors import ImageError

Points: TypeAlias = npt.NDArray[np.floating[Any]]
"""Shape (N, K, 2), x and y in pixels."""

Float64: TypeAlias = npt.NDArray[np.float64]


def fit_similarity(source: Points, target: Points) -> Float64:
    """The rotation, uniform scale and shift that bring points closest to others, by least squares.

    This is the problem S. Umeyama solves for any dimension (IEEE TPAMI 13(4), 1991, eqs. 40–43). In the
    plane the solution is a single complex quotient: with centred points as complex numbers, the factor
    a = Σ conj(z)·w / Σ |z|² minimises Σ |a·z − w|², and no a is ever a reflection.

    Args:
        source: (N, K, 2), K at least 2.
        target: (K, 2), or (N, K, 2).

    Returns:
        (N, 2, 3) float64, each mapping a column (x, y, 1) of source onto target.

    Raises:
        ImageError: other shapes, values that are not finite, or points that all coincide or are so
            placed that only a shrinking to one point fits.
    """
    source = np.asarray(source, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    if source.ndim != 3 or source.shape[1:] != target.shape[-2:] or source.shape[1] < 2:
        raise ImageError(f"points must be (N, K, 2) onto (K, 2), got {source.shape} onto {target.shape}")
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ImageError("points to be aligned hold values that are not finite")
    source_mean = source.mean(axis=1)
    target_mean = np.broadcast_to(target.mean(axis=-2), source_mean.shape)
    z = _complex(source - source_mean[:, None])
    w = _complex(target - target_mean[..., None, :])
    spread = (np.abs(z) ** 2).sum(axis=1)
    factor = np.divide(
        (z.conj() * w).sum(axis=1), spread, out=np.zeros_like(spread, complex), where=spread > 0
    )
    if (np.abs(factor) < 1e-9).any():
        raise ImageError("points to be aligned coincide: no similarity fits them")
    transform = np.empty((len(source), 2, 3))
    transform[:, 0, 0] = transform[:, 1, 1] = factor.real
    transform[:, 1, 0] = factor.imag
    transform[:, 0, 1] = -factor.imag
    transform[:, :, 2] = target_mean - np.einsum("nij,nj->ni", transform[:, :, :2], source_mean)
    return transform


def apply(transform: Float64, points: Points) -> Float64:
    """Points after the transform.

    Args:
        transform: (N, 2, 3).
        points: (N, K, 2).

    Returns:
        (N, K, 2) float64.
    """
    moved = np.einsum("nij,nkj->nki", transform[:, :, :2], points) + transform[:, None, :, 2]
    return np.asarray(moved, dtype=np.float64)


def invert(transform: Float64) -> Float64:
    """The transforms that undo the given ones.

    Args:
        transform: (N, 2, 3), each with a linear part that is not singular.

    Returns:
        (N, 2, 3) float64.

    Raises:
        ImageError: a linear part that is singular.
    """
    try:
        linear = np.linalg.inv(transform[:, :, :2])
    except np.linalg.LinAlgError as error:
        raise ImageError("a transform that flattens the plane cannot be inverted") from error
    shift = -np.einsum("nij,nj->ni", linear, transform[:, :, 2])
    return np.concatenate([linear, shift[:, :, None]], axis=2)


def _complex(points: Float64) -> npt.NDArray[np.complex128]:
    return np.asarray(points[..., 0] + 1j * points[..., 1])
