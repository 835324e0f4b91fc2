"""Many looks at one face → one decision, and proof that the looks are of one face.

A look is one embedding of one picture. Frame by frame, a blurred or turned picture of a stranger
now and then resembles somebody; the mean of several looks does so far more rarely. A track is
decided at the first sufficient evidence; what later looks say of the same subject is told with every
look, for whoever revises or withdraws. Who decides in the end is a person.

Templates of people on the street live in here and nowhere else: `forget` overwrites them, nothing
prints, copies or pickles them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from vision.errors import GalleryError, ImageError
from vision.identify.calibration import OperatingPoint
from vision.identify.gallery import Gallery
from vision.types import Identification


@dataclass(frozen=True, slots=True)
class FusionOptions:
    """How looks become decisions.

    Attributes:
        min_looks: looks a decision at the normal threshold rests on.
        disagreement_similarity: a look less similar than this to the track's own template is of
            somebody else, if a second one confirms it. A cosine, of the embedder in use.
        alternatives: other subjects a decision names.
    """

    min_looks: int
    disagreement_similarity: float
    alternatives: int = 5

    def __post_init__(self) -> None:
        if self.min_looks < 2:
            raise ValueError(f"min_looks must be at least 2, got {self.min_looks}: one look is no fusion")
        if self.alternatives < 0:
            raise ValueError(f"alternatives must not be negative, got {self.alternatives}")


@dataclass(frozen=True, slots=True)
class Decision:
    """A track resembles a subject enough for two people to look at it.

    Attributes:
        subject_id: whom.
        similarity: cosine of the fused template, or of the one look, to the subject's best.
        threshold: what it had to reach.
        single_look: whether one look decided alone, at the stricter threshold.
        frames_fused: looks it rests on.
        alternatives: the next subjects and their similarities, best first.
    """

    subject_id: str
    similarity: float
    threshold: float
    single_look: bool
    frames_fused: int
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class FusionStep:
    """What one look did to its track.

    Attributes:
        decision: a subject this track had not been decided for before; None mostly.
        standing: of each subject decided before, what the fused template says of it now, whether it still
            suffices or not; empty where the look is not part of the template, or too few looks are.
        fused: whether the look is part of the template; False where it was set aside.
        split: the track's looks until now are of another face: they are forgotten, and the track
            goes on with this look and the one set aside before it.
    """

    decision: Decision | None = None
    standing: tuple[Decision, ...] = ()
    fused: bool = True
    split: bool = False


class TrackFusion:
    """The looks at one face track, as one quality-weighted mean. One instance per track.

    Args:
        options: how looks become decisions.
    """

    __slots__ = ("_aside", "_aside_weight", "_decided", "_identification", "_looks", "_options", "_sum")

    def __init__(self, options: FusionOptions) -> None:
        self._options = options
        self._sum: npt.NDArray[np.float64] | None = None
        self._aside: npt.NDArray[np.float64] | None = None
        self._aside_weight = 0.0
        self._looks = 0
        self._decided: set[str] = set()
        self._identification = Identification((), ())

    @property
    def frames_fused(self) -> int:
        """Looks in the template now."""
        return self._looks

    @property
    def identification(self) -> Identification:
        """Whom the fused template resembled at the last look, decided or not; names, no template."""
        return self._identification

    def agrees(self, embedding: npt.ArrayLike) -> bool:
        """Whether a look is of the face seen so far, as well as its template can tell; False without one.

        Raises:
            ImageError: an embedding that is not finite or has no direction.
        """
        look = _direction(embedding)
        agrees = self._sum is not None and len(look) == len(self._sum) and not self._disagrees(look)
        look.fill(0.0)
        return agrees

    def withdraw(self, subject_id: str) -> None:
        """Takes a decision back: the subject may be decided for again, should looks to come suffice."""
        self._decided.discard(subject_id)

    def add(
        self, embedding: npt.ArrayLike, weight: float, gallery: Gallery, point: OperatingPoint
    ) -> FusionStep:
        """Takes one good look in and says what follows from it.

        Args:
            embedding: (D,) one look; need not be of unit length.
            weight: its quality, above 0; only ratios matter.
            gallery: whom to compare with; may be empty.
            point: the thresholds for that gallery.

        Returns:
            At most one decision: for the most similar subject, the first time it suffices.

        Raises:
            ImageError: an embedding that is not finite or has no direction, or a weight not above 0.
            GalleryError: an embedding of another length than the gallery's templates.
        """
        look = _direction(embedding)
        try:
            self._check(look, weight, gallery)
            return self._take(look, weight, gallery, point)
        finally:
            if look is not self._aside:
                look.fill(0.0)

    def _check(self, look: npt.NDArray[np.float64], weight: float, gallery: Gallery) -> None:
        if not (math.isfinite(weight) and weight > 0):
            raise ImageError(f"the weight of a look must be above 0 and finite, got {weight}")
        if len(look) != gallery.dimension:
            raise GalleryError(
                f"a look has {len(look)} numbers, the gallery's templates {gallery.dimension}: "
                "they come from different models"
            )

    def _take(
        self, look: npt.NDArray[np.float64], weight: float, gallery: Gallery, point: OperatingPoint
    ) -> FusionStep:
        split = False
        if self._disagrees(look):
            if not self._confirms_other_face(look):
                self._set_aside(look, weight)
                return FusionStep(fused=False)
            self._restart_from_aside()
            split = True
        self._drop_aside()
        self._fuse(look, weight)
        before = sorted(self._decided)
        decision = self._decide(look, gallery, point)
        return FusionStep(decision, self._standing(before, gallery, point), split=split)

    def forget_answers(self) -> None:
        """Drops whom the track resembled: the list it was compared with is no longer in force."""
        self._identification = Identification((), ())

    def forget(self) -> None:
        """Overwrites and drops every template; the instance is as new."""
        for array in (self._sum, self._aside):
            if array is not None:
                array.fill(0.0)
        self._sum = self._aside = None
        self._looks = 0
        self._decided.clear()
        self.forget_answers()

    def __repr__(self) -> str:
        return f"TrackFusion(looks={self._looks})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the template of a track never leaves the process that made it")

    def _disagrees(self, look: npt.NDArray[np.float64]) -> bool:
        if self._sum is None:
            return False
        own = float(look @ self._sum) / float(np.linalg.norm(self._sum))
        return own < self._options.disagreement_similarity

    def _confirms_other_face(self, look: npt.NDArray[np.float64]) -> bool:
        """Two looks in a row far from the track and near each other are somebody else's."""
        return self._aside is not None and float(look @ self._aside) >= self._options.disagreement_similarity

    def _set_aside(self, look: npt.NDArray[np.float64], weight: float) -> None:
        self._drop_aside()
        self._aside, self._aside_weight = look, weight

    def _drop_aside(self) -> None:
        if self._aside is not None:
            self._aside.fill(0.0)
        self._aside = None

    def _restart_from_aside(self) -> None:
        if self._aside is None:
            return
        kept, weight, self._aside = self._aside, self._aside_weight, None
        self.forget()
        self._fuse(kept, weight)
        kept.fill(0.0)

    def _fuse(self, look: npt.NDArray[np.float64], weight: float) -> None:
        if self._sum is None:
            self._sum = np.zeros_like(look)
        # In place, there and back: a product of its own would be a copy of a face that nobody overwrites.
        look *= weight
        self._sum += look
        look /= weight
        self._looks += 1

    def _decide(
        self, look: npt.NDArray[np.float64], gallery: Gallery, point: OperatingPoint
    ) -> Decision | None:
        if self._sum is None or not len(gallery):
            return None
        limit = self._options.alternatives + 1
        (self._identification,) = gallery.search(self._sum[np.newaxis], limit)
        if self._looks >= self._options.min_looks:
            # From here on all looks together say more than any one: an odd one decides nothing by itself.
            return self._judge(self._identification, point.threshold, single_look=False)
        if point.single_look_threshold is None:
            return None
        (alone,) = gallery.search(look[np.newaxis], limit)
        return self._judge(alone, point.single_look_threshold, single_look=True)

    def _standing(
        self, subject_ids: list[str], gallery: Gallery, point: OperatingPoint
    ) -> tuple[Decision, ...]:
        """What the fused template says of subjects decided before; those that left the list are left out."""
        if self._sum is None or self._looks < self._options.min_looks:
            return ()
        found = self._identification
        ranked = dict(zip(found.subject_ids, found.similarities, strict=True))
        standing = []
        for subject_id in subject_ids:
            similarity = ranked.get(subject_id)
            if similarity is None:
                similarity = gallery.similarity_to(subject_id, self._sum)
            if similarity is not None:
                others = tuple((name, value) for name, value in ranked.items() if name != subject_id)
                standing.append(
                    Decision(
                        subject_id=subject_id,
                        similarity=similarity,
                        threshold=point.threshold,
                        single_look=False,
                        frames_fused=self._looks,
                        alternatives=others[: self._options.alternatives],
                    )
                )
        return tuple(standing)

    def _judge(self, answer: Identification, threshold: float, *, single_look: bool) -> Decision | None:
        subject_id, similarity = answer.subject_ids[0], answer.similarities[0]
        if similarity < threshold or subject_id in self._decided:
            return None
        self._decided.add(subject_id)
        others = tuple(zip(answer.subject_ids[1:], answer.similarities[1:], strict=True))
        return Decision(
            subject_id=subject_id,
            similarity=similarity,
            threshold=threshold,
            single_look=single_look,
            frames_fused=1 if single_look else self._looks,
            alternatives=others,
        )


def _direction(embedding: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A copy of `embedding` (D,) with length 1."""
    vector = np.array(embedding, dtype=np.float64)
    if vector.ndim != 1:
        raise ImageError(f"a look must have shape (D,), got {vector.shape}")
    length = float(np.linalg.norm(vector))
    if not (math.isfinite(length) and length > 0):
        raise ImageError("a look holds values that are not finite, or is all zero")
    vector /= length
    return vector
