"""One budget for the threads of ONNX Runtime, OpenCV and BLAS in a process.

Each of these libraries starts as many threads as the machine has cores, in every process, whatever the others do.
Here the budget is divided: so many frames at a time, so many threads inside one frame's work. What works inside a
frame works in turn, so never more threads run than the budget has.

BLAS is told while it runs through its own functions (OpenBLAS, of which NumPy, SciPy and OpenCV bring one each), and
for children through variables that every build of it reads when it is loaded.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2

from pipelines.config_worker import WorkerConfig
from vision.runtime import joins_calls, providers_for

GPU_BATCH = 8
"""Calls joined at most on a GPU where nothing is configured: later ones wait longer than joining saves."""

_OPENBLAS = "openblas"
_PREFIXES, _SUFFIXES = ("", "scipy_"), ("", "64_")


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """How a process divides its threads.

    Attributes:
        budget: threads that may run at once.
        inference_threads: frames at a time: the slots of `FairTurns`.
        intra_op_threads: of ONNX Runtime within one call of a model.
        library_threads: of OpenCV, and of BLAS, within one call.
        max_batch: rows of several frames joined into one call of a model; 1: none.
        batch_wait_seconds: how long a call waits for others to join it.
    """

    budget: int
    inference_threads: int
    intra_op_threads: int
    library_threads: int
    max_batch: int = 1
    batch_wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ThreadsInForce:
    """What the libraries of this process say themselves.

    Attributes:
        opencv: threads of OpenCV.
        blas: of each OpenBLAS that is loaded, by file name.
    """

    opencv: int
    blas: dict[str, int]


def plan_threads(worker: WorkerConfig, cpus: int | None = None) -> ThreadPlan:
    """How a worker's threads are divided.

    Args:
        worker: what is configured.
        cpus: that may be used; None finds out.
    """
    budget = worker.threads or cpus or usable_cpus()
    intra_op = min(worker.intra_op_threads, budget)
    on_gpu = joins_calls(providers_for(worker.providers))
    max_batch = worker.max_batch or (GPU_BATCH if on_gpu else 1)
    at_once = max(1, budget // intra_op)
    if max_batch > 1:
        at_once = max(at_once, max_batch)  # who waits for the others of a batch does not run
    at_once = min(worker.inference_threads or at_once, at_once)
    return ThreadPlan(
        budget=budget,
        inference_threads=at_once,
        intra_op_threads=intra_op,
        library_threads=max(1, budget // at_once),
        max_batch=max_batch,
        batch_wait_seconds=worker.batch_wait_ms / 1000,
    )


def apply_threads(library_threads: int) -> ThreadsInForce:
    """Tells OpenCV and every loaded BLAS how many threads they may use; returns what they then say.

    A library that is loaded later follows the variables of `pipelines.thread_variables` alone.

    Args:
        library_threads: of each, at least 1.
    """
    cv2.setNumThreads(library_threads)
    for library in _openblas_libraries():
        tell = _function(library, "set_num_threads")
        if tell is not None:
            tell(ctypes.c_int(library_threads))
    return threads_in_force()


def threads_in_force() -> ThreadsInForce:
    """What OpenCV and every loaded BLAS say."""
    blas = {}
    for library in _openblas_libraries():
        ask = _function(library, "get_num_threads")
        if ask is not None:
            blas[library.name] = int(ask())
    return ThreadsInForce(cv2.getNumThreads(), blas)


def usable_cpus() -> int:
    """CPUs this process may use: by affinity, and by the quota of its control group, rounded down; at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = quota_cpus()
    return allowed if quota is None else max(1, min(allowed, math.floor(quota)))


def quota_cpus(groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPUs' worth of time the control groups of this process allow (Linux); None where they set no limit.

    Args:
        groups: which groups this process is in (`man 7 cgroups`).
        root: where they are mounted.
    """
    quotas = [quota for folder in _group_folders(groups, root) if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _group_folders(groups: Path, root: Path) -> Iterable[Path]:
    """The folders of the CPU groups of this process and of all above them; a limit above holds below."""
    try:
        lines = groups.read_text("ascii", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        names = controllers.split(",")
        if controllers and "cpu" not in names:
            continue
        mounts = [root / controllers, root / "cpu"] if controllers else [root, root / "unified"]
        for mount in mounts:
            inside = mount / path.lstrip("/")
            yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(mount))


def _quota_of(folder: Path) -> float | None:
    """Version 2 keeps quota and period in one file, version 1 in two; `max` and -1 are no limit."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text("ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text("ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text("ascii").strip()
        if quota == "max" or int(quota) <= 0 or int(period) <= 0:
            return None
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _openblas_libraries() -> list[Path]:
    """The OpenBLAS builds this process has loaded (Linux); elsewhere the variables alone are told."""
    try:
        lines = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    files = {Path(line.split(maxsplit=5)[5]) for line in lines if _OPENBLAS in line and line.count(" ") >= 5}
    return sorted(file for file in files if _OPENBLAS in file.name and file.is_file())


def _function(library: Path, name: str) -> ctypes._NamedFuncPointer | None:
    """`openblas_<name>` under whichever name this build gives it."""
    loaded = ctypes.CDLL(str(library))
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            found: ctypes._NamedFuncPointer | None = getattr(loaded, f"{prefix}openblas_{name}{suffix}", None)
            if found is not None:
                return found
    return None
