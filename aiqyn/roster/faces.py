"""What the pictures of all rows are to each other and to who is on the list, told row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiqyn.roster.journal import Result
from aiqyn.roster.pictures import FoundPicture
from aiqyn.roster.problems import Problem
from api.list_imports import ImportedFinding
from pipelines.enrol import Enrolment, PictureReport, Reference
from pipelines.enrol_check import ListCheck, ToldFinding, check_enrolment

_REFUSALS = {"not_a_picture": "not_a_picture", "broken": "image_broken", "failed": "image_failed"}
"""Codes of what a reader refuses, where they have another name here."""

_FINDINGS = {
    "shared_picture": "same_picture_twice",
    "duplicate": "duplicate_picture",
    "outlier": "outlier",
    "conflict": "conflict",
    "look_alike": "look_alike",
    "same_person": "same_person",
}
_OF_ONE_ROW = frozenset({"duplicate", "outlier", "conflict"})
_NOTES = {"too_small": "face_too_small", "other_faces": "other_faces"}


@dataclass(frozen=True, slots=True, repr=False)
class CheckedPictures:
    """What became of all pictures.

    Attributes:
        problems: row by row.
        references: by row, with the outcome of each: `ok`, or why it is none of the references.
        findings: by row, with row numbers in the place of entries.
        pairs_not_told: further pairs of entries that will be confused.
    """

    problems: tuple[Problem, ...]
    references: dict[int, list[tuple[Reference, str]]]
    findings: dict[int, list[ImportedFinding]]
    pairs_not_told: int


def check_pictures(
    pictures: Sequence[FoundPicture], results: Mapping[str, Result], against: ListCheck
) -> CheckedPictures:
    """Holds the pictures of all rows against each other and against the list.

    Args:
        pictures: files that were found, row by row.
        results: by the hash of each.
        against: the list; its references go by subject id.
    """
    problems: list[Problem] = []
    references: list[Reference] = []
    reports: list[PictureReport] = []
    for picture in pictures:
        result = results[picture.sha256]
        if isinstance(result, str):
            code = _REFUSALS.get(result, result)
            problems.append(Problem(picture.row, "images", code, picture.name[:80]))
            continue
        references.append(replace(result, subject_id=_label(picture.row), name=picture.name))
        reports.append(PictureReport(Path(picture.name), _label(picture.row), "ok"))
        problems += _notes(picture, result)
    checked = check_enrolment(Enrolment(tuple(references), tuple(reports), ()), against)
    kept: dict[int, list[tuple[Reference, str]]] = {}
    for reference, report in zip(references, checked.enrolment.reports, strict=True):
        kept.setdefault(_number(reference.subject_id) or 0, []).append((reference, report.outcome))
    findings: dict[int, list[ImportedFinding]] = {}
    for finding in checked.findings:
        problems += _told(finding)
        for number in filter(None, map(_number, finding.subjects)):
            findings.setdefault(number, []).append(_imported(finding))
    return CheckedPictures(tuple(problems), kept, findings, checked.pairs_not_told)


def _label(row: int) -> str:
    return f"row {row}"


def _number(subject: str) -> int | None:
    """The row a subject of the check stands for; None for who is listed or asked for."""
    return int(subject.removeprefix("row ")) if subject.startswith("row ") else None


def _notes(picture: FoundPicture, reference: Reference) -> Iterator[Problem]:
    for code in dict.fromkeys(_NOTES.get(note, "low_quality") for note in reference.notes):
        yield Problem(picture.row, "images", code, picture.name[:80])


def _told(finding: ToldFinding) -> Iterator[Problem]:
    """A finding at every row it is about."""
    code = _FINDINGS[finding.kind]
    measured = f"similarity {finding.similarity:.2f}, limit {finding.limit:.2f}"
    subjects = finding.subjects[:1] if finding.kind in _OF_ONE_ROW else finding.subjects
    for subject in subjects:
        number = _number(subject)
        if number is None:
            continue
        others = [other for other in finding.subjects if other != subject]
        beside = f" and {_called(others[0])}" if others else ""
        yield Problem(number, "images", code, f"{', '.join(finding.pictures[:2])[:160]}{beside}: {measured}")


def _called(subject: str) -> str:
    return subject if _number(subject) is not None else "an entry of the list"


def _imported(finding: ToldFinding) -> ImportedFinding:
    entries = tuple(subject if (row := _number(subject)) is None else row for subject in finding.subjects)
    return ImportedFinding(finding.kind, entries, finding.similarity, finding.limit)
