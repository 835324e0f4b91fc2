"""What a store of sealed bytes is, whatever it lies on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipelines.errors import EvidenceError

MAX_SEALED_BYTES = 64 * 1024 * 1024
SHELVES = tuple(f"{number:02x}" for number in range(256))
"""Blobs lie by the first byte of their hash."""

SUFFIX = ".sealed"


@dataclass(frozen=True, slots=True)
class Blob:
    """One sealed blob of a store.

    Attributes:
        ref: where it lies.
        size_bytes: sealed.
        written_at: aware, UTC; None where the store does not say.
    """

    ref: str
    size_bytes: int
    written_at: datetime | None


class Place(Protocol):
    """Keeps blobs under their references. All methods raise `EvidenceError`, which says what is wrong."""

    remote: bool

    def write(self, ref: str, content: bytes) -> None:
        """Keeps a blob; on disk, or taken by the server, when this returns."""

    def has_room(self) -> bool:
        """Whether a blob could be written now, as far as is known without trying."""

    def read(self, ref: str) -> bytes:
        """A blob."""

    def delete(self, ref: str) -> bool:
        """Takes a blob away; False where there was none."""

    def blobs(self, shelf: str) -> Iterator[Blob]:
        """The blobs of one of `SHELVES`."""


def whole(ref: str, content: bytes) -> bytes:
    """The content itself, which is no larger than any blob may be."""
    if len(content) > MAX_SEALED_BYTES:
        raise EvidenceError(f"evidence {ref}: is larger than {MAX_SEALED_BYTES} bytes")
    return content


def reason_of(error: Exception) -> str:
    """Why, in words that hold neither address nor credentials."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
