"""`python -m bench.soak`: one process looks at the demo's footage over and over; its memory must stay where it is.

The footage comes from the demo's renderer; decoder, models, trackers and list are those of a worker. What is
printed is the resident memory after the first minutes and at the end, and frames seen, as one JSON document. With
`--streams` it is a whole worker with eight cameras instead (`bench.streams`).
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from aiqyn.demo.footage import render
from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.enrol import enrol_folder
from pipelines.session import CameraSession, SessionOptions
from vision.video import open_source
from weights.catalog import load_catalog
from weights.store import WeightStore

MAX_GROWTH = 0.03
INFERENCE_FPS = 5.0


@dataclass(frozen=True, slots=True)
class Soak:
    """How a long run went.

    Attributes:
        passes: times the footage was seen to its end.
        frames_inferred: by the models, over all passes.
        settled_mb: resident memory once the settling time was over.
        final_mb: at the end.
        growth: final over settled, less one.
    """

    passes: int
    frames_inferred: int
    settled_mb: float
    final_mb: float
    growth: float

    @property
    def passed(self) -> bool:
        """Whether memory stayed where it was."""
        return self.growth <= MAX_GROWTH


def soak(minutes: float, settle_minutes: float, inference_fps: float = INFERENCE_FPS) -> Soak:
    """Runs for `minutes`, of which the first `settle_minutes` do not count for the growth.

    Args:
        minutes: how long; at least one pass is made.
        settle_minutes: at the start, while caches fill.
        inference_fps: frames per second of footage that the models see.

    Raises:
        WeightsError: models or photographs are not pulled.
    """
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    perception = build_perception(store, PerceptionOptions())
    start, settled, passes, inferred = time.monotonic(), None, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        footage = render(store, Path(folder))
        enrolled = enrol_folder(footage.references, perception.engines())
        while passes == 0 or time.monotonic() - start < minutes * 60:
            with (
                CameraSession(perception.engines(), SessionOptions(inference_fps=inference_fps)) as session,
                open_source(str(footage.video)) as source,
            ):
                session.set_gallery(enrolled.gallery(perception.embedder.dimension))
                for _ in session.run(source):
                    pass
                inferred += session.accounting().inferred
            passes += 1
            minutes_so_far = (time.monotonic() - start) / 60
            typer.echo(f"pass {passes}, {minutes_so_far:.1f} min, {resident_mb():.0f} MB", err=True)
            if settled is None and minutes_so_far >= settle_minutes:
                settled = resident_mb()
    final = resident_mb()
    settled = settled or final
    return Soak(passes, inferred, settled, final, final / settled - 1)


def resident_mb() -> float:
    """This process's resident memory (Linux, /proc/self/statm)."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(
    minutes: Annotated[float, typer.Option(min=0, help="How long, each.")] = 30.0,
    settle_minutes: Annotated[float, typer.Option(min=0, help="Of these, not counted.")] = 5.0,
    streams: Annotated[
        bool, typer.Option("--streams", help="Eight cameras through a whole worker instead of one session.")
    ] = False,
) -> None:
    """Prints how memory went; exits 1 where it grew by more than 3 %, or a figure of the cameras does not hold."""
    if streams:
        passed = _streams(minutes)
    else:
        result = soak(minutes, settle_minutes)
        typer.echo(json.dumps({**asdict(result), "passed": result.passed}))
        passed = result.passed
    if not passed:
        raise typer.Exit(1)


def _streams(minutes: float) -> bool:
    """Eight cameras for so long; the first sixth does not count for memory."""
    from bench.streams import measure

    figures = list(measure(minutes * 60))
    typer.echo(json.dumps({"streams": [asdict(figure) for figure in figures]}))
    return all(figure.passed for figure in figures)


if __name__ == "__main__":
    typer.run(main)
