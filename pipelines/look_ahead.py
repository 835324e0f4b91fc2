"""A source's pictures searched ahead of their turn: several threads work, results come in order.

Reading on, finding a picture's objects and finding its faces are tasks of their own. Reading is one task at a time,
in order, and comes first: it is what all else waits for. Whoever has nothing to do takes the oldest task left, and so
does the thread that waits for the next result. So with N threads never more than N work, and never more than a fixed
number of pictures is held.

What goes wrong in any task is raised where its picture's turn comes, as if one thread had done it all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from pipelines.closer_look import FaceSearch
from pipelines.frame_search import Found, FrameSearch, Prepared
from vision.sources import FrameSource, Picture
from vision.types import Detections, Faces

Task: TypeAlias = Callable[[], None]
Result = TypeVar("Result")

PICTURES_A_THREAD = 2
"""Held at most: one that is worked at, and one that waits, so that nobody waits for the reader."""


class AheadPicture:
    """One picture of the source, searched already where it was wanted.

    Attributes:
        pts_seconds: as in `Picture`.
        undecodable_count: the source's, when it was read.
        wanted: whether the models were to see it; the rest is there only then.
        prepared: the frame; its `result` raises SourceDecodeError where it could not be converted.
        objects: what was found, or what went wrong.
        faces: likewise.
    """

    __slots__ = ("faces", "objects", "prepared", "pts_seconds", "to_do", "undecodable_count", "wanted")

    def __init__(self, pts_seconds: float, undecodable_count: int, *, wanted: bool) -> None:
        self.pts_seconds = pts_seconds
        self.undecodable_count = undecodable_count
        self.wanted = wanted
        self.prepared: Future[Prepared] = Future()
        self.objects: Future[Detections | None] = Future()
        self.faces: Future[tuple[Faces, FaceSearch]] = Future()
        self.to_do: list[Task] = []

    @property
    def ready(self) -> bool:
        """Whether there is nothing left to be done for it."""
        if not self.wanted or self.prepared.exception(0) is not None:
            return True
        return self.objects.done() and self.faces.done()

    def found(self) -> Found:
        """What the detectors found.

        Raises:
            VisionError: one of them failed.
        """
        objects = self.objects.result()
        faces, face_search = self.faces.result()
        return Found(objects, faces, face_search)


class LookAhead:
    """Reads a source and searches its pictures; a context manager whose threads are gone when it is left.

    Iterating over it gives every picture of the source in order, as soon as it is ready.

    Args:
        source: open; read by nobody else until this is left.
        wants: whether the models are to see a picture of that time; asked once for each, in order.
        search: of this source.
        threads: that work, the one that iterates included; at least 1.
    """

    def __init__(
        self, source: FrameSource, wants: Callable[[float], bool], search: FrameSearch, threads: int
    ) -> None:
        self._source = source
        self._pictures = source.pictures()
        self._wants = wants
        self._search = search
        self._room = PICTURES_A_THREAD * threads
        self._changed = threading.Condition()
        self._held: deque[AheadPicture] = deque()
        self._wanted_held = 0
        self._reading = self._at_end = self._left = False
        self._failure: Exception | None = None
        self._undecodable = 0
        self._workers = [
            threading.Thread(target=self._work, name=f"look ahead {number}", daemon=True)
            for number in range(1, threads)
        ]

    @property
    def undecodable_count(self) -> int:
        """The source's, as of the picture handed out last; others were read since."""
        return self._undecodable

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._left = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join()

    def __iter__(self) -> Iterator[AheadPicture]:
        """Every picture in order.

        Raises:
            SourceDecodeError: the source stopped being decodable, after the last picture that could be had.
        """
        while (picture := self._next()) is not None:
            yield picture
        if self._failure is not None:
            raise self._failure

    def _next(self) -> AheadPicture | None:
        """The next picture; works until it is ready. None at the end."""
        while True:
            with self._changed:
                if self._held and self._held[0].ready:
                    return self._handed_out()
                if self._at_end and not self._held:
                    self._undecodable = self._source.undecodable_count
                    return None
                task = self._taken()
                if task is None:
                    self._changed.wait()
            if task is not None:
                task()

    def _handed_out(self) -> AheadPicture:
        picture = self._held.popleft()
        self._undecodable = picture.undecodable_count
        if picture.wanted:
            self._wanted_held -= 1
            self._changed.notify_all()
        return picture

    def _work(self) -> None:
        while True:
            with self._changed:
                task = None if self._left else self._taken()
                if task is None and not self._left:
                    self._changed.wait()
            if task is not None:
                task()
            elif self._left:
                return

    def _taken(self) -> Task | None:
        """A task nobody else will do; called with the lock held."""
        if not self._reading and not self._at_end and self._wanted_held < self._room:
            self._reading = True
            return self._read_on
        for picture in self._held:
            if picture.to_do:
                return picture.to_do.pop(0)
        return None

    def _read_on(self) -> None:
        """Reads up to the next picture that is wanted."""
        at_end, failure = True, None
        try:
            for picture in self._pictures:
                if self._took(picture):
                    at_end = False
                    break
        except Exception as error:  # noqa: BLE001 - raised again where its turn comes
            failure = error
        with self._changed:
            self._reading = False
            self._at_end |= at_end
            self._failure = self._failure or failure
            self._changed.notify_all()

    def _took(self, picture: Picture) -> bool:
        """Takes a picture in; whether reading may rest. One that cannot be converted is the last."""
        ahead = AheadPicture(
            picture.pts_seconds, self._source.undecodable_count, wanted=self._wants(picture.pts_seconds)
        )
        if ahead.wanted:
            _fulfil(ahead.prepared, lambda: self._search.prepare(picture.to_frame()))
            if ahead.prepared.exception() is None:
                prepared = ahead.prepared.result()
                ahead.to_do = [
                    partial(self._do, ahead.faces, lambda: self._search.faces(prepared)),
                    partial(self._do, ahead.objects, lambda: self._search.objects(prepared)),
                ]
        with self._changed:
            self._held.append(ahead)
            self._wanted_held += ahead.wanted
            self._at_end |= ahead.wanted and not ahead.to_do
            self._changed.notify_all()
        return ahead.wanted or self._left

    def _do(self, future: Future[Result], call: Callable[[], Result]) -> None:
        _fulfil(future, call)
        with self._changed:
            self._changed.notify_all()


def _fulfil(future: Future[Result], call: Callable[[], Result]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - raised again where its turn comes
        future.set_exception(error)
