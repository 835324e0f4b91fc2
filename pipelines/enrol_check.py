"""A folder of references held against itself and against who is on the list already, told in plain words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.enrol import Enrolment, PictureReport, Reference
from pipelines.read_face import Outcome
from pipelines.reference_check import check_references
from pipelines.reference_findings import Kind, ReferenceFinding, ReferenceLimits, ReferenceSet
from pipelines.same_picture import THUMBNAIL_PX, thumbnail
from vision.identify.calibration import Calibration
from vision.images import decode_image
from vision.types import Float32, Image

_OUTCOMES: dict[Kind, Outcome] = {
    "duplicate": "duplicate",
    "shared_picture": "shared_picture",
    "outlier": "outlier",
    "conflict": "conflict",
}


@dataclass(frozen=True, slots=True, repr=False)
class ListedReference:
    """A picture that is on the list already.

    Attributes:
        subject: what messages call the entry.
        picture: what messages call the picture.
        embedding: (D,) float32, of unit length, of the same recipe as the new ones.
        portrait: gives its JPEG; called only where a new picture looks alike.
    """

    subject: str
    picture: str
    embedding: Float32
    portrait: Callable[[], bytes]


@dataclass(frozen=True, slots=True, repr=False)
class ToldFinding:
    """A finding in words.

    Attributes:
        kind: what.
        subjects: entries it is about.
        pictures: their pictures; the two to look at first.
        similarity: what was measured.
        limit: what it was held against.
        message: one line that names them, what is wrong and what to do.
        portraits: JPEG of the two pictures to look at.
    """

    kind: Kind
    subjects: tuple[str, ...]
    pictures: tuple[str, ...]
    similarity: float
    limit: float
    message: str
    portraits: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"ToldFinding(kind={self.kind!r})"


@dataclass(frozen=True, slots=True, repr=False)
class CheckedEnrolment:
    """What is left of a folder after the check.

    Attributes:
        enrolment: accepted references, a report for every picture, and who is missing now.
        findings: everything found, in the order it matters.
        limits: what was held against; None where there was nothing to compare.
        pairs_not_told: further pairs of entries that will be confused.
    """

    enrolment: Enrolment
    findings: tuple[ToldFinding, ...]
    limits: ReferenceLimits | None
    pairs_not_told: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class ListCheck:
    """What a folder is held against.

    Attributes:
        calibration: of the embedder.
        false_alerts_per_1000_faces: the list's wanted rate.
        listed: who is on the list already.
        accepted: entries whose pictures somebody looked at and answers for.
    """

    calibration: Calibration
    false_alerts_per_1000_faces: float
    listed: Sequence[ListedReference] = ()
    accepted: Collection[str] = ()


def check_enrolment(enrolment: Enrolment, against: ListCheck) -> CheckedEnrolment:
    """Takes out of an enrolment what the check refuses, and says so picture by picture.

    Raises:
        GalleryError: a wanted rate out of range.
    """
    if not enrolment.references:
        return CheckedEnrolment(enrolment, (), None)
    new, listed = enrolment.references, against.listed
    subjects = tuple([one.subject_id for one in new] + [one.subject for one in listed])
    limits = ReferenceLimits.of(
        against.calibration,
        templates=len(subjects),
        subjects=len(set(subjects)),
        false_alerts_per_1000_faces=against.false_alerts_per_1000_faces,
    )
    references = _reference_set(enrolment, listed, subjects, limits)
    found = check_references(references, limits, against.accepted)
    portraits = _Portraits(enrolment, listed)
    told = tuple(_told(finding, portraits, against.accepted) for finding in found.findings)
    return CheckedEnrolment(
        _without_refused(enrolment, found.findings, told), told, limits, found.pairs_not_told
    )


def _reference_set(
    enrolment: Enrolment,
    listed: Sequence[ListedReference],
    subjects: tuple[str, ...],
    limits: ReferenceLimits,
) -> ReferenceSet:
    new = enrolment.references
    own = np.stack([one.embedding for one in new])
    embeddings = np.concatenate([own, *(one.embedding[None] for one in listed)])
    near = _near(own, embeddings[len(new) :], limits.lookalike_similarity)
    unseen: Image = np.zeros((THUMBNAIL_PX, THUMBNAIL_PX), np.uint8)
    thumbnails = [_thumbnail(one.portrait_jpeg) for one in new]
    thumbnails += [
        _thumbnail(one.portrait()) if is_near else unseen for one, is_near in zip(listed, near, strict=True)
    ]
    return ReferenceSet(
        subjects=subjects,
        embeddings=embeddings,
        thumbnails=np.stack(thumbnails),
        picture_sha256=tuple([one.picture_sha256 for one in new] + [""] * len(listed)),
        scores=tuple([_score(one) for one in new] + [1.0] * len(listed)),
        listed=tuple([False] * len(new) + [True] * len(listed)),
    )


def _near(new: Float32, listed: Float32, limit: float) -> list[bool]:
    """Which listed references some new one is as alike as `limit`; by blocks, so that memory is bounded."""
    best = np.full(len(listed), -1.0, np.float32)
    if len(listed):
        for start in range(0, len(new), 512):
            np.maximum(best, (listed @ new[start : start + 512].T).max(axis=1), out=best)
    return [bool(value) for value in best >= limit]


def _score(reference: Reference) -> float:
    """Of two copies the one without company is kept, then the clearly better one, then the one of more pixels."""
    company = 1.0 if reference.other_faces else 0.0
    return round(reference.quality.score, 1) - company + min(reference.quality.face_size_px, 1e4) * 1e-6


def _thumbnail(portrait_jpeg: bytes) -> Image:
    return thumbnail(decode_image(portrait_jpeg, name="portrait"))


class _Portraits:
    """Names and portraits of rows, new ones first."""

    def __init__(self, enrolment: Enrolment, listed: Sequence[ListedReference]) -> None:
        self._new = enrolment.references
        self._listed = listed

    def name(self, row: int) -> str:
        """What messages call the picture."""
        return self._new[row].name if row < len(self._new) else self._listed[row - len(self._new)].picture

    def jpeg(self, row: int) -> bytes:
        """The face, JPEG."""
        if row < len(self._new):
            return self._new[row].portrait_jpeg
        return self._listed[row - len(self._new)].portrait()


def _told(finding: ReferenceFinding, portraits: _Portraits, accepted: Collection[str]) -> ToldFinding:
    pictures = tuple(portraits.name(row) for row in finding.references)
    message = _message(finding, pictures)
    if finding.subjects[0] in accepted and finding.kind in ("outlier", "conflict"):
        message += "; accepted as asked"
    return ToldFinding(
        finding.kind,
        finding.subjects,
        pictures,
        finding.similarity,
        finding.limit,
        message,
        tuple(portraits.jpeg(row) for row in finding.references[:2]),
    )


def _message(finding: ReferenceFinding, pictures: tuple[str, ...]) -> str:
    """One line: which pictures, what is wrong, by what measure, what to do."""
    name, other = finding.subjects[0], finding.subjects[-1]
    first, second = pictures[:2]
    measured = f"similarity {finding.similarity:.2f}"
    strangers = f"strangers reach {finding.limit:.2f} once in a hundred"
    if finding.kind == "duplicate":
        return f"{first}: the same picture as {second}; kept once"
    if finding.kind == "shared_picture":
        return (
            f"{first} and {second} are the same photograph under two names, {name} and {other}; "
            "it is nobody's reference until that is settled"
        )
    if finding.kind == "outlier":
        like = f"; it looks like {other} ({second})" if other != name else ""
        return (
            f"{first}: hardly the person of {name}'s other pictures ({measured} to them together, {strangers}){like}; "
            f"take it away, or look and say --accept '{name}'"
        )
    if finding.kind == "conflict":
        return (
            f"{name}: {first} and {second} may not be of one person ({measured}, {strangers}), and no majority "
            f"says which; take the wrong one away, or look and say --accept '{name}'"
        )
    will = f"{name} and {other} will be confused: {measured} ({first}, {second}), this list's threshold is"
    if finding.kind == "same_person":
        return (
            f"{will} {finding.limit:.2f}; they are as alike as the pictures of one of them: "
            "one person under two names?"
        )
    return f"{will} {finding.limit:.2f}"


def _without_refused(
    enrolment: Enrolment, findings: Sequence[ReferenceFinding], told: Sequence[ToldFinding]
) -> Enrolment:
    """The enrolment without refused references; the first reason a picture was refused for is its report's."""
    refused: dict[int, tuple[Outcome, str]] = {}
    for finding, words in zip(findings, told, strict=True):
        for row in finding.refused:
            refused.setdefault(row, (_OUTCOMES[finding.kind], words.message))
    kept = tuple(one for row, one in enumerate(enrolment.references) if row not in refused)
    wanted = {one.subject_id for one in enrolment.references} | set(enrolment.missing)
    missing = tuple(sorted(wanted - {one.subject_id for one in kept}))
    rows = iter(range(len(enrolment.references)))
    reports = tuple(
        _refused(report, refused.get(next(rows))) if report.outcome == "ok" else report
        for report in enrolment.reports
    )
    return Enrolment(kept, reports, missing)


def _refused(report: PictureReport, reason: tuple[Outcome, str] | None) -> PictureReport:
    if reason is None:
        return report
    return replace(report, outcome=reason[0], message=reason[1], notes=())
