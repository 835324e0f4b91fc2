"""The machine: Python, processor, memory, disk, clock, and whether memory can end up in a file."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiqyn.doctor.report import Check, fail, ok, warn

if TYPE_CHECKING:
    from pipelines.live.clock_check import KernelClock

OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY_GIB = 2.0
LITTLE_DISK_GIB = 5.0
TOO_LITTLE_DISK_GIB = 0.5

LARGE_CLOCK_ERROR_SECONDS = 1.0

_GIB = 1024**3


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Whether this Python is new enough."""
    found = f"Python {platform.python_version()} at {sys.executable}"
    if version < OLDEST_PYTHON:
        return fail("python", found, "install Python 3.11 or newer and make the environment again")
    return ok("python", found)


def check_processor(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> Check:
    """How many cores this process may use, and whether they have the instructions inference wants."""
    usable = usable_cores(cgroup)
    found = f"{usable:g} of {os.cpu_count()} cores usable, {platform.machine()}"
    flags = _read(proc / "cpuinfo")
    if platform.machine() == "x86_64" and flags and " avx2" not in flags:
        return warn(
            "processor",
            f"{found}, without AVX2",
            "inference will be several times slower than on newer processors",
        )
    if usable < 2:
        return warn(
            "processor", found, "give it two cores or more: decoding and inference share what there is"
        )
    return ok("processor", found)


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> float:
    """Cores this process may run on, or the smaller share its control group allows."""
    allowed = float(len(os.sched_getaffinity(0)))
    quota, _, period = _read(cgroup / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        return min(allowed, int(quota) / int(period))
    return allowed


def check_memory(proc: Path = Path("/proc")) -> Check:
    """Memory that is free for use."""
    sizes = dict(line.split(":", 1) for line in _read(proc / "meminfo").splitlines() if ":" in line)
    if "MemAvailable" not in sizes:
        return warn("memory", "not known here", "make sure that about 2 GiB are free")
    available = int(sizes["MemAvailable"].split()[0]) / 1024**2
    found = f"{available:.1f} GiB available"
    if available < LITTLE_MEMORY_GIB:
        return warn(
            "memory", found, f"free some: a worker and the service together want {LITTLE_MEMORY_GIB:g} GiB"
        )
    return ok("memory", found)


def check_swap(proc: Path = Path("/proc")) -> Check:
    """Whether memory, templates and keys among it, may be written to a disk by the system."""
    devices = [line.split()[0] for line in _read(proc / "swaps").splitlines()[1:] if line.strip()]
    on_disk = [device for device in devices if not device.startswith(("/dev/zram", "/dev/dm-"))]
    if on_disk:
        fix = "swap may hold templates and keys after the process ends: use encrypted swap or zram, or `swapoff -a`"
        return warn("swap", f"in use on {', '.join(on_disk)}", fix)
    return ok("swap", "none on a plain disk")


def check_disk(name: str, folder: Path) -> Check:
    """Whether a folder can be written, and how much room there is."""
    place = existing_part(folder)
    found = f"{folder}: {_free_gib(place):.1f} GiB free"
    if not os.access(place, os.W_OK | os.X_OK):
        return fail(
            name,
            f"{folder}: {place} cannot be written by this user",
            f"make {folder} and give it to this user",
        )
    if _free_gib(place) < TOO_LITTLE_DISK_GIB:
        return fail(name, found, "free some space there, or name another folder in the settings")
    if _free_gib(place) < LITTLE_DISK_GIB:
        return warn(name, found, "free some space there: evidence and recordings grow")
    return ok(name, found)


def existing_part(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def check_clock() -> Check:
    """Whether the system keeps its clock by a reference: candidates, judgements and receipts carry its time."""
    from pipelines.live.clock_check import read_kernel_clock

    return judge_clock(read_kernel_clock())


def judge_clock(kernel: KernelClock | None) -> Check:
    """What the kernel says of its clock; None: it says nothing."""
    if kernel is None:
        return warn("clock", "not known here", "make sure that the clock is synchronised")
    if not kernel.synchronised:
        fix = (
            "turn on systemd-timesyncd or chrony: candidates, judgements and receipts carry this clock's time"
        )
        return warn("clock", "not synchronised", fix)
    found = f"synchronised, off by {kernel.max_error_seconds:.3f} s at most"
    if kernel.max_error_seconds > LARGE_CLOCK_ERROR_SECONDS:
        return warn("clock", found, "look at the time source: candidates carry this as their uncertainty")
    return ok("clock", found)


def check_core_dumps(proc: Path = Path("/proc")) -> Check:
    """Whether a crash could write memory to a file; our own processes forbid it to themselves besides."""
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    pattern = _read(proc / "sys/kernel/core_pattern").strip()
    # core(5): a program that is piped to gets the dump whatever the limit says.
    if pattern.startswith("|"):
        program = pattern[1:].split()[0]
        fix = "our processes forbid dumps to themselves; to forbid them to all: sysctl -w kernel.core_pattern=core"
        return warn("core dumps", f"handed to {program} whatever the limit", fix)
    if soft != 0:
        fix = "our processes forbid dumps to themselves; to forbid them to all you start here: ulimit -c 0"
        return warn("core dumps", "written by programs started from here", fix)
    return ok("core dumps", "off")


def _free_gib(folder: Path) -> float:
    return shutil.disk_usage(folder).free / _GIB


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
