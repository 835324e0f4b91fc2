"""What the detectors find in one camera's frames, in three steps, of which the long one needs no order.

`prepare` is called frame by frame, in order; it is cheap. `detect` may then run in any thread, for several frames at
once. `settled` is called frame by frame again, in order: how faces are searched in a frame follows from the faces of
the frames before it, which `detect` can only foresee; where it foresaw wrongly the frame is searched again. So what
comes out is the same, however many frames were under way.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pipelines.closer_look import CloserLook, FaceSearch
from pipelines.stages import Engines, SceneCuts
from vision.detect.motion import Box
from vision.types import Detections, Faces, Frame


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame, and what must be known of it before it is searched.

    Attributes:
        frame: as it came.
        number: of the frame among those that were prepared, counted from 1.
        scene_cut: it has little to do with the frame before.
        moving: parts in which something moves.
    """

    frame: Frame
    number: int
    scene_cut: bool
    moving: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the detectors gave for one frame.

    Attributes:
        objects: None where no detector is wanted.
        faces: in pixels of the frame.
        face_search: how they were searched.
    """

    objects: Detections | None
    faces: Faces
    face_search: FaceSearch


class FrameSearch:
    """The detectors of one camera.

    Args:
        engines: with the detectors.
        crops: moving parts of each picture that are searched closely.
    """

    def __init__(self, engines: Engines, crops: int) -> None:
        self._detector = engines.detector
        self._face_detector = engines.face_detector
        self._look = CloserLook(crops)
        self._cuts = SceneCuts()
        self._choosing = threading.Lock()
        self._prepared = 0

    def prepare(self, frame: Frame) -> Prepared:
        """The first step, for each frame in order."""
        scene_cut = self._cuts.is_cut(frame.image)
        if scene_cut:
            self._look.reset()
        self._prepared += 1
        return Prepared(frame, self._prepared, scene_cut, self._look.see(frame.image))

    def detect(self, prepared: Prepared) -> Found:
        """The second step, in any thread and order.

        Raises:
            VisionError: a model failed.
        """
        objects = self.objects(prepared)
        faces, face_search = self.faces(prepared)
        return Found(objects, faces, face_search)

    def objects(self, prepared: Prepared) -> Detections | None:
        """The half of `detect` that looks for people and vehicles."""
        if self._detector is None:
            return None
        return self._look.objects(prepared.frame.image, prepared.moving, self._detector)

    def faces(self, prepared: Prepared) -> tuple[Faces, FaceSearch]:
        """The half of `detect` that looks for faces, and how it did."""
        with self._choosing:
            search = self._look.foreseen(prepared.frame.image, prepared.number)
        return self._searched(prepared, search), search

    def settled(self, prepared: Prepared, found: Found) -> Faces:
        """The third step, for each frame in order: its faces, searched again where `detect` foresaw wrongly.

        Raises:
            VisionError: the model failed on the second search.
        """
        with self._choosing:
            search = self._look.face_search(prepared.frame.image)
        faces = found.faces if search == found.face_search else self._searched(prepared, search)
        with self._choosing:
            self._look.note(faces)
        return faces

    def _searched(self, prepared: Prepared, search: FaceSearch) -> Faces:
        return self._look.faces(prepared.frame.image, prepared.moving, search, self._face_detector)
