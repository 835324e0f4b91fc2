"""The session of one camera, over files: as fast as the machine goes, on the file's own clock.

Input by input: a broken one costs the others nothing. With an output folder, evidence, an annotated
video and the result of each finished input are written as the run goes, and a run that is repeated does
not search again what it has searched with the same list, models and settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from pipelines.accounting import FrameAccounting
from pipelines.analysis import (
    AnalyzedCandidate,
    AnalyzedInput,
    ExplainedTrack,
    InputAnalysis,
    InputStatus,
    Resemblance,
)
from pipelines.analyze_inputs import record_input
from pipelines.analyze_output import OutputFolder, input_frame
from pipelines.events import candidate_id
from pipelines.findings import Finding, TrackSummary
from pipelines.manifest import FileRecord
from pipelines.session import CameraSession, SessionOptions
from pipelines.sightings import quality_of
from pipelines.stages import Engines
from vision.errors import VisionError
from vision.identify.gallery import Gallery
from vision.video import FrameSource, SourceOptions, open_source

DEPLOYMENT_ID = "analyze"
"""Stands in a candidate's id where the service would put a deployment: the two can never collide."""

EXPLAINED_SUBJECTS = 5


@dataclass(frozen=True, slots=True)
class AnalyzeOptions:
    """What a run over files does.

    Attributes:
        session: how each input is watched.
        recorded_at: wall-clock time at which the inputs begin; None where it is unknown.
        explain: whom each track resembled is kept, found or not.
        multi_threaded_decode: FFmpeg may use every core on the one file that is read.
        threads: work on one file at the same time; the results are the same with any number.
    """

    session: SessionOptions = field(default_factory=SessionOptions)
    recorded_at: datetime | None = None
    explain: bool = False
    multi_threaded_decode: bool = True
    threads: int = 1

    def settings(self) -> dict[str, Any]:
        """Every choice that bears on the result, as JSON values."""
        return {
            "inference_fps": self.session.inference_fps,
            "false_alerts_per_1000_faces": self.session.false_alerts_per_1000_faces,
            "min_looks": self.session.min_looks,
            "region_crops": self.session.region_crops,
            "recorded_at": self.recorded_at.isoformat() if self.recorded_at else None,
            "explain": self.explain,
        }


class Progress(Protocol):
    """Who is told how far a run is."""

    def input_started(self, path: Path) -> None:
        """An input is being opened."""

    def reached(self, media_seconds: float) -> None:
        """So much of the current input is done."""

    def input_ended(self, result: AnalyzedInput) -> None:
        """An input is done, failed, or was done before."""


class FileAnalyzer:
    """Searches files for the people of one list.

    Args:
        engines: models and trackers.
        gallery: whom to search for; not empty.
        options: what a run does.
        output: where evidence and results go; None to write nothing.
        key: sum over list, models and settings; results of another key are not reused.
    """

    def __init__(
        self,
        engines: Engines,
        gallery: Gallery,
        options: AnalyzeOptions,
        output: OutputFolder | None = None,
        key: str = "",
    ) -> None:
        self._engines = engines
        self._gallery = gallery
        self._options = options
        self._output = output
        self._key = key

    def analyze(self, path: Path, progress: Progress) -> tuple[AnalyzedInput, FileRecord | None]:
        """One input's result, whatever became of it, and the record of what was read.

        Raises:
            EvidenceError: the output folder cannot be written.
        """
        progress.input_started(path)
        try:
            record = record_input(path)
        except OSError as error:
            reason = f"{path}: {error.strerror or 'cannot be read'}"
            result = AnalyzedInput(
                summary=InputAnalysis(input=str(path), sha256=None, status="failed", error=reason)
            )
            progress.input_ended(result)
            return result, None
        result = self._reused(path, record) or self._searched(path, record, progress)
        progress.input_ended(result)
        return result, record

    def _reused(self, path: Path, record: FileRecord) -> AnalyzedInput | None:
        text = self._output.read_result(record.sha256, self._key) if self._output else None
        if text is None:
            return None
        try:
            return AnalyzedInput.model_validate_json(text).renamed(str(path))
        except ValidationError:
            return None  # of another version, or damaged: search again

    def _searched(self, path: Path, record: FileRecord, progress: Progress) -> AnalyzedInput:
        run = _Run(path, record, self._options, self._output)
        error = run.play(self._engines, self._gallery, progress.reached)
        result = run.result(error)
        if self._output is not None and result.summary.status == "done":
            self._output.write_result(record.sha256, self._key, result.model_dump_json(indent=2))
        return result


class _Run:
    """One input being searched."""

    def __init__(
        self, path: Path, record: FileRecord, options: AnalyzeOptions, output: OutputFolder | None
    ) -> None:
        self._path = path
        self._record = record
        self._options = options
        self._writer = output.input_writer(record.sha256, path.stem) if output else None
        self._candidates: dict[tuple[int, str], AnalyzedCandidate] = {}
        self._given_numbers: dict[tuple[int, str], int] = {}
        self._withdrawn: set[tuple[int, str]] = set()
        self._tracks: list[ExplainedTrack] = []
        self._numbers: dict[int, int] = {}
        self._session: CameraSession | None = None
        self._started = time.perf_counter()
        self._start_seconds = 0.0
        self._media_seconds = 0.0

    def play(
        self, engines: Engines, gallery: Gallery, reached: Callable[[float], None]
    ) -> VisionError | None:
        """Reads the input to its end, or to where it breaks; returns what broke it."""
        try:
            with (
                open_source(
                    self._path, SourceOptions(multi_threaded=self._options.multi_threaded_decode)
                ) as source,
                CameraSession(engines, self._options.session, self._explain) as session,
            ):
                self._session = session
                session.set_gallery(gallery)
                self._start_seconds = source.start_seconds
                self._watch(session, source, reached)
        except VisionError as error:
            return error
        finally:
            if self._writer is not None:
                self._writer.close()
        return None

    def result(self, error: VisionError | None) -> AnalyzedInput:
        """What was found until the end, or until it broke."""
        accounting = self._session.accounting() if self._session else None
        nothing_seen = accounting is None or accounting.decoded == 0
        status: InputStatus = "done" if error is None else "failed" if nothing_seen else "incomplete"
        summary = InputAnalysis(
            input=str(self._path),
            sha256=self._record.sha256,
            status=status,
            error=str(error) if error else None,
            media_seconds=self._media_seconds,
            elapsed_seconds=time.perf_counter() - self._started,
            withdrawn=len(self._withdrawn),
            annotated=self._writer.annotated if self._writer else None,
            frame_accounting=accounting or FrameAccounting(),
        )
        return AnalyzedInput(summary=summary, candidates=self._standing(), tracks=tuple(self._tracks))

    def _watch(self, session: CameraSession, source: FrameSource, reached: Callable[[float], None]) -> None:
        try:
            for result in session.run(source, threads=self._options.threads):
                for finding in result.findings:
                    self._note(finding)
                if self._writer is not None:
                    self._writer.annotate(result, self._numbers)
                reached(session.media_seconds)
        finally:
            frame_seconds = 1 / source.fps_nominal if source.fps_nominal else 0.0
            self._media_seconds = session.media_seconds + frame_seconds

    def _explain(self, summary: TrackSummary) -> None:
        if not self._options.explain:
            return
        self._tracks.append(
            ExplainedTrack(
                input=str(self._path),
                track_id=summary.track_id,
                pts_seconds=summary.start_pts_seconds,
                end_pts_seconds=summary.end_pts_seconds,
                frames_seen=summary.frames_seen,
                frames_fused=summary.frames_fused,
                continues_track_id=summary.continues_track_id,
                best=_resemblances(
                    zip(summary.resembled.subject_ids, summary.resembled.similarities, strict=True)
                ),
            )
        )

    def _standing(self) -> tuple[AnalyzedCandidate, ...]:
        return tuple(sorted(self._candidates.values(), key=lambda candidate: candidate.number))

    def _note(self, finding: Finding) -> None:
        """Keeps the newest of what is said of a track and a subject."""
        of = (finding.track_id, finding.subject_id)
        number = self._given_numbers.setdefault(of, len(self._given_numbers) + 1)
        if not finding.withdrawn:
            first, newest = self._candidates.get(of), self._candidate(finding, number)
            decided_at = first.decided_pts_seconds if first else newest.decided_pts_seconds
            self._candidates[of] = newest.model_copy(update={"decided_pts_seconds": decided_at})
            self._withdrawn.discard(of)
            return
        self._candidates.pop(of, None)
        self._withdrawn.add(of)
        if self._numbers.get(finding.track_id) == number:
            del self._numbers[finding.track_id]
        if self._writer is not None:
            self._writer.discard(number)

    def _candidate(self, finding: Finding, number: int) -> AnalyzedCandidate:
        self._numbers.setdefault(finding.track_id, number)
        look = finding.best_look
        evidence = [input_frame(look, self._record.sha256)]
        if self._writer is not None:
            evidence += self._writer.evidence(number, look)
        recorded_at = self._options.recorded_at
        observed_at = None
        if recorded_at is not None:
            observed_at = recorded_at + timedelta(seconds=look.pts_seconds - self._start_seconds)
        return AnalyzedCandidate(
            number=number,
            revision=finding.revision,
            candidate_id=candidate_id(
                source=self._record.sha256,
                track_id=finding.track_id,
                track_start_pts_seconds=finding.track_start_pts_seconds,
                subject_id=finding.subject_id,
                deployment_id=DEPLOYMENT_ID,
            ),
            input=str(self._path),
            input_sha256=self._record.sha256,
            subject_id=finding.subject_id,
            similarity=finding.similarity,
            threshold=finding.threshold,
            single_look=finding.single_look,
            frames_fused=finding.frames_fused,
            expected_false_alerts_per_1000_faces=finding.expected_false_alerts_per_1000_faces,
            calibration=finding.calibration,
            alternatives=_resemblances(finding.alternatives),
            pts_seconds=look.pts_seconds,
            decided_pts_seconds=finding.pts_seconds,
            observed_at=observed_at,
            observed_at_source="recorded_at" if observed_at else "unknown",
            frame_index=look.frame_index,
            track_id=finding.track_id,
            track_start_pts_seconds=finding.track_start_pts_seconds,
            quality=quality_of(look),
            face_xyxy=look.xyxy,
            person_xyxy=finding.person_xyxy,
            landmarks=tuple((float(x), float(y)) for x, y in look.landmarks),
            evidence=tuple(evidence),
        )


def _resemblances(pairs: Any) -> tuple[Resemblance, ...]:
    return tuple(
        Resemblance(subject_id=subject_id, similarity=similarity) for subject_id, similarity in pairs
    )[:EXPLAINED_SUBJECTS]
