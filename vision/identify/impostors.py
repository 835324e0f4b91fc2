"""What strangers look like to an embedder: the upper tail of their similarities, and who they are.

Pairs of pictures are not independent: a million pairs come from a thousand people, two people who look
alike give as many high pairs as they have pictures, and some people resemble many ("wolves and lambs",
Doddington et al. 1998). A sample therefore keeps with each similarity which two pictures it is of and
how many pictures each person has. It holds no picture, template or name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.errors import GalleryError
from vision.types import Float32, Int64

KEPT_SHARE = 0.005
"""Of all pairs of pictures of different people: lists of more than a few people need no commoner ones."""

KEPT_PAIRS = (1_000, 100_000)
"""Never fewer where there are so many, and never more, however many people were measured."""

STRANGERS_RATE = 0.01
"""At which the similarity is kept that tells looks of one face from looks of two."""

_BLOCK_ROWS = 512
_BINS = 20_000
_TOP_SIMILARITY = 1.0 + 1e-4


@dataclass(frozen=True, slots=True, repr=False)
class ImpostorSample:
    """The most alike pairs of pictures of different people.

    Pictures are numbered person by person: the first `pictures[0]` are of person 0, and so on.

    Attributes:
        pictures: (P,) int64, pictures of each person, at least 1.
        first: (K,) int64, a picture.
        second: (K,) int64, a picture of somebody else.
        similarity: (K,) float32, their cosine, falling. No pair that was left out is more alike than the last.
        strangers_similarity: the cosine that one pair of people in a hundred reaches, on average over their
            pictures.
        complete: no pair was left out.

    Raises:
        GalleryError: fewer than two people, columns of different lengths, or values out of range.
    """

    pictures: Int64
    first: Int64
    second: Int64
    similarity: Float32
    strangers_similarity: float
    complete: bool = False

    def __post_init__(self) -> None:
        if self.pictures.ndim != 1 or len(self.pictures) < 2 or (self.pictures < 1).any():
            raise GalleryError("an impostor sample needs at least two people with at least one picture each")
        if not (self.first.shape == self.second.shape == self.similarity.shape) or self.first.ndim != 1:
            raise GalleryError("an impostor sample needs as many first and second pictures as similarities")
        if not len(self.similarity):
            raise GalleryError("an impostor sample needs at least one pair")
        ends = np.concatenate([self.first, self.second])
        if ends.min() < 0 or ends.max() >= self.picture_count:
            raise GalleryError("an impostor sample names a picture that is nobody's")
        if (self.person_of(self.first) == self.person_of(self.second)).any():
            raise GalleryError("an impostor sample holds a pair of pictures of one person")
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        if len(np.unique(low * self.picture_count + high)) < len(low):
            raise GalleryError("an impostor sample holds a pair of pictures twice")
        if not np.isfinite(self.similarity).all() or (np.abs(self.similarity) > _TOP_SIMILARITY).any():
            raise GalleryError("the similarities of an impostor sample must be cosines")
        if not abs(self.strangers_similarity) <= _TOP_SIMILARITY:
            raise GalleryError(
                f"the similarity of strangers must be a cosine, got {self.strangers_similarity}"
            )
        if (np.diff(self.similarity) > 0).any():
            raise GalleryError("the similarities of an impostor sample must fall")

    @classmethod
    def from_embeddings(
        cls,
        embeddings: Float32,
        identity: Int64,
        *,
        kept_share: float = KEPT_SHARE,
        kept_pairs: tuple[int, int] = KEPT_PAIRS,
    ) -> ImpostorSample:
        """Compares every picture with every picture of somebody else.

        Args:
            embeddings: (N, D) float32, rows of unit length.
            identity: (N,) int64, who is in each picture; any numbers.
            kept_share: of the pairs, how many of the most alike to keep, above 0, at most 1.
            kept_pairs: never fewer, where there are so many, and never more.

        Raises:
            GalleryError: fewer than two people, or rows and identities differ in number.
        """
        if embeddings.ndim != 2 or len(embeddings) != len(identity):
            raise GalleryError(f"{len(identity)} identities for embeddings of shape {embeddings.shape}")
        order = np.argsort(identity, kind="stable")
        rows = embeddings[order]
        pictures = np.unique(identity, return_counts=True)[1].astype(np.int64)
        person = np.repeat(np.arange(len(pictures)), pictures)
        pairs = (len(rows) ** 2 - int((pictures**2).sum())) // 2
        if not pairs:
            raise GalleryError("an impostor sample needs pictures of at least two people")
        fewest, most = kept_pairs
        keep = min(max(math.ceil(kept_share * pairs), fewest), most, pairs)
        first, second, similarity = _most_alike(rows, person, keep)
        common = _reached_by(rows, person, 1.0 / pictures[person], STRANGERS_RATE)
        return cls(pictures, first, second, similarity, common, complete=keep == pairs)

    @property
    def people(self) -> int:
        """Different people in it."""
        return len(self.pictures)

    @property
    def picture_count(self) -> int:
        """Pictures of all of them."""
        return int(self.pictures.sum())

    @property
    def picture_pairs(self) -> int:
        """Pairs of pictures of different people that were compared."""
        return (self.picture_count**2 - int((self.pictures**2).sum())) // 2

    @property
    def floor(self) -> float:
        """The least similarity at which every pair is known."""
        return -1.0 if self.complete else float(self.similarity[-1])

    def person_of(self, picture: Int64) -> Int64:
        """(…,) who is in each of these pictures."""
        return np.searchsorted(np.cumsum(self.pictures), picture, side="right").astype(np.int64)

    def __repr__(self) -> str:
        return f"ImpostorSample(people={self.people}, pictures={self.picture_count}, kept={len(self.similarity)})"


def _most_alike(rows: Float32, person: Int64, keep: int) -> tuple[Int64, Int64, Float32]:
    """The `keep` most alike pairs of different people, by falling similarity."""
    first = second = np.empty(0, np.int64)
    similarity = np.empty(0, np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS] @ rows[start:].T
        others = person[start : start + _BLOCK_ROWS, np.newaxis] < person[np.newaxis, start:]
        least = similarity[-1] if len(similarity) == keep else -np.inf
        a, b = np.nonzero(others & (block > least))
        first, second = np.concatenate([first, a + start]), np.concatenate([second, b + start])
        similarity = np.concatenate([similarity, block[a, b]])
        best = np.argsort(-similarity, kind="stable")[:keep]
        first, second, similarity = first[best], second[best], similarity[best]
    return first, second, np.clip(similarity, -1.0, 1.0)


def _reached_by(rows: Float32, person: Int64, weight: npt.NDArray[np.float64], share: float) -> float:
    """The similarity that this share of all pairs reaches, every pair of people counting once."""
    counts = np.zeros(_BINS)
    for start in range(0, len(rows), _BLOCK_ROWS):
        ends = slice(start, start + _BLOCK_ROWS)
        similarity = rows[ends] @ rows[start:].T
        weights = weight[ends, np.newaxis] * weight[np.newaxis, start:]
        others = person[ends, np.newaxis] < person[np.newaxis, start:]
        place = np.clip((similarity[others] + 1) * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
        counts += np.bincount(place, weights[others], _BINS)
    beyond = np.cumsum(counts[::-1])
    return float(1 - (int(np.searchsorted(beyond, share * beyond[-1])) + 1) * 2 / _BINS)
