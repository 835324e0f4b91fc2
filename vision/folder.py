"""Image folders as sources: each picture a frame, in the order a person would count them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vision.errors import ImageError, SourceDecodeError, SourceOpenError
from vision.images import IMAGE_SUFFIXES, read_image
from vision.sources import FrameSource, Picture, SourceOptions
from vision.types import Frame, Image


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which `frame2` comes before `frame10`.

    >>> sorted(["b1", "a10", "a2"], key=natural_key)
    ['a2', 'a10', 'b1']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def list_images(folder: Path) -> list[Path]:
    """The pictures directly inside a folder, by suffix, in natural order; hidden files left out."""
    found = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    return sorted(found, key=lambda path: (natural_key(path.name), path.name))


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with one of these suffixes in a folder and its sub-folders, sorted by path.

    A link to a folder is a folder like any other, as where pictures are put together from several places; one
    that leads back into a folder it lies in is entered once. What cannot be listed is passed over.
    """
    found = []
    around = {folder: {folder.resolve(), *folder.resolve().parents}}
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place)
        above = around.pop(here)
        inside = {here / name: (here / name).resolve() for name in folders}
        folders[:] = [path.name for path, real in inside.items() if real not in above]
        around |= {here / name: above | {inside[here / name]} for name in folders}
        found += [path for name in names if (path := here / name).suffix.lower() in suffixes]
    return sorted(path for path in found if path.is_file())


@dataclass(frozen=True, slots=True, repr=False)
class _StillPicture:
    image: Image
    frame_index: int
    time_base: Fraction
    key_frame: bool = True
    still: bool = False

    @property
    def pts_seconds(self) -> float:
        return float(self.frame_index * self.time_base)

    def to_frame(self) -> Frame:
        return Frame(self.image, self.pts_seconds, self.frame_index, self.frame_index, self.time_base, True)


class FolderSource(FrameSource):
    """The pictures of one folder, or one picture file. A broken one is counted, noted and passed over.

    Time is the picture's place in the order over `folder_fps`; a broken picture keeps its place.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        """Lists the pictures; none is decoded yet.

        Raises:
            SourceOpenError: a folder that cannot be listed or holds no pictures; a rate not above zero.
        """
        super().__init__(str(path))
        if options.folder_fps <= 0:
            raise SourceOpenError(self.location, f"folder_fps must be above 0, got {options.folder_fps}")
        try:
            self._paths = list_images(path) if path.is_dir() else [path]
        except OSError as error:
            raise SourceOpenError(self.location, error.strerror or "cannot be listed") from error
        if not self._paths:
            raise SourceOpenError(self.location, "folder holds no pictures")
        self._options = options
        self._size_wh = (0, 0)

    @property
    def fps_nominal(self) -> float | None:
        """The rate the folder was said to stand for."""
        return float(self._options.folder_fps)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Of the picture read last; (0, 0) before the first."""
        return self._size_wh

    def close(self) -> None:
        """Nothing is held open."""

    def _pictures(self) -> Iterator[Picture]:
        time_base = 1 / self._options.folder_fps
        for index, path in enumerate(self._paths):
            try:
                image = read_image(path, max_pixels=self._options.max_pixels)
            except ImageError as error:
                self._lost(str(error))
                continue
            self.read_count += 1
            self._size_wh = (image.shape[1], image.shape[0])
            yield _StillPicture(image, index, time_base)
        if self.undecodable_count == self.read_count:
            reason = f"none of {self.read_count} pictures could be decoded; the first: {self.problems[0]}"
            raise SourceDecodeError(self.location, reason)
