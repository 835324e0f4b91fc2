"""Limits of our processes: what one holds in memory stays out of files, and it may open as many as it needs."""

from __future__ import annotations

import ctypes
import resource
import sys

from pipelines.errors import SealingError

PR_SET_DUMPABLE = 4
"""prctl(2): 0 forbids core dumps, ptrace and reading /proc/self/mem by all but root."""

MOST_FILES = 65_536


def forbid_memory_dumps() -> None:
    """For every process that holds templates or keys, before it loads any.

    Raises:
        SealingError: the system refused.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise SealingError(
                f"core dumps cannot be forbidden (prctl failed with errno {ctypes.get_errno()})"
            )


def allow_many_files() -> None:
    """Lets this process and its children have as many open files as the system allows it, up to a bound.

    A camera takes six in the supervisor and five in the matching process: at the usual soft limit of 1024 hundreds
    of cameras could not be opened. Decoders lower their own again.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
