"""Memory for templates: one mapping of its own, kept out of dumps and swap, overwritten when it is left.

What numpy, BLAS or a cipher copied of them on the way lies elsewhere and cannot be found again; against that
only the end of the process helps, which is why the matching process is replaced when a list is revoked.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import sys
import weakref
from contextlib import suppress
from types import TracebackType
from typing import Self

import numpy as np

from vision.types import Float32


class LockedMemory:
    """A matrix of float32 in an anonymous private mapping; zeros until it is filled.

    The mapping is left out of core dumps (`MADV_DONTDUMP`), not handed to forked children (`MADV_DONTFORK`), and
    locked into memory where the system's limit allows (`mlock`; `RLIMIT_MEMLOCK`). It is overwritten with zeros by
    `wipe`, on leaving the context, when nobody holds the object any more, and at the end of the interpreter,
    whichever is first; the array must not outlive it. See madvise(2), mlock(2).

    Args:
        rows: N, 0 or more.
        columns: D, 1 or more.

    Attributes:
        array: (N, D) float32, writable; views of it share its fate.
        locked: whether the pages stay out of swap.
    """

    __slots__ = ("__weakref__", "_address", "_finalizer", "_mapping", "_size_bytes", "array", "locked")

    array: Float32
    locked: bool

    def __init__(self, rows: int, columns: int) -> None:
        if rows < 0 or columns < 1:
            raise ValueError(f"memory for {rows}×{columns} templates cannot be made")
        self._size_bytes = max(4 * rows * columns, 1)  # a mapping cannot be empty
        self._mapping = mmap.mmap(-1, self._size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            # As numpy asks for its own memory: a search reads every template. A kernel may not know it.
            with suppress(OSError):
                self._mapping.madvise(mmap.MADV_HUGEPAGE)
        for advice in ("MADV_DONTDUMP", "MADV_DONTFORK"):  # Linux's
            if hasattr(mmap, advice):
                self._mapping.madvise(getattr(mmap, advice))
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._mapping))
        self.locked = _lock(self._address, self._size_bytes)
        self.array = np.frombuffer(self._mapping, np.float32, rows * columns).reshape(rows, columns)
        # Holds the mapping, so that the address stays good until it has run.
        self._finalizer = weakref.finalize(
            self, _zero, self._address, self._size_bytes, self._mapping, os.getpid()
        )

    @property
    def wiped(self) -> bool:
        """Whether it was overwritten; what is searched in it then resembles nobody."""
        return not self._finalizer.alive

    def wipe(self) -> None:
        """Overwrites everything with zeros, now; twice is once. Safe while another thread reads.

        The mapping itself goes when no view of it is left: to unmap it under a reader would end the process.
        """
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"LockedMemory(shape={self.array.shape}, locked={self.locked}, wiped={self.wiped})"

    def __reduce__(self) -> str:
        raise TypeError("templates do not leave their process")


def overwrite(buffer: bytes) -> None:
    """Overwrites the content of a bytes object with zeros, where the interpreter is CPython.

    For buffers a library returned that held something secret, and that nobody else refers to: bytes are meant
    never to change, so a hash that was taken of them, or a set they are in, is wrong afterwards.
    """
    if sys.implementation.name != "cpython" or len(buffer) < 2:  # empty and single bytes are shared by all
        return
    # A bytes object ends with its content and one zero (CPython, Include/cpython/bytesobject.h).
    ctypes.memset(id(buffer) + bytes.__basicsize__ - 1, 0, len(buffer))


def _zero(address: int, size_bytes: int, _mapping: mmap.mmap, owner_pid: int) -> None:
    if os.getpid() == owner_pid:  # in a forked child the address is not mapped
        ctypes.memset(address, 0, size_bytes)


def _lock(address: int, size_bytes: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(size_bytes)) == 0:
        return True
    if ctypes.get_errno() not in (errno.ENOMEM, errno.EPERM, errno.EAGAIN):
        raise OSError(ctypes.get_errno(), "memory cannot be locked")
    return False
