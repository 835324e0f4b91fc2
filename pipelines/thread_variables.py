"""How a child process is told its threads before it has loaded anything; imports nothing heavy itself."""

from __future__ import annotations

_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


def thread_variables(library_threads: int) -> dict[str, str]:
    """What a child's environment must hold, so that its libraries start with so many threads."""
    return dict.fromkeys(_VARIABLES, str(library_threads))
