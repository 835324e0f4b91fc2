"""A whole run over files: list, inputs one by one, totals, and the record of it all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from pipelines.analysis import (
    Analysis,
    AnalyzedInput,
    InputAnalysis,
    RefusedReference,
    Thresholds,
    WatchlistUsed,
    total_accounting,
)
from pipelines.analyze import AnalyzeOptions, FileAnalyzer, Progress
from pipelines.analyze_inputs import find_inputs
from pipelines.analyze_output import OutputFolder
from pipelines.build import Perception
from pipelines.enrol import Enrolment, PictureReport, enrol_folder, reference_pictures
from pipelines.errors import EnrolError
from pipelines.events import utc_now
from pipelines.manifest import (
    FileRecord,
    Manifest,
    WatchlistRecord,
    operator_name,
    settings_digest,
    this_software,
    watchlist_digest,
)
from vision.identify.gallery import Gallery

ANALYSIS_NAME = "analysis.json"


@dataclass(frozen=True, slots=True)
class AnalyzeRequest:
    """What somebody wants searched.

    Attributes:
        inputs: files and folders.
        watchlist: folder of references, one sub-folder per subject.
        options: how.
        out: folder to write; None to write nothing.
        purpose: what it is for, for the manifest.
    """

    inputs: tuple[Path, ...]
    watchlist: Path
    options: AnalyzeOptions = field(default_factory=AnalyzeOptions)
    out: Path | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told of progress.

    Attributes:
        inputs: of the files.
        on_reference: of each picture of the list.
        on_problem: of each input or reference that cannot be used, one line, as it turns up.
    """

    inputs: Progress
    on_reference: Callable[[PictureReport], None]
    on_problem: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run came to.

    Attributes:
        analysis: the document.
        failures: one line for each input or reference that could not be used.
        inputs_searched: inputs of which at least a part was searched, now or before.
    """

    analysis: Analysis
    failures: tuple[str, ...]
    inputs_searched: int


def run_analysis(request: AnalyzeRequest, perception: Perception, listeners: Listeners) -> RunResult:
    """Enrols the list, searches every input, and writes the output folder where there is one.

    Raises:
        EnrolError: the list holds no reference that could be used.
        EvidenceError: the output folder cannot be written.
        GalleryError: nothing was measured for the chosen embedder.
    """
    return _Run(request, perception, listeners).run()


class _Run:
    def __init__(self, request: AnalyzeRequest, perception: Perception, listeners: Listeners) -> None:
        self._request = request
        self._perception = perception
        self._engines = perception.engines()
        self._listeners = listeners
        self._started_at = utc_now()
        self._started = time.perf_counter()
        self._failures: list[str] = []
        self._output = OutputFolder(request.out) if request.out else None

    def run(self) -> RunResult:
        enrolment, gallery = self._enrol()
        watchlist = self._watchlist(enrolment, gallery)
        analyzer = FileAnalyzer(
            self._engines, gallery, self._request.options, self._output, self._key(watchlist)
        )
        results, records = self._search(analyzer)
        analysis = self._analysis(results, watchlist)
        if self._output is not None:
            self._write(self._output, analysis, records)
        searched = sum(result.summary.status != "failed" for result in results)
        return RunResult(analysis, tuple(self._failures), searched)

    def _enrol(self) -> tuple[Enrolment, Gallery]:
        folder = self._request.watchlist
        enrolment = enrol_folder(folder, self._engines, self._reference_done)
        silent = set(enrolment.missing) - {report.subject_id for report in enrolment.refused}
        for subject_id in sorted(silent):
            self._fail(f"{folder / subject_id}: holds no pictures")
        if not enrolment.references:
            raise EnrolError(f"{folder}: none of its {len(enrolment.reports)} pictures can be used")
        return enrolment, enrolment.gallery(self._engines.embedder.dimension)

    def _reference_done(self, report: PictureReport) -> None:
        if report.outcome != "ok":
            self._fail(report.message)
        self._listeners.on_reference(report)

    def _watchlist(self, enrolment: Enrolment, gallery: Gallery) -> WatchlistUsed:
        folder = self._request.watchlist
        return WatchlistUsed(
            path=str(folder),
            sha256=watchlist_digest(reference_pictures(folder)),
            subjects=len(gallery),
            templates=gallery.template_count,
            refused=tuple(
                RefusedReference(path=str(report.path), reason=report.message) for report in enrolment.refused
            ),
        )

    def _search(self, analyzer: FileAnalyzer) -> tuple[list[AnalyzedInput], list[FileRecord]]:
        found = find_inputs(list(self._request.inputs))
        results: list[AnalyzedInput] = []
        records: list[FileRecord] = []
        for path, reason in found.problems:
            line = f"{path}: {reason}"
            self._fail(line)
            failed = InputAnalysis(input=str(path), sha256=None, status="failed", error=line)
            results.append(AnalyzedInput(summary=failed))
        for path in found.paths:
            result, record = analyzer.analyze(path, self._listeners.inputs)
            results.append(result)
            if record is not None:
                records.append(record)
            if result.summary.error:
                self._fail(result.summary.error)
        return results, records

    def _fail(self, line: str) -> None:
        self._failures.append(line)
        self._listeners.on_problem(line)

    def _key(self, watchlist: WatchlistUsed) -> str:
        models = [model.model_dump(mode="json") for model in self._perception.models]
        return settings_digest(
            watchlist.sha256,
            self._request.options.settings(),
            models,
            self._perception.preprocessing,
            this_software().model_dump(mode="json"),
        )

    def _analysis(self, results: list[AnalyzedInput], watchlist: WatchlistUsed) -> Analysis:
        options = self._request.options
        point = self._engines.calibration.operating_point(
            gallery_templates=watchlist.templates,
            gallery_subjects=watchlist.subjects,
            false_alerts_per_1000_faces=options.session.false_alerts_per_1000_faces,
        )
        summaries = tuple(result.summary for result in results)
        tracks = tuple(track for result in results for track in result.tracks)
        return Analysis(
            candidates=tuple(candidate for result in results for candidate in result.candidates),
            frame_accounting=total_accounting(tuple(summary.frame_accounting for summary in summaries)),
            media_seconds=sum(summary.media_seconds for summary in summaries),
            elapsed_seconds=time.perf_counter() - self._started,
            inputs=summaries,
            watchlist=watchlist,
            thresholds=Thresholds(**asdict(point)),
            settings=options.settings(),
            models=self._perception.models,
            preprocessing=self._perception.preprocessing,
            software=this_software(),
            tracks=tracks if options.explain else None,
        )

    def _write(self, output: OutputFolder, analysis: Analysis, records: list[FileRecord]) -> None:
        text = json.dumps(analysis.document(), ensure_ascii=False, indent=2) + "\n"
        output.write(output.root / ANALYSIS_NAME, text.encode())
        used = analysis.watchlist
        manifest = Manifest(
            operator=operator_name(),
            purpose=self._request.purpose,
            started_at=self._started_at,
            finished_at=_not_before(self._started_at, utc_now()),
            settings=analysis.settings | {"preprocessing": analysis.preprocessing},
            models=analysis.models,
            software=analysis.software,
            watchlist=WatchlistRecord(used.path, used.sha256, used.subjects, used.templates),
            inputs=tuple(records),
            outputs=output.records(),
            failures=tuple(self._failures),
        )
        output.write_manifest(manifest)


def _not_before(earlier: datetime, later: datetime) -> datetime:
    """The wall clock may be set back while a run lasts."""
    return max(earlier, later)
