"""How an enrolment is told: a bar while it runs, lines and a document afterwards, a sheet of pictures to look at."""

from __future__ import annotations

import base64
import html
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from aiqyn.enrolment import CheckedList, Enrolled
    from aiqyn.re_enrolment import RefreshedList
    from pipelines.enrol import PictureReport
    from pipelines.enrol_check import CheckedEnrolment, ToldFinding

NOTES = {
    "too_small": "the face is small",
    "blurred": "the face is blurred",
    "profile": "the face is turned away",
    "dark": "the face is dark",
    "overexposed": "the face is burnt out",
    "flat": "the face has hardly any contrast",
    "occluded": "something may cover the face",
    "low_confidence": "hardly taken for a face",
    "other_faces": "somebody else is in the picture, clearly smaller; the middle one was taken",
}
"""What is not so good about an accepted picture, in words."""

_SHEET = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1c1f24 }}
section {{ border-top: 1px solid #ccd; padding: 1rem 0 }}
figure {{ display: inline-block; margin: 0 1rem 0 0; width: 200px; vertical-align: top }}
img {{ width: 200px; height: 200px; border-radius: 4px }}
figcaption, td {{ font-size: 13px; overflow-wrap: anywhere }}
td {{ padding: .15rem 1rem .15rem 0; vertical-align: top }}
h2 {{ font-size: 1rem; margin: 0 0 .5rem }}
</style>
<h1>{title}</h1>
<p>{summary}</p>
{findings}
<section><h2>Pictures</h2><table>{pictures}</table></section>
</html>
"""

_HEADINGS = {
    "shared_picture": "One photograph under two names",
    "duplicate": "The same picture twice",
    "outlier": "Hardly the same person",
    "conflict": "May not be one person",
    "same_person": "One person under two names?",
    "look_alike": "These two entries will be confused",
}


class EnrolBars:
    """A bar on a terminal, nothing elsewhere; on standard error. It shows numbers, no subject."""

    def __init__(self, what: str, total: int) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Progress(*columns, console=self._console, transient=True)
        self._total = total
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
            self._task = self._bars.add_task("", total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bars.stop()

    def step(self, _: object) -> None:
        """One more is done."""
        if self._task is not None:
            self._bars.advance(self._task)


def picture_line(report: PictureReport) -> str:
    """One picture in plain words."""
    if report.outcome == "ok":
        notes = "".join(f"; {NOTES.get(note, note)}" for note in report.notes)
        return f"{report.path}: taken{notes}"
    return report.message


def check_document(checked: CheckedList) -> dict[str, Any]:
    """The check's part of the command's document."""
    found = checked.checked
    limits = found.limits
    return {
        "already_listed": sorted(checked.already_listed),
        "missing": list(found.enrolment.missing),
        "refused": [_refused(report) for report in found.enrolment.refused],
        "pictures": [
            {
                "path": str(report.path),
                "subject": report.subject_id,
                "outcome": report.outcome,
                "notes": list(report.notes),
                "message": report.message,
            }
            for report in found.enrolment.reports
        ],
        "findings": [_finding(finding) for finding in found.findings],
        "pairs_not_told": found.pairs_not_told,
        "not_compared": checked.not_compared,
        "limits": None
        if limits is None
        else {
            "disagreement_similarity": limits.disagreement_similarity,
            "lookalike_similarity": limits.lookalike_similarity,
            "same_picture_correlation": limits.same_picture_correlation,
        },
    }


def enrolled_document(done: Enrolled | None) -> dict[str, Any]:
    """What was added; nothing in a dry run."""
    return {
        "dry_run": done is None,
        "watchlist_id": done.watchlist_id if done else None,
        "deployment_id": done.deployment_id if done else None,
        "gallery_version": done.gallery_version if done else None,
        "subjects": done.subject_ids if done else {},
    }


def refreshed_document(lists: list[RefreshedList]) -> dict[str, Any]:
    """What a refresh did, list by list."""
    return {
        "refreshed": [
            {
                "watchlist_id": one.watchlist_id,
                "name": one.name,
                "templates_made": one.made,
                "failed": list(one.failed),
                "gallery_versions": one.gallery_versions,
            }
            for one in lists
        ]
    }


def write_sheet(path: Path, checked: CheckedEnrolment, title: str) -> None:
    """A page with the two pictures of each finding side by side; it holds faces and names, so mode 0600.

    Raises:
        OSError: the file cannot be written.
    """
    taken = len(checked.enrolment.references)
    summary = (
        f"{taken} of {len(checked.enrolment.reports)} pictures can be used; {len(checked.findings)} findings."
    )
    rows = "".join(
        f"<tr><td>{html.escape(str(report.path))}<td>{html.escape(_outcome(report))}"
        for report in checked.enrolment.reports
    )
    page = _SHEET.format(
        title=html.escape(title),
        summary=html.escape(summary),
        findings="".join(_section(finding) for finding in checked.findings),
        pictures=rows,
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(page)


def _outcome(report: PictureReport) -> str:
    if report.outcome == "ok":
        return "; ".join(["taken", *(NOTES.get(note, note) for note in report.notes)])
    return report.message


def _section(finding: ToldFinding) -> str:
    figures = "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
        for name, jpeg in zip(finding.pictures, finding.portraits, strict=False)
    )
    heading = html.escape(_HEADINGS[finding.kind])
    return f"<section><h2>{heading}</h2>{figures}<p>{html.escape(finding.message)}</p></section>"


def _finding(finding: ToldFinding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "subjects": list(finding.subjects),
        "pictures": list(finding.pictures),
        "similarity": round(finding.similarity, 4),
        "limit": round(finding.limit, 4),
        "message": finding.message,
    }


def _refused(report: PictureReport) -> dict[str, str]:
    return {"path": str(report.path), "reason": report.outcome}
