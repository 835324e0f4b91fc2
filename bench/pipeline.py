"""`aiqyn bench pipeline`: what `analyze` adds to decoding and models, and what a second core brings.

Each run is a process of its own that may use the named cores and no other. One core and two take turns, so that
whatever else the machine does hits both.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.pipeline_child import Job, Ran
from pipelines.errors import PipelineError
from pipelines.thread_variables import thread_variables

INFERENCE_FPS = 10.0
ROUNDS = 3
_TIMEOUT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Round:
    """One run on one core and one on two, one after the other; two is None where there is only one."""

    one: Ran
    two: Ran | None

    @property
    def ratio(self) -> float:
        """On one core: the whole run by its decoding and its models."""
        return self.one.total_seconds / (self.one.decode_seconds + sum(self.one.model_seconds.values()))

    @property
    def speedup(self) -> float | None:
        """One core's time by two cores'."""
        return None if self.two is None else self.one.total_seconds / self.two.total_seconds

    @property
    def undisturbed_speedup(self) -> float | None:
        """What the speed-up would be, were nobody else on the machine: by time of the processor, and by whether
        both cores always had work."""
        if self.two is None:
            return None
        return 2 * min(self.two.busy_share, 1.0) * self.one.cpu_seconds / self.two.cpu_seconds


@dataclass(frozen=True, slots=True)
class PipelineBench:
    """All rounds.

    Attributes:
        video: its file name.
        inference_fps: frames a second the models saw.
        rounds: at least one.
    """

    video: str
    inference_fps: float
    rounds: tuple[Round, ...]

    @property
    def ratio(self) -> float:
        """Median over the rounds."""
        return statistics.median(one.ratio for one in self.rounds)

    @property
    def speedup(self) -> float | None:
        """Median over the rounds; None on a machine of one core."""
        found = [one.speedup for one in self.rounds if one.speedup is not None]
        return statistics.median(found) if found else None

    @property
    def undisturbed_speedup(self) -> float | None:
        """Median over the rounds; None on a machine of one core."""
        found = [one.undisturbed_speedup for one in self.rounds if one.undisturbed_speedup is not None]
        return statistics.median(found) if found else None

    @property
    def identical(self) -> bool:
        """Whether every run said the same."""
        runs = [ran for one in self.rounds for ran in (one.one, one.two) if ran is not None]
        return len({ran.result_sha256 for ran in runs}) == 1

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "video": self.video,
            "inference_fps": self.inference_fps,
            "ratio": self.ratio,
            "speedup": self.speedup,
            "undisturbed_speedup": self.undisturbed_speedup,
            "identical": self.identical,
            "load_average": os.getloadavg(),
            "rounds": [{**asdict(one), "ratio": one.ratio, "speedup": one.speedup} for one in self.rounds],
        }


def measure(
    video: Path,
    watchlist: Path,
    told: Callable[[str], None],
    *,
    rounds: int = ROUNDS,
    inference_fps: float = INFERENCE_FPS,
    config: Path | None = None,
) -> PipelineBench:
    """Runs `analyze` on one core and on two, in turn.

    Args:
        video: a file.
        watchlist: folder of references.
        told: what is about to be run.
        rounds: of each.
        inference_fps: frames a second the models see.
        config: settings file with the models; None for the defaults.

    Raises:
        PipelineError: a run failed; with what it said.
    """
    cores = sorted(os.sched_getaffinity(0))

    def ran(count: int) -> Ran:
        told(f"{video.name} on {count} core{'s' * (count > 1)}")
        chosen = tuple(cores[-count:])
        return _run(Job(str(video), str(watchlist), inference_fps, chosen, str(config) if config else None))

    found = tuple(Round(ran(1), ran(2) if len(cores) > 1 else None) for _ in range(rounds))
    return PipelineBench(video.name, inference_fps, found)


def _run(job: Job) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "bench.pipeline_child"],
        input=json.dumps(asdict(job)),
        env=os.environ | thread_variables(1),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"]
        raise PipelineError(f"{job.video}: the run failed: {said[-1]}")
    return Ran(**json.loads(done.stdout))
