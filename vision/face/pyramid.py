"""Maps of a feature pyramid: three strides, rows of cells from left to right and from top to bottom.

YuNet and SCRFD answer alike: per stride one tensor for each kind of value, (cells × anchors, values), with or
without a batch axis of one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vision.errors import ModelError
from vision.face.search import Floats
from vision.runtime import InferenceSession, Tensor

STRIDES_PX = (8, 16, 32)


def fixed_size_wh(session: InferenceSession, family: str) -> tuple[int, int] | None:
    """The one size a detector takes; None where any will do.

    Raises:
        ModelError: its input is not one float32 picture, channels first, batch one or free, or of a size that
            the coarsest stride does not divide.
    """
    shapes = [info.shape for info in session.inputs]
    if (
        len(shapes) != 1
        or len(shapes[0]) != 4
        or shapes[0][0] not in (1, None)
        or shapes[0][1] not in (3, None)
    ):
        raise ModelError(f"not {family}: it takes {shapes}, one picture (1, 3, height, width) expected")
    if session.inputs[0].dtype != np.float32:
        raise ModelError(f"not {family}: it takes {session.inputs[0].dtype}, float32 expected")
    height, width = shapes[0][2:]
    if (height is None) != (width is None):
        raise ModelError(f"not {family}: of height and width {shapes[0][2:]} only one is free")
    if not (width and height):
        return None
    if width % STRIDES_PX[-1] or height % STRIDES_PX[-1]:
        raise ModelError(
            f"not {family}: its size {(width, height)} is no multiple of {STRIDES_PX[-1]} pixels"
        )
    return width, height


def by_values(tensors: Sequence[Tensor]) -> Mapping[int, list[Tensor]]:
    """The tensors, batch axis gone, by their number of values a row; those of one number by falling rows."""
    found: dict[int, list[Tensor]] = {}
    for tensor in tensors:
        rows = tensor[0] if tensor.ndim == 3 else tensor
        found.setdefault(int(rows.shape[-1]), []).append(rows)
    return {values: sorted(rows, key=len, reverse=True) for values, rows in found.items()}


def cells(canvas_wh: tuple[int, int], stride_px: int, anchors: int = 1) -> Floats:
    """Where the cells of one stride begin.

    Args:
        canvas_wh: pixels.
        stride_px: side of a cell, pixels.
        anchors: rows in succession that share a cell.

    Returns:
        (cells × anchors, 2) x and y of each row's cell, in cells.
    """
    columns, rows = -(-canvas_wh[0] // stride_px), -(-canvas_wh[1] // stride_px)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    return np.repeat(grid.astype(np.float64), anchors, axis=0)
