"""Exact search of a watchlist: one matrix product, the best template of each subject counts.

Lawful lists are thousands of templates, where an approximate index would add misses and save nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vision.errors import GalleryError
from vision.memory import LockedMemory
from vision.types import Float32, Identification, Int64

_PICKED_ONE_BY_ONE = 16
"""Up to so many answers one pass for each is faster than grouping and sorting everybody."""

_UNIT_TOLERANCE = 1e-6
"""Squared length below which a row has no direction and cannot be compared."""


class Gallery:
    """Templates of listed people, ready to be searched. Immutable.

    Args:
        templates: (N, D) float32, one row per reference picture; scaled to unit length here. Of an array a copy
            is made. `LockedMemory` is searched where it lies and scaled in place, so that no copy is left
            elsewhere; its rows must lie in alphabetical order of their subjects.
        subject_ids: N names, whose row it is; a subject may have any number of rows, in any order.

    Raises:
        GalleryError: rows and names differ in number, a value is not finite, a row is all zero,
            a name is empty, or the rows of `LockedMemory` are out of order.
    """

    __slots__ = ("_bounds", "_first_rows", "_memory", "_subject_of", "_templates", "subjects")

    subjects: tuple[str, ...]
    """Each subject once, in alphabetical order."""

    def __init__(self, templates: npt.ArrayLike | LockedMemory, subject_ids: Sequence[str]) -> None:
        self._memory = templates if isinstance(templates, LockedMemory) else None  # kept for its array's sake
        if isinstance(templates, LockedMemory):
            rows = templates.array.view()
            _scale(rows, "gallery templates")
        else:
            rows = _unit_rows(templates, "gallery templates")
        if len(rows) != len(subject_ids):
            raise GalleryError(f"gallery has {len(rows)} templates and {len(subject_ids)} subject ids")
        if not all(subject_ids):
            raise GalleryError("a template of the gallery has an empty subject id")
        # Rows of one subject lie side by side, so that one `reduceat` finds each subject's best.
        order = sorted(range(len(subject_ids)), key=subject_ids.__getitem__)
        if self._memory is not None and order != list(range(len(order))):
            raise GalleryError("templates in locked memory must lie in alphabetical order of their subjects")
        names = [subject_ids[row] for row in order]
        first = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
        self.subjects = tuple(names[i] for i in first)
        self._first_rows: Int64 = np.array(first, np.int64)
        # Plain lists: one number out of a list costs a tenth of one out of an array.
        self._bounds = [*first, len(names)]
        self._subject_of = np.repeat(np.arange(len(first)), np.diff(self._bounds)).tolist()
        self._templates = rows if self._memory is not None or not order else rows[order]
        self._templates.flags.writeable = False

    @classmethod
    def empty(cls, dimension: int) -> Gallery:
        """A gallery of nobody, for embeddings of `dimension` numbers."""
        return cls(np.empty((0, dimension), np.float32), ())

    @property
    def template_count(self) -> int:
        """Templates held: how many comparisons one search makes."""
        return len(self._templates)

    @property
    def dimension(self) -> int:
        """Length of one template."""
        return int(self._templates.shape[1])

    @property
    def wiped(self) -> bool:
        """Whether its templates were overwritten; nobody resembles them any more."""
        return self._memory is not None and self._memory.wiped

    def __len__(self) -> int:
        return len(self.subjects)

    def __repr__(self) -> str:
        return f"Gallery(subjects={len(self)}, templates={self.template_count}, dimension={self.dimension})"

    def search(self, embeddings: npt.ArrayLike, limit: int = 5) -> list[Identification]:
        """Whom each embedding resembles, best first.

        Args:
            embeddings: (M, D) float32; scaled to unit length here.
            limit: subjects wanted per embedding, at least 1.

        Returns:
            M answers in the order of the rows; empty ones where the gallery is empty. Where its memory was
            overwritten, possibly meanwhile, every similarity is 0. Equal similarities come in alphabetical order of their subjects.

        Raises:
            GalleryError: another D than the gallery's, values that are not finite, a row that is
                all zero, or a `limit` below 1.
        """
        if limit < 1:
            raise GalleryError(f"limit must be at least 1, got {limit}")
        probes = _unit_rows(embeddings, "embeddings to search")
        if probes.shape[1] != self.dimension:
            raise GalleryError(
                f"embeddings have {probes.shape[1]} numbers, the gallery's templates {self.dimension}: "
                "they come from different models"
            )
        if not self.subjects:
            return [Identification((), ()) for _ in probes]
        products = probes @ self._templates.T
        probes.fill(0.0)  # a copy of somebody's face: the caller overwrites the original
        count = min(limit, len(self))
        if count <= _PICKED_ONE_BY_ONE:
            return [self._picked(row, count) for row in products]
        return [self._ranked(row, count) for row in np.maximum.reduceat(products, self._first_rows, axis=1)]

    def similarity_to(self, subject_id: str, embedding: npt.ArrayLike) -> float | None:
        """How much one embedding (D,) resembles one subject, as in `search`; None where it is not listed.

        Raises:
            GalleryError: as `search`.
        """
        place = bisect_left(self.subjects, subject_id)
        if place == len(self) or self.subjects[place] != subject_id:
            return None
        probe = _unit_rows(np.asarray(embedding)[np.newaxis], "an embedding to compare")
        own = self._templates[self._bounds[place] : self._bounds[place + 1]]
        if probe.shape[1] != self.dimension:
            raise GalleryError(f"an embedding has {probe.shape[1]} numbers, the templates {self.dimension}")
        similarity = float((own @ probe[0]).max())
        probe.fill(0.0)
        return similarity

    def _picked(self, similarities: Float32, count: int) -> Identification:
        """The best subjects by one pass over the products for each; overwrites the products (N,).

        Of equal products `argmax` names the first, and rows lie in alphabetical order of their subjects.
        """
        found, values = [], []
        for _ in range(count):
            row = int(similarities.argmax())
            subject = self._subject_of[row]
            found.append(self.subjects[subject])
            values.append(float(similarities[row]))
            similarities[self._bounds[subject] : self._bounds[subject + 1]] = -np.inf
        return Identification(tuple(found), tuple(values))

    def _ranked(self, similarities: Float32, count: int) -> Identification:
        """The best subjects by sorting all (S,) of them."""
        ranked = np.argsort(-similarities, kind="stable")[:count]
        return Identification(
            tuple(self.subjects[i] for i in ranked), tuple(float(similarities[i]) for i in ranked)
        )


def _unit_rows(values: npt.ArrayLike, what: str) -> Float32:
    """A copy of `values` (N, D) with every row of length 1."""
    rows = np.array(values, dtype=np.float32)
    _scale(rows, what)
    return rows


def _scale(rows: Float32, what: str) -> None:
    """Scales every row (N, D) to length 1, in place: no further copy of a face is left behind."""
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise GalleryError(f"{what} must have shape (N, D), got {rows.shape}")
    squared = np.einsum("nd,nd->n", rows, rows)
    if not np.isfinite(squared).all():  # one value that is not finite makes its row's square so
        raise GalleryError(f"{what} hold values that are not finite, or too large to be squared")
    if (squared < _UNIT_TOLERANCE).any():
        raise GalleryError(f"{what} hold a row that is all zero")
    rows /= np.sqrt(squared)[:, None]
