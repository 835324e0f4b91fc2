"""Which pictures of a source are sealed already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from pipelines.events import EvidenceItem
from pipelines.findings import BestLook, Xyxy

SEALED_LOOKS_KEPT = 16


class SealedLooks:
    """Pictures of one source that are sealed already, so that a revision does not store them again.

    Holds references and hashes, no picture, and no more than the latest few.
    """

    def __init__(self) -> None:
        self._items: OrderedDict[tuple[int, Xyxy, bool], tuple[EvidenceItem, ...]] = OrderedDict()

    def items(
        self, look: BestLook, seal: Callable[[BestLook], tuple[EvidenceItem, ...]], *, whole: bool
    ) -> tuple[EvidenceItem, ...]:
        """The sealed pictures of a look, sealed now where they were not.

        Args:
            look: the look.
            seal: stores its pictures.
            whole: whether the frame belongs to them, or the face alone.
        """
        key = (look.frame_index, look.xyxy, whole)
        if key not in self._items:
            self._items[key] = seal(look)
        self._items.move_to_end(key)
        while len(self._items) > SEALED_LOOKS_KEPT:
            self._items.popitem(last=False)
        return self._items[key]
