"""One run of `analyze` over one video on given cores, measured from within; started by `bench.pipeline`.

`python -m bench.pipeline_child` reads a `Job` from standard input as JSON and writes a `Ran` to standard output.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.analysis import Analysis, AnalyzedInput
from pipelines.analyze import AnalyzeOptions
from pipelines.analyze_run import AnalyzeRequest, Listeners, run_analysis
from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.config_worker import WorkerConfig
from pipelines.sampling import Sampler
from pipelines.session import SessionOptions
from pipelines.thread_budget import apply_threads, plan_threads
from vision.video import SourceOptions, open_source
from weights.catalog import load_catalog
from weights.store import WeightStore


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run.

    Attributes:
        video: a file.
        watchlist: folder of references.
        inference_fps: frames a second the models see.
        cores: numbers of those this process may use.
        config: settings file with the models; None for the defaults.
    """

    video: str
    watchlist: str
    inference_fps: float
    cores: tuple[int, ...]
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of it. All times are of the wall clock, in seconds.

    Attributes:
        total_seconds: from the first reference to the last frame, as `analyze` itself states it.
        decode_seconds: reading the same video and converting the same frames, nothing else, just before.
        model_seconds: inside ONNX Runtime, by model, threads added up.
        cpu_seconds: of all threads of the process over the run.
        busy_share: of the cores' time in which this run's threads ran or could have, had others not been at it:
            near 1 they always had work, so that on a machine of their own they would have run all the time.
        frames: that the models saw.
        result_sha256: over everything `analyze` said but times.
    """

    total_seconds: float
    decode_seconds: float
    model_seconds: dict[str, float]
    cpu_seconds: float
    busy_share: float
    frames: int
    result_sha256: str


class Stopwatch:
    """Time inside each model."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def of(self, model_id: str) -> Callable[[int], AbstractContextManager[None]]:
        """What is entered around a model's calls."""
        self.seconds[model_id] = 0.0

        @contextmanager
        def measured(_rows: int) -> Iterator[None]:
            began = time.perf_counter()
            yield
            self.seconds[model_id] += time.perf_counter() - began

        return measured


class Threads:
    """Time this process's threads ran, or waited for a core while they could have run (Linux, schedstat)."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self.look()
        self._before = dict(self._seconds)

    def look(self) -> None:
        """Threads that end between two looks keep what they had at the last one."""
        for task in Path("/proc/self/task").iterdir():
            try:
                ran, waited, _ = (task / "schedstat").read_text("ascii").split()
            except (OSError, ValueError):
                continue
            self._seconds[task.name] = (int(ran) + int(waited)) / 1e9

    @property
    def seconds(self) -> float:
        """Since this was made."""
        return sum(self._seconds.values()) - sum(self._before.values())


class Watching:
    """Listens to a run."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    def input_started(self, path: Path) -> None:
        """Nothing to note."""

    def reached(self, media_seconds: float) -> None:  # noqa: ARG002 as the protocol has it
        """A frame is done."""
        self._threads.look()

    def input_ended(self, result: AnalyzedInput) -> None:
        """Nothing to note."""


def run(job: Job) -> Ran:
    """Decodes the video, then analyses it; on the cores this process may use.

    Raises:
        PipelineError, VisionError, WeightsError: as the parts of it.
    """
    config = load_config(Path(job.config) if job.config else None)
    plan = plan_threads(WorkerConfig(providers=config.worker.providers))
    apply_threads(plan.library_threads)
    watch = Stopwatch()
    options = PerceptionOptions.of(config, plan)
    perception = build_perception(
        WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir)),
        PerceptionOptions(
            options.detector,
            options.face_detector,
            options.embedder,
            options.tracker,
            options.runtime,
            options.calibration,
            watch_of=watch.of,
        ),
    )
    decode_seconds = _decoded(job)
    request = AnalyzeRequest(
        (Path(job.video),),
        Path(job.watchlist),
        AnalyzeOptions(SessionOptions(inference_fps=job.inference_fps), threads=plan.inference_threads),
    )
    threads, cpu_before = Threads(), time.process_time()
    listeners = Listeners(Watching(threads), lambda _: None, _say)
    analysis = run_analysis(request, perception, listeners).analysis
    threads.look()
    return Ran(
        total_seconds=analysis.elapsed_seconds,
        decode_seconds=decode_seconds,
        model_seconds=watch.seconds,
        cpu_seconds=time.process_time() - cpu_before,
        busy_share=threads.seconds / (len(job.cores) * analysis.elapsed_seconds),
        frames=analysis.frame_accounting.inferred,
        result_sha256=result_sha256(analysis),
    )


def result_sha256(analysis: Analysis) -> str:
    """Over everything an analysis says but how long it took."""
    said = analysis.document()
    del said["elapsed_seconds"]
    for one in said["inputs"]:
        del one["elapsed_seconds"]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _decoded(job: Job) -> float:
    sampler = Sampler(job.inference_fps)
    began = time.perf_counter()
    with open_source(job.video, SourceOptions(multi_threaded=True)) as source:
        for picture in source.pictures():
            if sampler.wants(picture.pts_seconds):
                picture.to_frame()
    return time.perf_counter() - began


def main() -> None:
    """Runs the job of standard input."""
    given = json.load(sys.stdin)
    job = Job(**{**given, "cores": tuple(given["cores"])})
    os.sched_setaffinity(0, job.cores)
    sys.stdout.write(json.dumps(asdict(run(job))) + "\n")


if __name__ == "__main__":
    main()
