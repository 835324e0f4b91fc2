"""One camera or file, frame by frame: pictures in, findings out.

A session knows neither Redis nor keys, files nor clock: models and list are given to it, and time
comes with the frames. One session is used by one thread at a time; `set_gallery` is called between frames.

    with CameraSession(engines, options) as session:
        session.set_gallery(gallery)
        for result in session.run(source, stop=stopping.is_set):
            for finding in result.findings:
                ...
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from pipelines.accounting import FrameAccounting
from pipelines.face_tracks import FaceTrackOptions, FaceTracks, Watch
from pipelines.findings import FrameResult, ObjectSeen, TrackSummary
from pipelines.frame_search import Found, FrameSearch, Prepared
from pipelines.look_ahead import LookAhead
from pipelines.sampling import CLOCK_RESTART_SECONDS, Sampler
from pipelines.stages import Engines, FrameCounter, ObjectStage
from pipelines.under_masks import UnderMasks
from vision.errors import GalleryError, SourceDecodeError, VisionError
from vision.identify.calibration import OperatingPoint
from vision.identify.fusion import FusionOptions
from vision.identify.gallery import Gallery
from vision.polygons import Polygon
from vision.sources import FrameSource
from vision.types import Detections, Frame

Converted = TypeVar("Converted")

MOST_HELD_SECONDS = 60.0
"""Twice the longest time between two looks that a motion gate may be set to."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How one camera is watched.

    Attributes:
        inference_fps: frames a second the models see; None for every frame.
        false_alerts_per_1000_faces: wanted rate; thresholds follow from it and the list's size.
        min_looks: good looks a decision at the normal threshold rests on.
        region_crops: moving parts of each picture that are searched once more, closely; 0: none.
        faces: how faces are followed.
    """

    inference_fps: float | None = 10.0
    false_alerts_per_1000_faces: float = 1.0
    min_looks: int = 3
    region_crops: int = 1
    faces: FaceTrackOptions = field(default_factory=FaceTrackOptions)


def _ignore(_: TrackSummary) -> None:
    return None


def _never() -> bool:
    return False


class CameraSession:
    """Watches one source; a context manager that forgets everybody when it is left.

    Args:
        engines: models and trackers, of this session alone but for the models.
        options: how the source is watched.
        on_track_end: told of each face track that ended, after its templates are gone.

    Raises:
        GalleryError: the calibration supports no rate at all.
    """

    def __init__(
        self,
        engines: Engines,
        options: SessionOptions,
        on_track_end: Callable[[TrackSummary], None] = _ignore,
    ) -> None:
        self._search = FrameSearch(engines, options.region_crops)
        self._under_masks = UnderMasks()
        self._engines = engines
        self._options = options
        fusion = FusionOptions(
            min_looks=options.min_looks,
            disagreement_similarity=engines.calibration.disagreement_similarity,
        )
        self._faces = FaceTracks(engines, options.faces, fusion, on_track_end)
        self._objects: ObjectStage | None = None
        if engines.detector is not None:
            self._objects = ObjectStage(engines.detector, engines.new_object_tracker())
        self._sampler = Sampler(options.inference_fps)
        self._counter = FrameCounter()
        self._watch: Watch | None = None
        self._first_pts_seconds = self._last_pts_seconds = self._looked_pts_seconds = -math.inf
        self._undecodable: Callable[[], int] = lambda: 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_tracks()

    @property
    def operating_point(self) -> OperatingPoint | None:
        """The thresholds in force; None without a list."""
        return self._watch.point if self._watch else None

    @property
    def media_seconds(self) -> float:
        """How much of the source has gone by, by its own clock."""
        if self._last_pts_seconds == -math.inf:
            return 0.0
        return max(self._last_pts_seconds - self._first_pts_seconds, 0.0)

    @property
    def track_count(self) -> int:
        """Face tracks alive, and so templates held at most."""
        return len(self._faces)

    @property
    def masked_detections(self) -> int:
        """Detections dropped so far because they lay under a detection mask."""
        return self._under_masks.dropped

    @property
    def faces_searched(self) -> int:
        """Faces so far, each followed for as long as it was seen, of which a look was held against a list."""
        return self._faces.searched

    def set_detection_masks(self, polygons: Sequence[Polygon]) -> None:
        """Puts other detection masks in force, from the next frame on.

        People and vehicles are dropped where they stand under one, faces where their centre lies under one.
        """
        self._under_masks.set(polygons)

    def set_gallery(self, gallery: Gallery | None) -> None:
        """Puts another list in force, from the next frame on.

        Tracks in view are compared with the new list at their next look; what they resembled on
        the old one is dropped. Without subjects no template is computed at all.

        Raises:
            GalleryError: the templates are of another model than the session's embedder.
        """
        watch = None
        if gallery is not None and len(gallery):
            if gallery.dimension != self._engines.embedder.dimension:
                raise GalleryError(
                    f"the list's templates have {gallery.dimension} numbers, embedder "
                    f"{self._engines.embedder_id} makes {self._engines.embedder.dimension}: "
                    "enrol again with it"
                )
            point = self._engines.calibration.operating_point(
                gallery_templates=gallery.template_count,
                gallery_subjects=len(gallery),
                false_alerts_per_1000_faces=self._options.false_alerts_per_1000_faces,
            )
            watch = Watch(gallery, point)
        self._watch = watch
        self._faces.forget_answers()

    def wants(self, pts_seconds: float) -> bool:
        """Goes on to the time of a decoded picture and says whether the models are to see it.

        Tracks not seen for too long end here, whatever the inference rate is. A picture that is not
        wanted is counted as not sampled; one that is must be given to `infer`.
        """
        wanted = self._sampler.wants(pts_seconds)
        self._pass(pts_seconds, wanted)
        return wanted

    def _pass(self, pts_seconds: float, wanted: bool) -> None:
        self._go_on(pts_seconds)
        self._faces.expire(pts_seconds)
        if not wanted:
            self._counter.not_sampled()

    def hold(self, pts_seconds: float) -> None:
        """Goes on to the time of a frame that nobody looks at, because nothing moved since the one before.

        Who was seen in the frame inferred last is kept as he was, neither older nor elsewhere; who was not goes on
        ageing and ends in due time. So a track is held only from a look that showed it, and the next look that
        does not ends it within a second. Held for longer than a minute without a look, all end. The frame is
        not counted here: whoever took it does (`note_gated`).
        """
        self._go_on(pts_seconds)
        if pts_seconds - self._looked_pts_seconds > MOST_HELD_SECONDS:
            self.end_tracks()
        self._faces.hold(pts_seconds)
        if self._objects is not None:
            self._objects.hold(pts_seconds)

    def _go_on(self, pts_seconds: float) -> None:
        if pts_seconds < self._last_pts_seconds - CLOCK_RESTART_SECONDS:
            self.end_tracks()
        if self._first_pts_seconds == -math.inf:
            self._first_pts_seconds = pts_seconds
        self._last_pts_seconds = pts_seconds

    def infer(self, frame: Frame) -> FrameResult:
        """What is seen in a frame that was wanted.

        Raises:
            VisionError: a model or the list failed on it; the frame counts as dropped.
        """
        prepared = self._search.prepare(frame)
        return self._conclude(prepared, lambda: self._search.detect(prepared))

    def _conclude(self, prepared: Prepared, detected: Callable[[], Found]) -> FrameResult:
        """What follows from what the detectors found; `detected` gives it, or raises what kept them from it."""
        frame = prepared.frame
        self._looked_pts_seconds = frame.pts_seconds
        if prepared.scene_cut:
            self.end_tracks()
        try:
            found = detected()
            faces = self._search.settled(prepared, found)
            faces = self._under_masks.left(faces, frame.image, "centre")
            objects = self._followed(found.objects, frame)
            seen, findings = self._faces.follow(frame, faces, objects, self._watch)
        except VisionError:
            self.note_dropped("inference_failed")
            raise
        self._counter.inferred()
        return FrameResult(frame, seen, objects, findings, prepared.scene_cut)

    def _followed(self, found: Detections | None, frame: Frame) -> tuple[ObjectSeen, ...]:
        if self._objects is None or found is None:
            return ()
        left = self._under_masks.left(found, frame.image, "bottom_centre")
        return self._objects.follow(left, frame.pts_seconds)

    def process(self, frame: Frame) -> FrameResult | None:
        """`wants` and `infer` in one, for whoever has whole frames; None where it is passed over."""
        return self.infer(frame) if self.wants(frame.pts_seconds) else None

    def run(
        self, source: FrameSource, stop: Callable[[], bool] = _never, threads: int = 1
    ) -> Iterator[FrameResult]:
        """The results of a source's frames as they come, until it ends or `stop` says so.

        `stop` is asked before each picture. Only pictures the models see are converted to pixels.
        However the iteration ends, every track has ended with it.

        Args:
            source: read once.
            stop: says when to end.
            threads: work at the same time, this one included; the results are the same with any number.

        Raises:
            SourceDecodeError: the source stopped being decodable; what came before stands.
            VisionError: a model failed; as above.
        """
        try:
            if threads > 1:
                yield from self._run_ahead(source, stop, threads)
            else:
                yield from self._run_in_turn(source, stop)
        finally:
            self.end_tracks()

    def _run_in_turn(self, source: FrameSource, stop: Callable[[], bool]) -> Iterator[FrameResult]:
        self._undecodable = lambda: source.undecodable_count
        for picture in source.pictures():
            if stop():
                self.note_dropped("stopped")
                return
            if self.wants(picture.pts_seconds):
                yield self.infer(self._counted(picture.to_frame))

    def _run_ahead(
        self, source: FrameSource, stop: Callable[[], bool], threads: int
    ) -> Iterator[FrameResult]:
        with LookAhead(source, self._sampler.wants, self._search, threads) as ahead:
            self._undecodable = lambda: ahead.undecodable_count
            for picture in ahead:
                if stop():
                    self.note_dropped("stopped")
                    return
                self._pass(picture.pts_seconds, picture.wanted)
                if picture.wanted:
                    yield self._conclude(self._counted(picture.prepared.result), picture.found)

    def _counted(self, convert: Callable[[], Converted]) -> Converted:
        try:
            return convert()
        except SourceDecodeError:
            self.note_dropped("not_converted")
            raise

    def end_tracks(self) -> None:
        """Ends and forgets every track now; for a source that stalls, too."""
        self._faces.end_all()
        if self._objects is not None:
            self._objects.reset()

    def note_dropped(self, reason: str, frames: int = 1) -> None:
        """Counts frames that the caller had to drop before the session saw them."""
        self._counter.dropped(reason, frames)

    def note_gated(self) -> None:
        """Counts a frame handed to the caller in which nothing moved, so that the session is shown its time only."""
        self._counter.gated()

    def accounting(self) -> FrameAccounting:
        """What became of every frame so far."""
        return self._counter.accounting(self._undecodable())
