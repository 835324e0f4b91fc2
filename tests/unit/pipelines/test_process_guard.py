"""`pipelines.process_guard`, in processes of its own: limits cannot be taken back."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMITS = (
    "import resource, sys\n"
    "from pipelines.process_guard import MOST_FILES, allow_many_files, forbid_memory_dumps\n"
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
)


def said_by(lines: str) -> str:
    program = [sys.executable, "-c", LIMITS + lines]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


def test_as_many_files_as_the_system_allows() -> None:
    lines = (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "allow_many_files()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, MOST_FILES), hard))\n"
    )
    assert said_by(lines) == "True"


def test_a_limit_that_is_higher_is_left_alone() -> None:
    lines = (
        "before = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "allow_many_files()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= before[0])\n"
    )
    assert said_by(lines) == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_no_core_and_no_tracing() -> None:
    lines = (
        "import ctypes\n"
        "forbid_memory_dumps()\n"
        "dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"  # PR_GET_DUMPABLE
        "print(resource.getrlimit(resource.RLIMIT_CORE), dumpable)\n"
    )
    assert said_by(lines) == "(0, 0) 0"
