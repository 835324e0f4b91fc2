"""Keeps what a process holds in memory out of files: no core dump, no tracing by others of the same user."""

from __future__ import annotations

import ctypes
import resource
import sys

from pipelines.errors import SealingError

PR_SET_DUMPABLE = 4
"""prctl(2): 0 forbids core dumps, ptrace and reading /proc/self/mem by all but root."""


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
