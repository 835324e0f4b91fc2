"""The matcher's side of clips: where each probe was, what is asked of the decoder, and how the answer joins a candidate.

A clip ends seconds after its candidate was published. It is asked for once that time has passed, sealed when it
comes, and announced as a further revision of the same candidate: same subject, same similarity, more evidence. So
revisions are counted here: those perception makes, and one for the clip.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from pipelines.config_evidence import ClipConfig
from pipelines.errors import PipelineError
from pipelines.events import Candidate, EvidenceItem
from pipelines.evidence import EvidenceStore
from pipelines.evidence_clip import Clip
from pipelines.findings import FaceSeen, FrameResult, Xyxy
from pipelines.live.clip_memory import from_memory
from pipelines.live.clip_messages import ClipLook, ClipMade, ClipPart, ClipWanted, RelativeXyxy

MAX_TRACKS = 64
MAX_OTHERS = 6
MAX_LOOKS = 240
"""Of one clip: what fits a message. Of more every second one goes, until they fit."""

MAX_PATH = 2000
"""Looks kept of a track; a hundred seconds of every picture."""

NEAR = 1.0
"""Others whose box touches the probe's, enlarged by so much of its own size on each side, travel along."""

ANSWER_SECONDS = 120.0
"""A clip that has not come until then is not waited for any longer."""

MAX_FOLLOWED = 256
"""Candidates whose revisions are counted at a time; the oldest goes."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Followed:
    """One candidate, as far as clips matter."""

    track_id: int
    due_pts_seconds: float
    newest: Candidate
    added: tuple[EvidenceItem, ...] = ()
    revisions_added: int = 0
    state: str = "due"


class ClipDesk:
    """All clips of one matcher: sends what is asked, and gives answers to the camera they belong to."""

    def __init__(
        self,
        ask: Callable[[ClipWanted], None],
        evidence: EvidenceStore,
        publish: Callable[[Candidate], Candidate],
    ) -> None:
        """
        Args:
            ask: sends the wish to the camera's decoder.
            evidence: where clips are sealed to.
            publish: signs a candidate and puts it on disk.
        """
        self._ask = ask
        self._evidence = evidence
        self._publish = publish
        self._mutex = threading.Lock()
        self._asked: OrderedDict[str, tuple[float, ClipKeeper, uuid.UUID]] = OrderedDict()
        self._attaching = threading.Lock()
        self._closed = False

    def keeper(self, camera_id: str, config: ClipConfig) -> ClipKeeper | None:
        """For one opening of a camera; None where it is to have no clips."""
        if config.seconds_before + config.seconds_after <= 0:
            return None
        return ClipKeeper(camera_id, config, self)

    def ask(self, keeper: ClipKeeper, candidate_id: uuid.UUID, wanted: ClipWanted) -> None:
        """Sends a wish; what never was answered is forgotten on the way."""
        now = time.monotonic()
        with self._mutex:
            while self._asked and next(iter(self._asked.values()))[0] < now - ANSWER_SECONDS:
                self._asked.popitem(last=False)
            self._asked[wanted.clip_id] = (now, keeper, candidate_id)
        try:
            self._ask(wanted)
        except (PipelineError, OSError) as error:
            _log.warning("clip_not_asked", camera_id=wanted.camera_id, reason=type(error).__name__)

    def made(self, message: ClipMade, descriptors: Sequence[int]) -> None:
        """An answer from a decoder, and the memory of its parts, which is closed here.

        Nothing of it is believed beyond its bounds; what nobody asked for is passed over.
        """
        with self._mutex:
            _, keeper, candidate_id = self._asked.pop(message.clip_id, (0.0, None, None))
        try:
            with self._attaching:
                self._take(message, descriptors, keeper, candidate_id)
        except PipelineError as error:
            _log.error("clip_lost", camera_id=message.camera_id, reason=str(error))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def close(self) -> None:
        """Nothing is published from here on; what is under way is first."""
        with self._attaching:
            self._closed = True

    def _take(
        self,
        message: ClipMade,
        descriptors: Sequence[int],
        keeper: ClipKeeper | None,
        candidate_id: uuid.UUID | None,
    ) -> None:
        if self._closed:
            _log.warning("clip_missing", camera_id=message.camera_id, reason="the worker has ended")
        elif keeper is None or candidate_id is None or keeper.camera_id != message.camera_id:
            _log.warning("clip_unasked", camera_id=message.camera_id)
        elif message.problem or not message.parts:
            _log.warning("clip_missing", camera_id=message.camera_id, reason=message.problem[:200])
        elif len(message.parts) != len(descriptors):
            _log.warning("clip_missing", camera_id=message.camera_id, reason="without its memory")
        else:
            keeper.attach(candidate_id, lambda: self._sealed(message.parts, descriptors), self._publish)

    def _sealed(self, parts: Sequence[ClipPart], descriptors: Sequence[int]) -> tuple[EvidenceItem, ...]:
        return tuple(
            self._evidence.put_clip(part.kind, _clip(part, from_memory(descriptor, part.size_bytes)))
            for part, descriptor in zip(parts, descriptors, strict=True)
        )


@dataclass(slots=True)
class ClipKeeper:
    """Clips of one opening of one camera. `saw` and `passed` are the camera's thread's; the rest is safe anywhere.

    Attributes:
        camera_id: the camera.
        config: how much before and after.
        desk: sends and receives.
    """

    camera_id: str
    config: ClipConfig
    desk: ClipDesk
    _paths: OrderedDict[int, deque[ClipLook]] = field(default_factory=OrderedDict)
    _present: set[int] = field(default_factory=set)
    _followed: OrderedDict[uuid.UUID, _Followed] = field(default_factory=OrderedDict)
    _mutex: threading.RLock = field(default_factory=threading.RLock)

    def saw(self, result: FrameResult) -> None:
        """Notes where every tracked face was, as shares of the picture, as long as a clip could need it."""
        height, width = result.frame.image.shape[:2]
        self._present = {face.track_id for face in result.faces if face.track_id is not None}
        for face in result.faces:
            if face.track_id is not None:
                path = self._paths.setdefault(face.track_id, deque())
                path.append(_look(face, result, (width, height)))
                self._paths.move_to_end(face.track_id)
        oldest = result.frame.pts_seconds - self.config.seconds_before - self.config.seconds_after - 5.0
        for track_id in list(self._paths):
            path = self._paths[track_id]
            while path and path[0].pts_seconds < oldest:
                path.popleft()
            if not path or (len(self._paths) > MAX_TRACKS and track_id == next(iter(self._paths))):
                del self._paths[track_id]

    def still(self, pts_seconds: float) -> None:
        """Nothing moved since the last look: whoever was seen in it is where they were."""
        for track_id in self._present:
            path = self._paths.get(track_id)
            if path and len(path) < MAX_PATH:
                path.append(replace(path[-1], pts_seconds=pts_seconds))

    def announce(self, candidate: Candidate, publish: Callable[[Candidate], Candidate]) -> Candidate:
        """Publishes a candidate as perception made it, with the clip it has already; follows it from then on.

        Args:
            candidate: its revision is perception's own count; one more is added once there is a clip.
            publish: signs it and puts it on disk.

        Returns:
            What was published.

        Raises:
            PipelineError: as `publish`.
        """
        with self._mutex:  # the clip's own revision comes before this one, or after it
            known = self._followed.get(candidate.candidate_id)
            if known is not None:
                added = () if candidate.withdrawn else known.added
                update = {
                    "revision": candidate.revision + known.revisions_added,
                    "evidence": (*candidate.evidence, *added),
                }
                candidate = candidate.model_copy(update=update)
            published = publish(candidate)
            if known is None:
                due = candidate.pts_seconds + self.config.seconds_after
                known = self._followed[candidate.candidate_id] = _Followed(candidate.track_id, due, published)
            known.newest = published
            while len(self._followed) > MAX_FOLLOWED:
                self._followed.popitem(last=False)
            return published

    def passed(self, pts_seconds: float) -> None:
        """The camera has come to this time: asks for the clips that are complete now."""
        with self._mutex:
            due = [one for one in self._followed.values() if one.state == "due"]
            due = [one for one in due if one.due_pts_seconds <= pts_seconds and not one.newest.withdrawn]
            for one in due:
                one.state = "asked"
        for one in due:
            self.desk.ask(self, one.newest.candidate_id, self._wanted(one))

    def ended(self) -> None:
        """The camera is closed: what is not complete yet is asked for as far as it goes."""
        self.passed(float("inf"))

    def attach(
        self,
        candidate_id: uuid.UUID,
        sealed: Callable[[], tuple[EvidenceItem, ...]],
        publish: Callable[[Candidate], Candidate],
    ) -> None:
        """Seals a clip and announces it; nothing is sealed of a candidate that was taken back.

        Raises:
            PipelineError: it cannot be sealed or put on disk.
        """
        with self._mutex:  # no revision of perception's may come between the number and the announcement
            known = self._followed.get(candidate_id)
            if known is None or known.newest.withdrawn or known.added:
                return
            added = sealed()
            newest = known.newest
            update = {
                "revision": newest.revision + 1,
                "evidence": (*newest.evidence, *added),
                "signature": None,
            }
            known.newest = publish(newest.model_copy(update=update))
            known.added, known.revisions_added, known.state = added, known.revisions_added + 1, "announced"
        _log.info("clip_announced", camera_id=self.camera_id, candidate_id=str(candidate_id))

    def _wanted(self, one: _Followed) -> ClipWanted:
        began = one.due_pts_seconds - self.config.seconds_after - self.config.seconds_before
        looks = [look for look in self._paths.get(one.track_id, ()) if look.pts_seconds >= began - 1.0]
        looks = [look for look in looks if look.pts_seconds <= one.due_pts_seconds + 1.0]
        while len(looks) > MAX_LOOKS:
            looks = looks[::2]
        return ClipWanted(self.camera_id, uuid.uuid4().hex, began, one.due_pts_seconds, tuple(looks))


def _look(face: FaceSeen, result: FrameResult, size_wh: tuple[int, int]) -> ClipLook:
    near = [
        _relative(other.xyxy, size_wh)
        for other in result.faces
        if other is not face and _touches(_enlarged(face.xyxy), other.xyxy)
    ]
    return ClipLook(result.frame.pts_seconds, _relative(face.xyxy, size_wh), tuple(near[:MAX_OTHERS]))


def _relative(xyxy: Xyxy, size_wh: tuple[int, int]) -> RelativeXyxy:
    left, top, right, bottom = (
        round(float(value) / side, 5) for value, side in zip(xyxy, (*size_wh, *size_wh), strict=True)
    )
    return left, top, right, bottom


def _enlarged(xyxy: Xyxy) -> Xyxy:
    left, top, right, bottom = xyxy
    x, y = NEAR * (right - left), NEAR * (bottom - top)
    return left - x, top - y, right + x, bottom + y


def _touches(one: Xyxy, other: Xyxy) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _clip(part: ClipPart, content: bytes) -> Clip:
    return Clip(content, part.media_type, part.width, part.height, part.first_pts_seconds, part.seconds)
