"""Which detection belongs to which track: overlap, direction, and the best one-to-one pairing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from vision.track.kalman import Float64
from vision.types import Bool, Int64


def directions(start_xyxy: Float64, end_xyxy: Float64) -> Float64:
    """Unit vectors from the centres of some boxes to the centres of others.

    Args:
        start_xyxy: (K, 4) pixels.
        end_xyxy: (K, 4) pixels.

    Returns:
        (K, 2) float64; the null vector where the centres coincide.
    """
    shift = 0.5 * (end_xyxy[:, :2] + end_xyxy[:, 2:] - start_xyxy[:, :2] - start_xyxy[:, 2:])
    length = np.hypot(shift[:, 0], shift[:, 1])[:, np.newaxis]
    unit: Float64 = np.divide(shift, length, out=np.zeros_like(shift), where=length > 0.0)
    return unit


def direction_consistency(track_directions: Float64, reference_xyxy: Float64, xyxy: Float64) -> Float64:
    """How well going on to a box agrees with the direction a track has moved in, pair by pair.

    The angle term of OC-SORT's observation-centric momentum (Cao et al. 2023, section 4.2).

    Args:
        track_directions: (K, 2) unit vectors, null where a track has none yet.
        reference_xyxy: (K, 4) the observation each track's next direction is measured from.
        xyxy: (K, 4) the boxes it may go on to.

    Returns:
        (K,) float64: 0.5 for the same direction, −0.5 for the opposite, 0 where a track has none.
    """
    onward = directions(reference_xyxy, xyxy)
    cosine = (track_directions * onward).sum(axis=1)
    consistency: Float64 = 0.5 - np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi
    return consistency


def assign(score: npt.NDArray[np.floating[Any]], allowed: Bool) -> tuple[Int64, Int64]:
    """The one-to-one pairing of rows and columns with the largest sum of scores.

    Pairs that are not allowed are worth nothing to the sum, so that none of them can push an
    allowed pair aside.

    Args:
        score: (N, M), positive where allowed.
        allowed: (N, M).

    Returns:
        (rows, columns) of the pairs, each (K,) int64.
    """
    rows = np.flatnonzero(allowed.any(axis=1))
    columns = np.flatnonzero(allowed.any(axis=0))
    if not len(rows):
        return rows, columns
    open_pairs = allowed[np.ix_(rows, columns)]
    if open_pairs.shape[0] == open_pairs.shape[1] == np.count_nonzero(open_pairs):
        return rows, columns[np.argmax(open_pairs, axis=1)]  # nothing competes
    worth = np.where(open_pairs, score[np.ix_(rows, columns)], 0.0)
    left, right = linear_sum_assignment(worth, maximize=True)
    kept = open_pairs[left, right]
    return rows[left[kept]], columns[right[kept]]
