"""Becomes another program that ends when its parent does and leaves no core dump.

Run as `python -I -m aiqyn.embedded.child PARENT_PID PROGRAM [ARGUMENT…]`. A launcher instead of `preexec_fn`,
which is not safe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal to be sent when the parent dies; outlives execve."""


def main(arguments: list[str]) -> None:
    """Sets this process up and turns it into the program; returns only where that fails."""
    parent, program = int(arguments[0]), arguments[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    # Ctrl-C goes to the whole terminal group; the parent decides when this child ends.
    os.setpgid(0, 0)
    os.execv(program[0], program)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
