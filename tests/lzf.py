"""The compressed strings of a Redis snapshot (RDB): LZF, found and unpacked.

The format is described in Redis' own sources (`rdb.c`, `lzf_d.c`): byte 0xC3, the packed length, the
unpacked length, then literal runs (first byte below 32) and references back into what was unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator

_MARK = 0xC3
_MAX_BYTES = 64 * 2**20


def lzf_strings(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each compressed string of a snapshot begins, and what it holds."""
    place = data.find(_MARK)
    while place >= 0:
        inner = _string_at(data, place + 1)
        if inner is not None:
            yield place, inner
        place = data.find(_MARK, place + 1)


def unpack(packed: bytes, length: int) -> bytes | None:
    """The `length` bytes an LZF string stands for; None where it is none of that length."""
    out = bytearray()
    place = 0
    while place < len(packed) and len(out) <= length:
        control = packed[place]
        place += 1
        if control < 32:
            out += packed[place : place + control + 1]
            place += control + 1
            continue
        count = control >> 5
        if count == 7:
            if place >= len(packed):
                return None
            count += packed[place]
            place += 1
        if place >= len(packed):
            return None
        start = len(out) - ((control & 31) << 8) - packed[place] - 1
        place += 1
        if start < 0:
            return None
        for offset in range(count + 2):  # one by one: the reference may overlap what it writes
            out.append(out[start + offset])
    return bytes(out) if len(out) == length else None


def _string_at(data: bytes, place: int) -> bytes | None:
    packed_length, place = _length_at(data, place)
    length, place = _length_at(data, place)
    if not 0 < packed_length < length <= _MAX_BYTES or place + packed_length > len(data):
        return None
    return unpack(data[place : place + packed_length], length)


def _length_at(data: bytes, place: int) -> tuple[int, int]:
    """An RDB length and what comes behind it; length 0 where there is none."""
    if place >= len(data):
        return 0, place
    first = data[place]
    if first >> 6 == 0:
        return first & 63, place + 1
    if first >> 6 == 1:
        return (first & 63) << 8 | int.from_bytes(data[place + 1 : place + 2], "big"), place + 2
    if first == 0x80:
        return int.from_bytes(data[place + 1 : place + 5], "big"), place + 5
    return 0, place + 1
