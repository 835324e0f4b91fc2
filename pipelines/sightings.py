"""From what perception found to what is published: evidence sealed, time and place named, identity given."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from pipelines.evidence import EvidenceStore
from pipelines.findings import BestLook, Finding, Xyxy
from pipelines.galleries import GalleryPackage
from pipelines.pictures import ShownPictures, shown_pictures
from vision.errors import ImageError

MAX_ALTERNATIVES = 5
MAX_MORE_PROBES = 2
"""Further pictures of the same track that are sealed with a candidate."""

SEALED_LOOKS_KEPT = 16

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
    """

    live: bool
    recorded_at: datetime | None = None
    start_seconds: float = 0.0
    now: Callable[[], datetime] = utc_now
    _anchor: tuple[float, datetime] | None = field(default=None, init=False)

    def saw(self, pts_seconds: float) -> None:
        """A picture with this time has just come."""
        if self.live:
            self._anchor = (pts_seconds, self.now())

    def at(self, pts_seconds: float) -> ObservedAt:
        """When the picture of that time was taken."""
        if self._anchor is not None:
            newest_pts_seconds, came_at = self._anchor
            moment = came_at - timedelta(seconds=newest_pts_seconds - pts_seconds)
            return ObservedAt(moment, "wall_clock", LIVE_UNCERTAINTY_SECONDS)
        if self.recorded_at is not None:
            moment = self.recorded_at + timedelta(seconds=pts_seconds - self.start_seconds)
            return ObservedAt(moment, "recorded_at")
        return ObservedAt(None, "unknown")


class SealedLooks:
    """Pictures of one source that are sealed already, so that a revision does not store them again.

    Holds references and hashes, no picture, and no more than the latest few.
    """

    def __init__(self) -> None:
        self._items: OrderedDict[tuple[int, Xyxy, bool], tuple[EvidenceItem, ...]] = OrderedDict()

    def items(
        self, look: BestLook, seal: Callable[[BestLook], tuple[EvidenceItem, ...]], *, whole: bool
    ) -> tuple[EvidenceItem, ...]:
        """The sealed pictures of a look, sealed now where they were not.

        Args:
            look: the look.
            seal: stores its pictures.
            whole: whether the frame belongs to them, or the face alone.
        """
        key = (look.frame_index, look.xyxy, whole)
        if key not in self._items:
            self._items[key] = seal(look)
        self._items.move_to_end(key)
        while len(self._items) > SEALED_LOOKS_KEPT:
            self._items.popitem(last=False)
        return self._items[key]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a camera's pictures come from.

    Attributes:
        camera_id: the camera.
        source_id: `input_sha256` of a recording, else a random id of this opening of the camera.
        input_sha256: of a recording; None for a camera.
        clock: of the source.
        sealed: its pictures that are stored already.
    """

    camera_id: str
    source_id: str
    input_sha256: str | None
    clock: SourceClock
    sealed: SealedLooks = field(default_factory=SealedLooks)


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
            self.evidence.put("frame_redacted", shown.frame_redacted),
            self.evidence.put("probe", shown.probe),
            self.evidence.put("frame", look.frame.image),
        )

    def _probe(self, look: BestLook) -> tuple[EvidenceItem, ...]:
        return (self.evidence.put("probe", _shown(look).probe),)


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
