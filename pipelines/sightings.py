"""From what perception found to what is published: evidence sealed, time and place named, identity given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from pipelines.accounting import FrameAccounting
from pipelines.errors import EvidenceError
from pipelines.events import (
    Alternative,
    Candidate,
    EvidenceItem,
    GalleryRef,
    ModelRef,
    Quality,
    Software,
    candidate_id,
    utc_now,
)
from pipelines.evidence import EvidenceKind, EvidenceStore
from pipelines.findings import BestLook, Finding, FrameResult
from pipelines.galleries import GalleryPackage
from pipelines.live.clips import ClipKeeper
from pipelines.live.preview import PreviewWriter
from pipelines.pictures import ShownPictures, shown_pictures
from pipelines.sealed_looks import SealedLooks
from vision.errors import ImageError
from vision.sources import Picture
from vision.types import Image

MAX_ALTERNATIVES = 5
MAX_MORE_PROBES = 2
"""Further pictures of the same track that are sealed with a candidate."""

LONGEST_WAIT_SECONDS = 30.0
"""Between a picture's decoding and its being looked at; what claims to be older is not believed."""

LIVE_UNCERTAINTY_SECONDS = 2.0
"""A camera's picture is coded, sent and buffered before it is here; how long that took is not measured."""


@dataclass(frozen=True, slots=True)
class ObservedAt:
    """When a picture was taken, and how that is known."""

    moment: datetime | None
    source: Literal["wall_clock", "recorded_at", "unknown"]
    uncertainty_seconds: float | None = None


@dataclass(slots=True)
class SourceClock:
    """Turns a source's own clock into the time of day.

    Args:
        live: pictures come as they are taken.
        recorded_at: when a recording begins; None where that is unknown.
        start_seconds: what the recording's clock reads at its beginning.
        now: the machine's clock.
        clock_error: by how many seconds that one may be off; None where nothing bounds it: then nothing bounds the
            moments of a camera's pictures either.
    """

    live: bool
    recorded_at: datetime | None = None
    start_seconds: float = 0.0
    now: Callable[[], datetime] = utc_now
    clock_error: Callable[[], float | None] = lambda: 0.0
    _anchor: tuple[float, datetime] | None = field(default=None, init=False)

    def saw(self, pts_seconds: float, captured_seconds: float | None = None) -> None:
        """A picture with this time has just come.

        Args:
            pts_seconds: on the source's clock.
            captured_seconds: when it was decoded, Unix time, where another process did that; not believed where
                it lies in the future or long ago.
        """
        if not self.live:
            return
        now = self.now()
        if captured_seconds is not None and 0 <= now.timestamp() - captured_seconds <= LONGEST_WAIT_SECONDS:
            now = datetime.fromtimestamp(captured_seconds, UTC)
        self._anchor = (pts_seconds, now)

    def at(self, pts_seconds: float) -> ObservedAt:
        """When the picture of that time was taken."""
        if self._anchor is not None:
            newest_pts_seconds, came_at = self._anchor
            moment = came_at - timedelta(seconds=newest_pts_seconds - pts_seconds)
            error = self.clock_error()
            uncertainty = None if error is None else LIVE_UNCERTAINTY_SECONDS + error
            return ObservedAt(moment, "wall_clock", uncertainty)
        if self.recorded_at is not None:
            moment = self.recorded_at + timedelta(seconds=pts_seconds - self.start_seconds)
            return ObservedAt(moment, "recorded_at")
        return ObservedAt(None, "unknown")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a camera's pictures come from.

    Attributes:
        camera_id: the camera.
        source_id: `input_sha256` of a recording, else a random id of this opening of the camera.
        input_sha256: of a recording; None for a camera.
        clock: of the source.
        sealed: its pictures that are stored already.
        clips: asks for clips of what is found; None: there are none.
        previews: shows the camera to whoever looks; None: nobody can.
    """

    camera_id: str
    source_id: str
    input_sha256: str | None
    clock: SourceClock
    sealed: SealedLooks = field(default_factory=SealedLooks)
    clips: ClipKeeper | None = None
    previews: PreviewWriter | None = None

    def came(self, picture: Picture) -> None:
        """A picture has just come: the clock goes by it, and clips that are complete now are asked for."""
        captured = getattr(picture, "captured_seconds", None)
        self.clock.saw(picture.pts_seconds, captured if isinstance(captured, float) else None)
        if self.previews is not None:
            self.previews.alive(self.camera_id)
        if self.clips is not None:
            if picture.still:
                self.clips.still(picture.pts_seconds)
            self.clips.passed(picture.pts_seconds)

    def saw(self, result: FrameResult) -> None:
        """A picture was looked at."""
        if self.previews is not None:
            self.previews.show(self.camera_id, result.frame.image)
        if self.clips is not None:
            self.clips.saw(result)

    def announce(self, candidate: Candidate, publish: Callable[[Candidate], Candidate]) -> Candidate:
        """Publishes a candidate, with its clip once there is one.

        Raises:
            PipelineError: it cannot be signed or put on disk.
        """
        return publish(candidate) if self.clips is None else self.clips.announce(candidate, publish)

    def ended(self) -> None:
        """The source is closed."""
        if self.clips is not None:
            self.clips.ended()


@dataclass(frozen=True, slots=True)
class CandidateMaker:
    """Makes candidates of one worker; safe to use from several threads.

    Attributes:
        worker_id: who speaks.
        evidence: where pictures are sealed to.
        models: those that took part.
        preprocessing: how pictures became their input.
        software: the build that speaks.
    """

    worker_id: str
    evidence: EvidenceStore
    models: tuple[ModelRef, ...]
    preprocessing: str
    software: Software

    def make(
        self, finding: Finding, origin: Origin, package: GalleryPackage, accounting: FrameAccounting
    ) -> Candidate:
        """The candidate, unsigned; its pictures are stored when this returns. A withdrawn one carries none.

        Args:
            finding: what perception says.
            origin: where the pictures come from.
            package: the list that was searched.
            accounting: what became of the source's frames so far.

        Raises:
            EvidenceError: a picture cannot be made or stored.
        """
        look = finding.best_look
        observed = origin.clock.at(look.pts_seconds)
        left, top, right, bottom = (float(value) for value in look.xyxy)
        return Candidate(
            candidate_id=candidate_id(
                source=origin.source_id,
                track_id=finding.track_id,
                track_start_pts_seconds=finding.track_start_pts_seconds,
                subject_id=finding.subject_id,
                deployment_id=package.deployment_id,
            ),
            revision=finding.revision,
            withdrawn=finding.withdrawn,
            worker_id=self.worker_id,
            camera_id=origin.camera_id,
            deployment_id=package.deployment_id,
            watchlist_id=package.watchlist_id,
            subject_id=finding.subject_id,
            observed_at=observed.moment,
            observed_at_source=observed.source,
            observed_at_uncertainty_seconds=observed.uncertainty_seconds,
            pts_seconds=look.pts_seconds,
            frame_index=look.frame_index,
            track_id=finding.track_id,
            track_start_pts_seconds=finding.track_start_pts_seconds,
            similarity=finding.similarity,
            threshold=finding.threshold,
            expected_false_alerts_per_1000_faces=finding.expected_false_alerts_per_1000_faces,
            calibration=finding.calibration,
            alternatives=tuple(
                Alternative(subject_id=subject_id, similarity=similarity)
                for subject_id, similarity in finding.alternatives[:MAX_ALTERNATIVES]
            ),
            quality=quality_of(look),
            frames_fused=finding.frames_fused,
            single_look=finding.single_look,
            evidence=self._evidence(finding, origin),
            face_xyxy=(left, top, right, bottom),
            person_xyxy=finding.person_xyxy,
            landmarks=_five_points(look),
            models=self.models,
            preprocessing=self.preprocessing,
            gallery=GalleryRef(
                version=package.version, size=package.subject_count, templates=len(package.subject_ids)
            ),
            frame_accounting=accounting,
            input_sha256=origin.input_sha256,
            software=self.software,
        )

    def _evidence(self, finding: Finding, origin: Origin) -> tuple[EvidenceItem, ...]:
        if finding.withdrawn:
            return ()
        items = list(origin.sealed.items(finding.best_look, self._whole, whole=True))
        for look in finding.more_looks[:MAX_MORE_PROBES]:
            items += origin.sealed.items(look, self._probe, whole=False)
        return tuple(items)

    def _whole(self, look: BestLook) -> tuple[EvidenceItem, ...]:
        shown = _shown(look)
        return (
            self._put("frame_redacted", shown.frame_redacted, look),
            self._put("probe", shown.probe, look),
            self._put("frame", look.frame.image, look),
        )

    def _probe(self, look: BestLook) -> tuple[EvidenceItem, ...]:
        return (self._put("probe", _shown(look).probe, look),)

    def _put(self, kind: EvidenceKind, image: Image, look: BestLook) -> EvidenceItem:
        return self.evidence.put(kind, image).model_copy(update={"pts_seconds": look.pts_seconds})


def _shown(look: BestLook) -> ShownPictures:
    try:
        return shown_pictures(look.frame.image, look.xyxy, look.landmarks, look.others_xyxy)
    except ImageError as error:
        raise EvidenceError(f"the pictures of a candidate cannot be made: {error}") from error


def quality_of(look: BestLook) -> Quality:
    """What was measured of a look, as it travels."""
    measured = look.quality
    return Quality(
        face_size_px=measured.face_size_px,
        confidence=measured.confidence,
        sharpness=measured.sharpness,
        yaw_ratio=measured.yaw_ratio,
        yaw_degrees=measured.yaw_degrees,
        pitch_degrees=measured.pitch_degrees,
        roll_degrees=measured.roll_degrees,
        brightness=measured.brightness,
        contrast=measured.contrast,
        exposure=measured.exposure,
        occlusion=measured.occlusion,
        overall=measured.score,
    )


def _five_points(
    look: BestLook,
) -> tuple[
    tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
]:
    left_eye, right_eye, nose, left_mouth, right_mouth = ((float(x), float(y)) for x, y in look.landmarks)
    return left_eye, right_eye, nose, left_mouth, right_mouth
