"""`python -m bench.gate VIDEO`: what the motion gate saves, and what it costs in what is seen.

The same frames go through two sessions with the models of a worker: one looks at all of them, one at those
that the gate lets through. A night is made from the video; there the gate sees every frame, the models the
open ones, and the truth is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from bench.night import NightFootage, NightOptions
from pipelines.build import Perception, PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.presence import Presence, PresenceLog, largest_difference_seconds
from pipelines.sampling import Sampler
from pipelines.session import CameraSession, SessionOptions
from vision.detect.gate import GateOptions, Grey, MotionGate
from vision.types import Frame, Image
from vision.video import open_source
from weights.catalog import load_catalog
from weights.store import WeightStore

INFERENCE_FPS = 5.0
TOLERANCE_SECONDS = 1.0
"""By which the ends of presence intervals may differ."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One run over some frames.

    Attributes:
        seen: times of the frames, seconds.
        inferred: of those, the ones the models saw.
        presence: when somebody was there.
    """

    seen: tuple[float, ...]
    inferred: frozenset[float]
    presence: tuple[Presence, ...]

    @property
    def inference_ratio(self) -> float:
        """Frames inferred by frames seen."""
        return len(self.inferred) / len(self.seen)

    def rested(self, presence: Iterable[Presence], margin_seconds: float = 0.0) -> float:
        """Share not inferred of the frames further than the margin from every stretch of presence."""
        stretches = tuple(presence)
        free = [t for t in self.seen if not any(stretch.holds(t, margin_seconds) for stretch in stretches)]
        return sum(t not in self.inferred for t in free) / max(len(free), 1)


@dataclass(frozen=True, slots=True)
class GateFigures:
    """What the gate saves and what it costs.

    Attributes:
        person_free_not_inferred: share of the frames further than the tolerance from presence without a gate:
            people are in the picture before they are detected and after.
        between_tracks_not_inferred: the same share of all frames outside presence, those in which somebody is
            entering or leaving among them.
        presence_intervals: without the gate.
        presence_intervals_gated: with it.
        presence_difference_seconds: largest difference of their ends; None where they are not as many.
        inference_ratio: of the video.
        night_visits: people that came by in the hour made from it.
        night_visits_seen: of those, the ones in whose time somebody was tracked.
        night_presence_difference_seconds: largest difference of the ends of presence from the truth; None where
            they are not as many.
        night_person_free_not_inferred: as above, by the truth.
        night_inference_ratio: of that hour.
    """

    inference_fps: float
    person_free_not_inferred: float
    between_tracks_not_inferred: float
    presence_intervals: int
    presence_intervals_gated: int
    presence_difference_seconds: float | None
    inference_ratio: float
    night_visits: int
    night_visits_seen: int
    night_presence_difference_seconds: float | None
    night_person_free_not_inferred: float
    night_inference_ratio: float


def measure(video: Path, night: NightOptions | None = None) -> GateFigures:
    """Both runs over the video, and one over the night made from it; takes minutes.

    Args:
        video: with people one at a time, and nobody at its beginning.
        night: how dark and how long; None: an hour.

    Raises:
        VisionError: the video cannot be opened.
        WeightsError: the default models are not pulled.
    """
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    perception = build_perception(store, PerceptionOptions())
    every = watch(perception, sampled(video, INFERENCE_FPS), None)
    gated = watch(perception, sampled(video, INFERENCE_FPS), MotionGate())
    footage = NightFootage(video, every.presence, night)
    dark = watch(perception, footage.frames(), MotionGate())
    visits = footage.truth()
    return GateFigures(
        inference_fps=INFERENCE_FPS,
        person_free_not_inferred=gated.rested(every.presence, TOLERANCE_SECONDS),
        between_tracks_not_inferred=gated.rested(every.presence),
        presence_intervals=len(every.presence),
        presence_intervals_gated=len(gated.presence),
        presence_difference_seconds=largest_difference_seconds(every.presence, gated.presence),
        inference_ratio=gated.inference_ratio,
        night_visits=len(visits),
        night_visits_seen=sum(any(_meet(visit, seen) for seen in dark.presence) for visit in visits),
        night_presence_difference_seconds=largest_difference_seconds(visits, dark.presence),
        night_person_free_not_inferred=dark.rested(visits, TOLERANCE_SECONDS),
        night_inference_ratio=dark.inference_ratio,
    )


def watch(perception: Perception, frames: Iterable[Frame], gate: MotionGate | None) -> Watched:
    """A session over frames; those a gate does not let through are held.

    Args:
        perception: the models.
        frames: in order.
        gate: fresh; None: every frame is inferred.
    """
    seen, inferred, log = [], set(), PresenceLog()
    with CameraSession(perception.engines(), SessionOptions(inference_fps=None)) as session:
        for frame in frames:
            now = frame.pts_seconds
            seen.append(now)
            if gate is not None and not gate.see(_grey(frame.image), now).open:
                session.hold(now)
                continue
            result = session.process(frame)
            if result is not None:
                inferred.add(now)
                log.see(result.objects, now)
    return Watched(tuple(seen), frozenset(inferred), log.intervals())


def sampled(video: Path, inference_fps: float) -> Iterator[Frame]:
    """A video's frames at the rate a worker would look at them."""
    sampler = Sampler(inference_fps)
    with open_source(str(video)) as source:
        for picture in source.pictures():
            if sampler.wants(picture.pts_seconds):
                yield picture.to_frame()


def _grey(image: Image) -> Grey:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _meet(one: Presence, other: Presence) -> bool:
    return one.begin_seconds <= other.end_seconds and other.begin_seconds <= one.end_seconds


def main(
    video: Annotated[Path, typer.Argument(help="People one at a time, nobody at its beginning.")],
    night_minutes: Annotated[float, typer.Option(min=10, help="Length of the night made from it.")] = 60.0,
) -> None:
    """Prints the figures as one JSON document."""
    figures = measure(video, NightOptions(seconds=night_minutes * 60))
    typer.echo(json.dumps({**asdict(figures), "gate": asdict(GateOptions())}))


if __name__ == "__main__":
    typer.run(main)
