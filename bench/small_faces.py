"""`python -m bench.small_faces VIDEO`: what closer looks at moving parts gain in small faces and in people."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import typer

from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.session import CameraSession, SessionOptions
from vision.sources import SourceOptions
from vision.video import open_source
from weights.catalog import load_catalog
from weights.store import WeightStore

SMALL_FACE_PX = 24.0
STEADY_FRAMES = 3
"""A face seen on one track in so many frames: what blinks up once may be none."""


@dataclass(frozen=True, slots=True)
class SmallFaces:
    """What one run found.

    Attributes:
        region_crops: of moving parts in each frame.
        frames: inferred.
        small_faces: boxes under `SMALL_FACE_PX`, square root of the area, all frames together.
        steady_small_faces: of those, on tracks seen in `STEADY_FRAMES` frames or more.
        steady_small_tracks: such tracks.
        people: person boxes, all frames together.
        ms_per_frame: wall clock.
    """

    region_crops: int
    frames: int
    small_faces: int
    steady_small_faces: int
    steady_small_tracks: int
    people: int
    ms_per_frame: float


def measure(video: Path, region_crops: int, inference_fps: float = 5.0) -> SmallFaces:
    """One run over a video with the default models.

    Args:
        video: to watch.
        region_crops: as `SessionOptions.region_crops`.
        inference_fps: frames a second the models see.

    Raises:
        VisionError: the video cannot be opened.
        WeightsError: the default models are not pulled.
    """
    root = load_config(None).paths.weights_dir
    perception = build_perception(WeightStore(root, load_catalog(root)), PerceptionOptions())
    options = SessionOptions(inference_fps=inference_fps, region_crops=region_crops)
    frames = people = small = 0
    by_track: dict[int, int] = {}
    started = time.perf_counter()
    with (
        CameraSession(perception.engines(), options) as session,
        open_source(video, SourceOptions()) as source,
    ):
        for result in session.run(source):
            frames += 1
            people += sum(seen.label == "person" for seen in result.objects)
            for face in result.faces:
                left, top, right, bottom = face.xyxy
                if np.sqrt((right - left) * (bottom - top)) >= SMALL_FACE_PX:
                    continue
                small += 1
                if face.track_id is not None:
                    by_track[face.track_id] = by_track.get(face.track_id, 0) + 1
    steady = [count for count in by_track.values() if count >= STEADY_FRAMES]
    ms_per_frame = (time.perf_counter() - started) * 1000 / max(frames, 1)
    return SmallFaces(region_crops, frames, small, sum(steady), len(steady), people, ms_per_frame)


def main(video: Path) -> None:
    """Prints the runs without crops and with two as one JSON document."""
    typer.echo(json.dumps([asdict(measure(video, crops)) for crops in (0, 2)], indent=2))


if __name__ == "__main__":
    typer.run(main)
