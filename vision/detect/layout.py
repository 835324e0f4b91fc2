"""What a model declares, held against what its family needs: refused in one line that names both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vision.errors import ModelError
from vision.runtime import InferenceSession, TensorInfo

Shape = tuple[int | None, ...]
"""One entry per axis; None where it may have any length."""


def misfit(family: str, expected: str, found: Iterable[TensorInfo]) -> ModelError:
    """The error that says what of a model does not fit its family.

    Args:
        family: for people, with what distinguishes this one: `YOLOX of 80 classes`.
        expected: what such a model has.
        found: the inputs or outputs this one has.
    """
    return ModelError(f"not a {family}: {expected} expected, found {described(found)}")


def described(tensors: Iterable[TensorInfo]) -> str:
    """Inputs or outputs as `name (axes)`, an axis of any length as `?`."""
    parts = [f"{info.name} ({', '.join(_axis(axis) for axis in info.shape)})" for info in tensors]
    return ", ".join(parts) or "none"


def picture_input(session: InferenceSession, family: str, size_wh: tuple[int, int]) -> TensorInfo:
    """The one input that takes a picture.

    Args:
        session: the model.
        family: for the message.
        size_wh: width and height it will be given, pixels; (0, 0) where that follows from the picture.

    Raises:
        ModelError: no such input, several, or one that takes other sizes or types.
    """
    pictures = [info for info in session.inputs if len(info.shape) == 4]
    if len(pictures) != 1 or pictures[0].shape[1] not in (3, None) or pictures[0].dtype != np.float32:
        raise misfit(family, "one picture (N, 3, H, W) float32 as input", session.inputs)
    picture = pictures[0]
    wanted = (size_wh[1] or None, size_wh[0] or None)
    fits = zip(picture.shape[2:], wanted, strict=True)
    if not all(has is None or wants is None or has == wants for has, wants in fits):
        raise misfit(
            f"{family} at {size_wh[0]}×{size_wh[1]}", f"input (N, 3, {wanted[0]}, {wanted[1]})", [picture]
        )
    return picture


def output_shapes(session: InferenceSession, picture: TensorInfo, size_wh: tuple[int, int]) -> list[Shape]:
    """Shapes of the outputs for one picture.

    Exporters leave axes open that are fixed all the same. Where one is, the model is run once on zeros:
    what it then gives is what it gives.

    Args:
        session: a model of one input.
        picture: that input.
        size_wh: width and height of a picture it takes, pixels.

    Raises:
        ModelError: it does not run on such a picture.
    """
    declared = [info.shape for info in session.outputs]
    if all(None not in shape[1:] and shape for shape in declared):
        return list(declared)
    zeros = np.zeros((1, 3, size_wh[1], size_wh[0]), np.float32)
    return [output.shape for output in session.run({picture.name: zeros})]


def as_infos(session: InferenceSession, shapes: Sequence[Shape]) -> list[TensorInfo]:
    """The outputs with shapes as `output_shapes` found them, for `misfit`."""
    outputs = zip(session.outputs, shapes, strict=True)
    return [TensorInfo(info.name, shape, info.dtype) for info, shape in outputs]


def _axis(length: int | None) -> str:
    return "?" if length is None else str(length)
