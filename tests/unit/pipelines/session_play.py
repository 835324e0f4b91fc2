"""A session fed with painted frames, for its tests."""

from __future__ import annotations

import numpy as np

from pipelines.findings import Finding, FrameResult, TrackSummary
from pipelines.session import CameraSession, SessionOptions
from tests.fake_engine import FakeDetector, FakeEmbedder, Painted, face_of, fake_engines, frame, square
from vision.identify.gallery import Gallery

ANN, BEA, STRANGER, OTHER = 10, 60, 110, 160
LIST = Gallery(np.stack([face_of(ANN), face_of(BEA)]), ["ann", "bea"])
EVERY_FRAME = SessionOptions(inference_fps=None)
LONG_LIST = Gallery(
    np.stack([face_of(person) for person in (ANN, BEA, *range(200, 213))]),
    ["ann", "bea", *(f"filler-{i}" for i in range(13))],
)
"""So long that no measurement supports a decision by one look."""


class Play:
    """A session fed with painted frames at ten a second."""

    def __init__(
        self,
        options: SessionOptions = EVERY_FRAME,
        gallery: Gallery | None = LIST,
        *,
        noise: float = 0.5,
        objects: bool = False,
    ) -> None:
        self.ended: list[TrackSummary] = []
        self.embedder = FakeEmbedder(noise)
        engines = fake_engines(embedder=self.embedder, detector=FakeDetector() if objects else None)
        self.session = CameraSession(engines, options, self.ended.append)
        self.session.set_gallery(gallery)
        self.index = 0
        self.findings: list[Finding] = []

    def show(self, *people: Painted, times: int = 1, scene: int = 0) -> FrameResult | None:
        result = None
        for _ in range(times):
            result = self.session.process(frame(people, self.index / 10, self.index, scene))
            self.index += 1
            if result:
                self.findings += result.findings
        return result

    def wait(self, seconds: float) -> None:
        self.index += round(seconds * 10)


def someone(person: int, x: int = 100, *, blurred: bool = False) -> Painted:
    return Painted(person, square(x, 60), blurred=blurred)
