"""Clips on their way between processes: in anonymous memory, passed by descriptor, so that they never touch a disk."""

from __future__ import annotations

import os

from pipelines.errors import EvidenceError

MAX_CLIP_BYTES = 63 * 1024 * 1024
"""What may be sealed, with room for the seal."""


def to_memory(content: bytes) -> int:
    """A descriptor of anonymous memory that holds the bytes; the caller's to close."""
    descriptor = os.memfd_create("aiqyn-clip", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as memory:
        memory.write(content)
    return descriptor


def from_memory(descriptor: int, size_bytes: int) -> bytes:
    """What a descriptor of anonymous memory holds; the descriptor stays the caller's to close.

    Raises:
        EvidenceError: it holds something else than the message beside it says, or more than a clip may.
    """
    if not 0 < size_bytes <= MAX_CLIP_BYTES or os.fstat(descriptor).st_size != size_bytes:
        raise EvidenceError(f"a clip is not of the {size_bytes} bytes its message says")
    return os.pread(descriptor, size_bytes, 0)
