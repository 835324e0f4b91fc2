"""Several threads on one recording: the same results in the same order, whatever happens on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from pipelines.findings import FrameResult, TrackSummary
from pipelines.look_ahead import PICTURES_A_THREAD
from pipelines.session import CameraSession, SessionOptions
from pipelines.stages import Engines
from tests.fake_engine import FakeDetector, FakeFaceDetector, Painted, fake_engines, paint, square
from tests.unit.pipelines.session_play import ANN, BEA, EVERY_FRAME, LIST, STRANGER
from tests.waiting import wait_until
from vision.errors import ModelError, SourceDecodeError, VisionError
from vision.sources import FrameSource, Picture
from vision.types import Detections, Faces, Frame, Image

SIZE_WH = (640, 480)
PICTURES = 27
CLOSELY = SessionOptions(inference_fps=None, region_crops=3)


class Shown:
    """One picture of the film."""

    key_frame = False
    still = False

    def __init__(self, index: int, film: Film) -> None:
        self.frame_index = index
        self.pts_seconds = index / 10
        self._film = film

    def to_frame(self) -> Frame:
        if self.frame_index == self._film.not_converted:
            raise SourceDecodeError("film", "in a format nobody knows")
        self._film.converted += 1
        return Frame(street(self.frame_index), self.pts_seconds, self.frame_index)


class Film(FrameSource):
    """A short film of a street; some of it broken, where a test says so."""

    def __init__(self, *, lost: int = -1, cut_off: int = -1, not_converted: int = -1) -> None:
        super().__init__("film")
        self.converted = 0
        self.not_converted = not_converted
        self._undecodable_at = lost
        self._cut_off = cut_off

    fps_nominal = 10.0
    size_wh = SIZE_WH

    def close(self) -> None:
        """Nothing is open."""

    def _pictures(self) -> Iterator[Picture]:
        for index in range(PICTURES):
            if index == self._cut_off:
                self._lost("the rest", PICTURES - index)
                raise SourceDecodeError(self.location, "cut off")
            if index == self._undecodable_at:
                self._lost("broken")
            self.read_count += 1
            yield Shown(index, self)


def street(index: int) -> Image:
    """Three people who walk, one of them small, before another wall from the twentieth picture on."""
    people = [
        Painted(ANN, square(40 + 4 * index, 40, 60), body_xyxy=(30 + 4 * index, 30, 110 + 4 * index, 300)),
        Painted(STRANGER, square(500 - 4 * index, 160, 60)),
        Painted(BEA, square(300 - 6 * index, 400, 30)),
    ]
    return paint(people, SIZE_WH, scene=1 if index >= 20 else 0)


class ShortSighted(FakeFaceDetector):
    """Sees small faces only where they are shown grown: so that it matters how a picture is searched."""

    def detect(self, image: Image) -> Faces:
        found = super().detect(image)
        return found[np.flatnonzero(found.xyxy[:, 2] - found.xyxy[:, 0] >= 50)]


def street_engines() -> Engines:
    return replace(fake_engines(detector=FakeDetector()), face_detector=ShortSighted())


class Watched:
    """One run of a session, with everything it said."""

    def __init__(
        self, source: FrameSource, engines: Engines | None = None, options: SessionOptions = EVERY_FRAME
    ) -> None:
        self.source = source
        self.ended: list[TrackSummary] = []
        self.results: list[FrameResult] = []
        self.error: VisionError | None = None
        self.session = CameraSession(engines or street_engines(), options, self.ended.append)
        self.session.set_gallery(LIST)

    def run(self, threads: int, stop: Callable[[], bool] = lambda: False) -> Watched:
        try:
            for result in self.session.run(self.source, stop, threads):
                self.results.append(result)
        except VisionError as error:
            self.error = error
        return self

    def said(self) -> object:
        """All that must not depend on how many threads worked."""
        findings = [
            (each.pts_seconds, each.track_id, each.subject_id, each.similarity, each.revision, each.withdrawn)
            for result in self.results
            for each in result.findings
        ]
        seen = [(r.frame.frame_index, r.faces, r.objects, r.scene_cut) for r in self.results]
        ended = [(each.track_id, each.start_pts_seconds, each.frames_seen) for each in self.ended]
        return seen, findings, ended, self.session.accounting(), self.session.media_seconds, str(self.error)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("look ahead")]


@pytest.mark.system  # takes its time
@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize(
    "options",
    [CLOSELY, SessionOptions(inference_fps=4.0)],
)
def test_several_threads_give_what_one_gives(threads: int, options: SessionOptions) -> None:
    alone = Watched(Film(), options=options).run(1)
    together = Watched(Film(), options=options).run(threads)
    assert together.said() == alone.said()
    assert {finding.subject_id for result in alone.results for finding in result.findings} >= {"ann"}


def test_a_search_that_was_foreseen_wrongly_is_made_again() -> None:
    # After fifty faces the camera's are known to be large, and parts of the picture are searched no more: what was
    # searched ahead by then was searched as before.
    faces = [len(result.faces) for result in Watched(Film(), options=CLOSELY).run(1).results]
    assert 3 in faces[:15]
    assert 3 not in faces[24:]


class Failing(FakeDetector):
    """Breaks at one picture, told by its place: the walker's."""

    def __init__(self, index: int) -> None:
        self._left = 30 + 4 * index

    def detect(self, image: Image) -> Detections:
        found = super().detect(image)
        if len(found) and image.shape[1] == SIZE_WH[0] and round(float(found.xyxy[:, 0].min())) == self._left:
            raise ModelError("out of memory")
        return found


class FailingFaces(ShortSighted):
    """Breaks at one picture, told by where the first face is."""

    def __init__(self, index: int) -> None:
        self._left = 40 + 4 * index

    def detect(self, image: Image) -> Faces:
        found = super().detect(image)
        if image.shape[1] == SIZE_WH[0] and round(float(found.xyxy[:, 0].min())) == self._left:
            raise ModelError("out of memory")
        return found


BROKEN = {
    "a lost picture": lambda: Watched(Film(lost=12)),
    "cut off": lambda: Watched(Film(cut_off=12)),
    "cut off at once": lambda: Watched(Film(cut_off=0)),
    "not converted": lambda: Watched(Film(not_converted=12)),
    "the object detector fails": lambda: Watched(Film(), replace(street_engines(), detector=Failing(12))),
    "the face detector fails": lambda: Watched(
        Film(), replace(street_engines(), face_detector=FailingFaces(12))
    ),
    "both fail, and later the file": lambda: Watched(
        Film(cut_off=14), replace(street_engines(), detector=Failing(13), face_detector=FailingFaces(12))
    ),
}


@pytest.mark.system  # takes its time
@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_breaks_where_its_turn_comes_and_what_came_before_stands(case: str) -> None:
    alone, together = BROKEN[case]().run(1), BROKEN[case]().run(3)
    assert together.said() == alone.said()
    assert (alone.error is None) == (case == "a lost picture")


def test_an_error_nobody_expected_comes_out_too() -> None:
    class Surprising(FakeDetector):
        def detect(self, image: Image) -> Detections:
            raise ZeroDivisionError(image.shape)

    watched = Watched(Film(), replace(street_engines(), detector=Surprising()))
    with pytest.raises(ZeroDivisionError):
        watched.run(3)


def test_stopping_counts_the_picture_it_stopped_at() -> None:
    said = []
    for threads in (1, 3):
        watched = Watched(Film())
        said.append(watched.run(threads, stop=lambda: len(watched.results) == 7).said())  # noqa: B023
    assert said[0] == said[1]


@pytest.mark.parametrize("threads", [2, 4])
def test_whoever_listens_no_more_leaves_nothing_running_and_little_was_read(threads: int) -> None:
    source = Film()
    results = Watched(source).session.run(source, threads=threads)
    next(results)
    wait_until(lambda: source.converted == 1 + PICTURES_A_THREAD * threads)
    results.close()  # type: ignore[attr-defined]
    assert source.converted == 1 + PICTURES_A_THREAD * threads


class AtWork:
    """How many threads are at work at once."""

    def __init__(self, threads: int) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._all_at_work = threading.Event()
        self._threads = threads

    @contextmanager
    def one_more(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            if self._now >= self._threads:
                self._all_at_work.set()
        self._all_at_work.wait(10)  # until as many work as there are
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


@pytest.mark.parametrize("threads", [2, 3])
def test_as_many_work_at_once_as_there_are_threads_and_never_more(threads: int) -> None:
    work = AtWork(threads)

    class Detector(FakeDetector):
        def detect(self, image: Image) -> Detections:
            with work.one_more():
                return super().detect(image)

    class FaceDetector(ShortSighted):
        def detect(self, image: Image) -> Faces:
            with work.one_more():
                return super().detect(image)

    engines = replace(street_engines(), detector=Detector(), face_detector=FaceDetector())
    watched = Watched(Film(), engines).run(threads)
    assert len(watched.results) == PICTURES
    assert work.most == threads


def numbers(results: Sequence[FrameResult]) -> list[int]:
    return [result.frame.frame_index for result in results]


def test_order_is_that_of_the_source_though_early_pictures_take_longest() -> None:
    class Slow(FakeDetector):
        """The second picture waits until later ones are done."""

        def __init__(self) -> None:
            self.done = threading.Semaphore(0)

        def detect(self, image: Image) -> Detections:
            found = super().detect(image)
            if round(float(found.xyxy[:, 0].min())) == 30 + 4 * 1 and image.shape[1] == SIZE_WH[0]:
                for _ in range(2):
                    assert self.done.acquire(timeout=10)
            else:
                self.done.release()
            return found

    watched = Watched(Film(), replace(street_engines(), detector=Slow())).run(3)
    assert numbers(watched.results) == list(range(PICTURES))
