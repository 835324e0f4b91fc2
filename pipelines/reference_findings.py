"""What the check of a list's references takes and gives: references, limits, findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.same_picture import SAME_PICTURE_CORRELATION, THUMBNAIL_PX
from vision.errors import GalleryError
from vision.identify.calibration import Calibration
from vision.types import Float32, Image

Kind = Literal["outlier", "conflict", "duplicate", "shared_picture", "same_person", "look_alike"]
"""outlier: hardly the person the entry's other pictures show. conflict: an entry's pictures are hardly of one
person and no majority says of whom. duplicate: a copy of another picture of the entry. shared_picture: one
photograph under two names. same_person: two entries as alike as the pictures of one of them. look_alike: two
entries that will be confused."""

KINDS: tuple[Kind, ...] = (
    "shared_picture",
    "duplicate",
    "outlier",
    "conflict",
    "same_person",
    "look_alike",
)

MAX_PAIR_FINDINGS = 1000
"""Pairs of entries told one by one; a list with more of them has another problem than each of these."""


@dataclass(frozen=True, slots=True)
class ReferenceLimits:
    """Similarities from which on, or below which, something is found.

    Attributes:
        disagreement_similarity: pictures less alike than this are hardly of one person.
        lookalike_similarity: entries as alike as this are taken for each other: the threshold the list will be
            searched with.
        same_picture_correlation: pictures whose fine structure agrees so far are one photograph.
    """

    disagreement_similarity: float
    lookalike_similarity: float
    same_picture_correlation: float = SAME_PICTURE_CORRELATION

    @classmethod
    def of(
        cls, calibration: Calibration, *, templates: int, subjects: int, false_alerts_per_1000_faces: float
    ) -> ReferenceLimits:
        """The limits for a list of this size, as its searches will use them.

        Args:
            calibration: of the embedder the references were made with.
            templates: references on the list, those already there included.
            subjects: entries they belong to.
            false_alerts_per_1000_faces: the list's wanted rate.

        Raises:
            GalleryError: as `Calibration.operating_point`.
        """
        point = calibration.operating_point(
            gallery_templates=templates,
            gallery_subjects=subjects,
            false_alerts_per_1000_faces=false_alerts_per_1000_faces,
        )
        return cls(calibration.disagreement_similarity, point.threshold)


@dataclass(frozen=True, slots=True, repr=False)
class ReferenceSet:
    """References of one list, in any order; `repr` shows numbers only.

    Attributes:
        subjects: (N) whose each is.
        embeddings: (N, D) float32, rows of unit length.
        thumbnails: (N, 64, 64) uint8 as `pipelines.same_picture.thumbnail`; all zero where a picture is not
            compared.
        picture_sha256: (N) of the files; empty where unknown.
        scores: (N) how good each is, the higher the better: of copies the best is kept.
        listed: (N) whether it is on the list already: it is compared, and never refused.
    """

    subjects: tuple[str, ...]
    embeddings: Float32
    thumbnails: Image
    picture_sha256: tuple[str, ...]
    scores: tuple[float, ...]
    listed: tuple[bool, ...]

    def __post_init__(self) -> None:
        count = len(self.subjects)
        lengths = [
            len(part)
            for part in (self.embeddings, self.thumbnails, self.picture_sha256, self.scores, self.listed)
        ]
        if any(length != count for length in lengths):
            raise GalleryError(f"{count} references need as many of everything, got {lengths}")
        if self.embeddings.ndim != 2 or not np.isfinite(self.embeddings).all():
            raise GalleryError(f"embeddings must be (N, D) and finite, got shape {self.embeddings.shape}")
        if self.thumbnails.shape[1:] != (THUMBNAIL_PX, THUMBNAIL_PX):
            raise GalleryError(f"thumbnails must be (N, 64, 64), got {self.thumbnails.shape}")
        if not all(self.subjects):
            raise GalleryError("a reference has an empty subject")

    def __len__(self) -> int:
        return len(self.subjects)

    def __repr__(self) -> str:
        return f"ReferenceSet(references={len(self)}, subjects={len(set(self.subjects))})"


@dataclass(frozen=True, slots=True)
class ReferenceFinding:
    """One thing found.

    Attributes:
        kind: what.
        references: rows it is about, as `ReferenceSet` counts them; the first two are what to look at.
        subjects: entries it is about; the second of an outlier is whom it resembles, where it does.
        similarity: what was measured: a cosine; of copies, the correlation of the pictures.
        limit: what it was held against.
        refused: rows that are no references for it.
    """

    kind: Kind
    references: tuple[int, ...]
    subjects: tuple[str, ...]
    similarity: float
    limit: float
    refused: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceCheck:
    """Everything found.

    Attributes:
        findings: in the order of `KINDS`, then of the references; pairs of entries the most alike first.
        limits: what was held against.
        pairs_not_told: pairs of entries beyond `MAX_PAIR_FINDINGS`.
    """

    findings: tuple[ReferenceFinding, ...]
    limits: ReferenceLimits
    pairs_not_told: int = 0

    @property
    def refused(self) -> frozenset[int]:
        """Rows that are no references."""
        return frozenset(row for finding in self.findings for row in finding.refused)
