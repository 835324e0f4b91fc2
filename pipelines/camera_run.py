"""One opening of a camera or recording: pictures through a session, findings to the bus."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import structlog

from pipelines.accounting import FrameAccounting
from pipelines.analysis import total_accounting
from pipelines.camera_masks import MasksInForce
from pipelines.camera_sources import CountsUpstream
from pipelines.config_evidence import ClipConfig
from pipelines.errors import PipelineError
from pipelines.findings import Finding
from pipelines.search_lists import ListSlot, SearchList
from pipelines.session import CameraSession, SessionOptions
from pipelines.sightings import Origin
from pipelines.tracing import SpanAbout
from pipelines.watch_parts import WatchParts
from vision.errors import GalleryError, SourceDecodeError
from vision.sources import FrameSource, Picture
from vision.types import Frame

WAIT_SECONDS = 0.5

STALL_SECONDS = 1.0
"""A live camera that sent no picture for so long has lost everybody it saw: they are forgotten."""

STALL_CHECK_SECONDS = 0.2

_OLDEST_SECONDS = 10.0
"""A picture older than that has not waited: the clock of this machine was set."""

_log = structlog.get_logger(__name__)


def upstream_of(source: FrameSource) -> FrameAccounting:
    """What became of frames before they could be handed out; safe from any thread."""
    if isinstance(source, CountsUpstream):
        return source.upstream()
    lost = source.undecodable_count
    return FrameAccounting(read=lost, undecodable=lost)


def _converted(session: CameraSession, picture: Picture) -> Frame:
    """The picture's pixels; one that has none to give is counted."""
    try:
        return picture.to_frame()
    except SourceDecodeError:
        session.note_dropped("not_converted")
        raise


@dataclass(frozen=True, slots=True)
class _Renewal:
    """Another session is wanted.

    Attributes:
        options: of it.
        openings: of the source when it was asked for; with the next one another scene begins. None: the same goes on.
        begun: whether the session of before has ended, and the other scene is awaited.
    """

    options: SessionOptions
    openings: int | None
    begun: bool = False


class CameraRun:
    """Plays one source to its end, searching the list that is in force at each frame."""

    def __init__(
        self, source: FrameSource, origin: Origin, options: SessionOptions, slot: ListSlot, parts: WatchParts
    ) -> None:
        self._source = source
        self._origin = origin
        self._options = options
        self._slot = slot
        self._parts = parts
        self._session: CameraSession | None = None
        self._in_force: SearchList | None = None
        self._before = FrameAccounting()
        burns = not isinstance(source, CountsUpstream)  # else it was done before pictures come here
        self._masks = MasksInForce(lambda: parts.masks(origin.camera_id), burns=burns)
        self._using = threading.Lock()
        self._last_picture_seconds = time.monotonic()
        self._over = threading.Event()
        self._renew: _Renewal | None = None
        self._masked_before = self._searched_before = 0
        self.candidates = 0
        self.lost = 0

    @property
    def in_force(self) -> SearchList | None:
        """The list searched at the last frame."""
        return self._in_force

    @property
    def masked_detections(self) -> int:
        """What was dropped under a detection mask so far."""
        return self._masked_before + (self._session.masked_detections if self._session else 0)

    @property
    def faces_searched(self) -> int:
        """Faces of which a look was held against a list so far."""
        return self._searched_before + (self._session.faces_searched if self._session else 0)

    def change(self, options: SessionOptions, clip: ClipConfig, *, another_scene: bool) -> None:
        """Goes by other options from the next picture on; from any thread.

        Args:
            options: take the place of those before.
            clip: how much of what comes is kept around a candidate.
            another_scene: whether the pictures that come soon are of another place: nobody seen so far is seen on.
        """
        if self._origin.clips is not None:
            self._origin.clips.config = clip
        pending = self._renew
        awaited = self._openings() if another_scene else pending.openings if pending else None
        if another_scene or pending is not None or options != self._options:
            self._renew = _Renewal(options, awaited)

    def _openings(self) -> int:
        return self._source.openings if isinstance(self._source, CountsUpstream) else 0

    def _renew_session(self) -> None:
        """Ends the session where its options have changed; once more where the other scene begins."""
        renew = self._renew
        if renew is None or (renew.begun and renew.openings == self._openings()):
            return
        self._end_session()
        self._in_force, self._options = None, renew.options
        over = renew.openings is None or renew.openings != self._openings()
        if self._renew is renew:
            self._renew = None if over else replace(renew, begun=True)

    def accounting(self) -> FrameAccounting:
        """What became of every frame of this source so far, upstream of here too."""
        return total_accounting((self.accounting_here(), upstream_of(self._source)))

    def accounting_here(self) -> FrameAccounting:
        """What became of every frame that came here; to be asked by the thread that plays."""
        now = self._session.accounting() if self._session else FrameAccounting()
        return total_accounting((self._before, now))

    def play(self, told: Callable[[], None]) -> None:
        """Plays until the source ends, the worker stops, or a camera may no longer be searched.

        Args:
            told: called after each frame the models saw, or did not need to see.

        Raises:
            SourceDecodeError: the source stopped being decodable.
            ModelError: a model failed.
        """
        try:
            with self._watched_for_stalls():
                for picture in self._source.pictures():
                    with self._using:
                        goes_on = self._take(picture, told)
                        self._note()
                        if not goes_on:
                            return
                        self._last_picture_seconds = time.monotonic()
        finally:
            self._end_session()
            self._origin.ended()
            self._note()

    def _note(self) -> None:
        if isinstance(self._source, CountsUpstream):
            self._source.note(self.accounting_here())

    def _take(self, picture: Picture, told: Callable[[], None]) -> bool:
        """Looks at one picture; False where this source is to be left."""
        self._origin.came(picture)
        self._renew_session()
        session = self._ready_session()
        if session is None:
            self._drop("not_searched" if not self._parts.stop.is_set() else "stopped")
            return False
        session.set_detection_masks(self._masks.detection())
        if picture.still:
            session.note_gated()
            session.hold(picture.pts_seconds)
            told()
        else:
            self._see(session, picture, told)
        return True

    @contextmanager
    def _watched_for_stalls(self) -> Iterator[None]:
        """Forgets tracks by the machine's clock while a live camera sends nothing.

        Tracks otherwise end by the clock of the pictures, which stands still without them, and reading
        a silent camera blocks until its time is up.
        """
        if not self._origin.clock.live:
            yield
            return
        guard = threading.Thread(target=self._forget_when_stalled, daemon=True)
        guard.start()
        try:
            yield
        finally:
            self._over.set()
            guard.join()

    def _forget_when_stalled(self) -> None:
        while not self._over.wait(STALL_CHECK_SECONDS):
            if self._using.acquire(blocking=False):  # else a picture is being looked at: no stall
                try:
                    self._forget_if_stalled()
                finally:
                    self._using.release()

    def _forget_if_stalled(self) -> None:
        if self._session is None or time.monotonic() - self._last_picture_seconds < STALL_SECONDS:
            return
        self._session.end_tracks()
        if self._slot.current() is None:
            self._put_nothing_in_force()

    def _ready_session(self) -> CameraSession | None:
        """The session with the list in force; None where this source is to be left."""
        while not self._parts.stop.is_set():
            wanted = self._slot.current()
            if wanted is not None and self._put_in_force(wanted):
                return self._session
            self._put_nothing_in_force()
            if self._origin.clock.live:
                return None
            self._slot.wait(WAIT_SECONDS)  # a recording waits where it is
        return None

    def _put_in_force(self, wanted: SearchList) -> bool:
        if wanted is self._in_force and self._session is not None:
            return True
        rate = self._wanted_rate(wanted)
        known = self._wanted_rate(self._in_force) if self._in_force else None
        try:
            if self._session is None or rate != known:
                self._end_session()
                options = replace(self._options, false_alerts_per_1000_faces=rate)
                self._session = CameraSession(self._parts.engines(), options)
            self._session.set_gallery(wanted.gallery)
        except GalleryError as error:
            _log.error("list_refused", camera_id=self._origin.camera_id, reason=str(error))
            self._slot.refuse(wanted)
            return False
        self._in_force = wanted
        _log.info(
            "list_in_force",
            camera_id=self._origin.camera_id,
            deployment_id=wanted.package.deployment_id,
            version=wanted.package.version,
        )
        return True

    def _wanted_rate(self, search_list: SearchList) -> float:
        """False alerts per 1,000 faces: the list's or the camera's, whichever is stricter."""
        return min(search_list.package.false_alerts_per_1000_faces, self._options.false_alerts_per_1000_faces)

    def _put_nothing_in_force(self) -> None:
        if self._session is not None and self._in_force is not None:
            self._session.set_gallery(None)
            self._session.end_tracks()
        self._in_force = None

    def _see(self, session: CameraSession, picture: Picture, told: Callable[[], None]) -> None:
        if not session.wants(picture.pts_seconds):
            return
        captured = getattr(picture, "captured_seconds", None)  # where another process decoded it
        with self._span("frame", picture, captured):
            with self._span("decode", picture, captured):
                frame = self._masks.hide(_converted(session, picture))
            turn = self._parts.inference.turn(self._origin.camera_id, age_seconds=self._age(captured))
            with turn, self._span("infer", picture):
                result = session.infer(frame)
            self._origin.saw(result)
            for finding in result.findings:
                with self._span("decide", picture):
                    self._report(finding, picture)
        if result.findings:
            self._measure_latency(picture)
        told()

    def _span(
        self, name: str, picture: Picture, began_unix_seconds: float | None = None
    ) -> AbstractContextManager[None]:
        deployment = self._in_force.package.deployment_id if self._in_force else ""
        about = SpanAbout(self._origin.camera_id, deployment, frame_index=picture.frame_index)
        return self._parts.observing.tracing.span(name, about, began_unix_seconds=began_unix_seconds)

    def _age(self, captured_unix_seconds: float | None) -> float:
        """How long a live picture has waited; the pictures of a recording do not grow old."""
        if captured_unix_seconds is None or not self._origin.clock.live:
            return 0.0
        return min(max(0.0, time.time() - captured_unix_seconds), _OLDEST_SECONDS)

    def _measure_latency(self, picture: Picture) -> None:
        clock = self._origin.clock
        captured = clock.at(picture.pts_seconds)
        if clock.live and captured.moment is not None:
            seconds = (clock.now() - captured.moment).total_seconds()
            self._parts.observing.metrics.latency(self._origin.camera_id, seconds)

    def _report(self, finding: Finding, picture: Picture) -> None:
        if self._in_force is None or self._in_force.gallery.wiped or self._slot.current() is None:
            return  # revoked or over since this frame was begun
        try:
            with self._span("seal", picture):
                candidate = self._parts.maker.make(
                    finding, self._origin, self._in_force.package, self.accounting()
                )
            with self._span("publish", picture):
                candidate = self._origin.announce(candidate, self._parts.publish)
        except PipelineError as error:
            self.lost += finding.revision == 1
            _log.error("candidate_lost", camera_id=self._origin.camera_id, reason=str(error))
            return
        self.candidates += finding.revision == 1
        decided_on = self._origin.clock.at(picture.pts_seconds).moment
        _log.info(
            "candidate_withdrawn" if finding.withdrawn else "candidate",
            camera_id=self._origin.camera_id,
            candidate_id=str(candidate.candidate_id),
            revision=candidate.revision,
            deployment_id=candidate.deployment_id,
            decided_on=decided_on.isoformat() if decided_on else None,
        )

    def _drop(self, reason: str) -> None:
        """Counts the picture that was read and is not looked at any more."""
        if self._session is not None:
            self._session.note_dropped(reason)
        else:
            self._before = total_accounting(
                (self._before, FrameAccounting(read=1, decoded=1, dropped={reason: 1}))
            )

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.end_tracks()
            self._before = total_accounting((self._before, self._session.accounting()))
            self._masked_before += self._session.masked_detections
            self._searched_before += self._session.faces_searched
            self._session = None
