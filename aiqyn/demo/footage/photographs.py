"""Photographs from the weights cache, or from a folder that holds them by id."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from aiqyn.demo.footage.cast import Photograph
from aiqyn.demo.footage.errors import FootageError
from vision.images import IMAGE_SUFFIXES, read_image
from vision.types import Image
from weights.store import WeightStore

PictureSource: TypeAlias = WeightStore | Path
"""A store whose `pictures` have been pulled, or a folder with `<picture_id>.jpg` and the like."""


def load_photographs(source: PictureSource, photographs: Iterable[Photograph]) -> dict[str, Image]:
    """The photographs by picture id, (H, W, 3) uint8 BGR.

    Raises:
        FootageError: a folder lacks one.
        WeightsError: it was not pulled, or is not the one the catalogue names.
        ImageError: a file that is no picture.
    """
    return {photo.picture_id: read_image(_path(source, photo.picture_id)) for photo in photographs}


def _path(source: PictureSource, picture_id: str) -> Path:
    if isinstance(source, WeightStore):
        return source.path(picture_id)
    for path in sorted(source.glob(f"{picture_id}.*")):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return path
    raise FootageError(f"{source}: no picture called {picture_id}; run: aiqyn weights pull {picture_id}")
