"""Anonymous memory that processes share by descriptor, and records in it that change as a whole or not at all.

Nothing here has a name in a file system, so nothing is left behind when the processes are gone. The size is
sealed: whoever holds the descriptor can neither shrink the memory under a reader's feet, which would kill that
reader (SIGBUS), nor grow it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from typing import Any

from pipelines.errors import PipelineError

WORD_BYTES = 8
_MOST_TRIES = 10_000


class RingError(PipelineError):
    """Shared memory that holds what no writer of ours would write."""


def new_memory(name: str, size_bytes: int) -> int:
    """A descriptor of zeroed memory of this size, sparse: pages are taken when they are written.

    Args:
        name: shown in /proc only.
        size_bytes: fixed from now on.
    """
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size_bytes)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def fence() -> None:
    """Keeps what is written or read before it before what is written or read after it, on every processor.

    Letting go of a lock and taking it again orders memory (release, then acquire). x86 would keep this order
    by itself; ARM does not.
    """
    lock = threading.Lock()
    lock.acquire()
    lock.release()
    lock.acquire()


class SharedMemory:
    """Memory behind a descriptor, mapped.

    Attributes:
        bytes: all of it.

    Raises:
        RingError: it is smaller than it must be.
    """

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        """Maps it; the descriptor stays the caller's."""
        there = os.fstat(descriptor).st_size
        if there < size_bytes:
            raise RingError(f"shared memory of {there} bytes where {size_bytes} are needed")
        self.bytes = mmap.mmap(descriptor, size_bytes)
        self._all = memoryview(self.bytes)
        self._words = self._all.cast("Q")

    def load_word(self, offset: int) -> int:
        """Eight bytes, read at once."""
        return self._words[offset // WORD_BYTES]

    def store_word(self, offset: int, value: int) -> None:
        """Eight bytes, written at once: a kill, or a reader, comes before or after it.

        A view of words copies each in one move; `struct.pack_into` would write zeros first.
        """
        self._words[offset // WORD_BYTES] = value

    def close(self) -> None:
        """Unmaps it. Twice is once."""
        self._words.release()
        self._all.release()
        self.bytes.close()


class TwinRecord:
    """A record with one writer and any number of readers, in two copies.

    New values go into the copy that is not in force; storing the version puts it in force. A writer killed
    anywhere in between leaves the old record as it was.

    Args:
        memory: mapped.
        offset: of the record; a multiple of 8.
        layout: of `struct`.
    """

    def __init__(self, memory: SharedMemory, offset: int, layout: struct.Struct) -> None:
        self._memory = memory
        self._version_at = offset
        self._copies_at = (offset + WORD_BYTES, offset + WORD_BYTES + _padded(layout.size))
        self._layout = layout

    @property
    def version(self) -> int:
        """Grows with every `store`."""
        return self._memory.load_word(self._version_at)

    def store(self, *values: Any) -> None:
        """Puts new values in force."""
        version = self.version + 1
        self._layout.pack_into(self._memory.bytes, self._copies_at[version & 1], *values)
        fence()
        self._memory.store_word(self._version_at, version)

    def load(self) -> tuple[Any, ...]:
        """The values in force.

        Raises:
            RingError: they never stood still while they were read.
        """
        for _ in range(_MOST_TRIES):
            version = self.version
            fence()
            values = self._layout.unpack_from(self._memory.bytes, self._copies_at[version & 1])
            fence()
            if self.version == version:
                return values
        raise RingError("a record in shared memory changes without end")


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // WORD_BYTES) * WORD_BYTES
