"""What one camera's session says: frames with what was seen in them, and findings.

None of these holds a template. Pictures do travel here: from the session to whoever seals or
draws them, in one process, never in an event. `repr` shows shapes and times, not subjects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vision.face.quality import FaceQuality
from vision.types import Float32, Frame, Identification

Xyxy = tuple[float, float, float, float]
"""Left, top, right, bottom, pixels of the original frame."""


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """A face in one frame.

    Attributes:
        xyxy: its box.
        confidence: of the face detector, 0 to 1.
        track_id: of its track; None where the tracker has not taken it up.
    """

    xyxy: Xyxy
    confidence: float
    track_id: int | None


@dataclass(frozen=True, slots=True)
class ObjectSeen:
    """A person or vehicle in one frame.

    Attributes:
        xyxy: its box.
        confidence: of the object detector, 0 to 1.
        label: the class, in the detector's words.
        track_id: of its own track; counted apart from the face tracks.
    """

    xyxy: Xyxy
    confidence: float
    label: str
    track_id: int


@dataclass(frozen=True, slots=True, repr=False)
class BestLook:
    """The best picture of a face on its track so far.

    Attributes:
        frame: the whole frame, unredacted; it must be sealed or redacted before it is shown.
        xyxy: the face's box in it.
        landmarks: (5, 2) float32, pixels of that frame.
        quality: what was measured of this face.
        person_xyxy: the box of the person the face belongs to; None where no box contains it.
        others_xyxy: boxes of every other face in that frame, to be pixelated where it is shown.
    """

    frame: Frame
    xyxy: Xyxy
    landmarks: Float32
    quality: FaceQuality
    person_xyxy: Xyxy | None = None
    others_xyxy: tuple[Xyxy, ...] = ()

    @property
    def frame_index(self) -> int:
        """Count of the frame in its source, from 0."""
        return self.frame.frame_index

    @property
    def pts_seconds(self) -> float:
        """When it was, on the source's clock."""
        return self.frame.pts_seconds

    def __repr__(self) -> str:
        return f"BestLook(frame_index={self.frame_index}, pts_seconds={self.pts_seconds:.3f})"


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """A face track resembles a listed subject: what perception says, before it is a candidate.

    Attributes:
        track_id: of the face track, from 1, unique within the session.
        track_start_pts_seconds: when that track began.
        pts_seconds: when the evidence sufficed.
        subject_id: whom it resembles most.
        similarity: cosine, −1 to 1.
        threshold: what the similarity had to reach.
        single_look: decided by one look, at the stricter threshold.
        frames_fused: looks it rests on.
        alternatives: the next subjects with their similarities, best first.
        expected_false_alerts_per_1000_faces: what the measurement behind the threshold says; None
            where it does not reach so far.
        calibration: name of that measurement.
        best_look: the picture to show.
        more_looks: further pictures of the track, best first, other poses and moments; each `frame` holds the
            face and its surroundings alone, and boxes are in its pixels.
        revision: 1, then growing: one finding per track and subject, revised as evidence grows or falls.
        withdrawn: later looks no longer carry it; `similarity` is what they say now.
    """

    track_id: int
    track_start_pts_seconds: float
    pts_seconds: float
    subject_id: str
    similarity: float
    threshold: float
    single_look: bool
    frames_fused: int
    alternatives: tuple[tuple[str, float], ...]
    expected_false_alerts_per_1000_faces: float | None
    calibration: str
    best_look: BestLook
    more_looks: tuple[BestLook, ...] = ()
    revision: int = 1
    withdrawn: bool = False

    @property
    def person_xyxy(self) -> Xyxy | None:
        """The person's box in the frame of the best look."""
        return self.best_look.person_xyxy

    def __repr__(self) -> str:
        return f"Finding(track_id={self.track_id}, pts_seconds={self.pts_seconds:.3f})"


@dataclass(frozen=True, slots=True, repr=False)
class TrackSummary:
    """A face track that ended: times, looks, and whom it resembled, found or not.

    Attributes:
        track_id: as in the findings.
        start_pts_seconds: its first frame.
        end_pts_seconds: its last frame.
        frames_seen: inferred frames it was seen in.
        frames_fused: looks in its template when it ended.
        resembled: the list's answer to that template; empty where no look was good enough.
        continues_track_id: an earlier track that ended where this one began, told by motion alone; None where
            there is none.
    """

    track_id: int
    start_pts_seconds: float
    end_pts_seconds: float
    frames_seen: int
    frames_fused: int
    resembled: Identification = field(default=Identification((), ()))
    continues_track_id: int | None = None

    def __repr__(self) -> str:
        return f"TrackSummary(track_id={self.track_id}, frames_seen={self.frames_seen})"


@dataclass(frozen=True, slots=True)
class FrameResult:
    """One inferred frame and everything seen in it.

    Attributes:
        frame: the frame itself.
        faces: every face found, tracked or not.
        objects: people and vehicles, where an object detector runs.
        findings: what became evident in this frame; empty mostly.
        scene_cut: the picture before was of another scene.
    """

    frame: Frame
    faces: tuple[FaceSeen, ...] = ()
    objects: tuple[ObjectSeen, ...] = ()
    findings: tuple[Finding, ...] = ()
    scene_cut: bool = False
