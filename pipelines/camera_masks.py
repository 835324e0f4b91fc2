"""The masks one camera goes by in the process that matches, as they change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.live.camera_slot import Masks
from vision.masks import Masks as Raster
from vision.polygons import Polygon
from vision.types import Frame


class MasksInForce:
    """What holds now on one camera's pictures.

    Args:
        held: which masks hold now; asked for every picture.
        burns: whether pictures come here with their privacy masks still to be burnt in: where this process
            itself decodes them.
    """

    def __init__(self, held: Callable[[], Masks], *, burns: bool) -> None:
        self._held = held
        self._burns = burns
        self._privacy = Raster(())

    def detection(self) -> tuple[Polygon, ...]:
        """Where nothing is looked for."""
        return self._held().detection

    def hide(self, frame: Frame) -> Frame:
        """The frame as it may be seen."""
        if not self._burns:
            return frame
        privacy = self._held().privacy
        if privacy != self._privacy.polygons:
            self._privacy = Raster(privacy)
        if not privacy:
            return frame
        image = frame.image if frame.image.flags.writeable else frame.image.copy()
        self._privacy.burn(image)
        return replace(frame, image=image)
