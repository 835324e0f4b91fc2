"""Looks for face templates where none may be: in any file, however they were written there.

Every file is read at every byte offset as 2-, 4- and 8-byte floats of both byte orders; base64, hex,
gzip, zlib, zip (npz), Redis' LZF, SQLite's values (which spill over pages) and lists of decimal
numbers are decoded and read in turn. A window of D numbers whose cosine to a template exceeds the
limit is a leak.

It is fast because hardly any window has to be multiplied out: a template is made of D finite numbers
in a row of ordinary size, and of either sign. Compressed data has no such runs, and in text every
byte is below 128, so that it reads as positive numbers only. Both shortcuts are exact.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.lzf import lzf_strings

Float64 = npt.NDArray[np.float64]

_FORMATS = ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8")
_LARGEST = 1e4
"""A template has length 1, or a few dozen before it is scaled: no number of it is larger."""
_MAX_DEPTH = 4
_MAX_UNPACKED_BYTES = 256 * 2**20
_CHUNK_WINDOWS = 4096
_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBER_LIST = re.compile(rb"%b(?:[\s,;\[\]()]{1,80}%b){31,}" % (_NUMBER, _NUMBER))
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{60,}(?:(?:\\n|\r?\n)[A-Za-z0-9+/_-]{4,})*")
_HEX = re.compile(rb"[0-9a-fA-F]{256,}")


@dataclass(frozen=True, slots=True)
class Leak:
    """A template found.

    Attributes:
        where: the file, and the encodings on the way to the numbers.
        offset: byte, or number of a list of numbers, at which the window begins.
        number_format: how the numbers were written.
        similarity: cosine of the window to the nearest template.
    """

    where: str
    offset: int
    number_format: str
    similarity: float


class TemplateScanner:
    """Searches bytes for any of some templates.

    Args:
        templates: (K, D), one row per look at somebody who is on no list.
        limit: cosine above which a window is a leak.
    """

    def __init__(self, templates: npt.ArrayLike, limit: float = 0.9) -> None:
        rows = np.array(templates, np.float64)
        if rows.ndim != 2 or not len(rows):
            raise ValueError(f"templates must have shape (K, D) with K of at least 1, got {rows.shape}")
        self._templates = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self._limit = limit
        # A window without a negative number can at best equal a template's positive part.
        self._best_positive = float(np.linalg.norm(self._templates.clip(min=0), axis=1).max())
        self._best_negative = float(np.linalg.norm(self._templates.clip(max=0), axis=1).max())

    @property
    def dimension(self) -> int:
        """Numbers of one template."""
        return int(self._templates.shape[1])

    def scan_paths(self, paths: Iterable[Path]) -> list[Leak]:
        """Every leak in these files and everything below these folders."""
        return [leak for path in _files(paths) for leak in self.scan_bytes(path.read_bytes(), str(path))]

    def scan_bytes(self, data: bytes, where: str = "bytes") -> list[Leak]:
        """Every leak in some bytes, and in whatever they contain in another encoding."""
        return list(self._scan(data, where, 0))

    def scan_text(self, text: str, where: str = "text") -> list[Leak]:
        """Every leak in a log, a reply or a traceback."""
        return self.scan_bytes(text.encode(), where)

    def _scan(self, data: bytes, where: str, depth: int) -> Iterator[Leak]:
        yield from self._scan_floats(data, where)
        yield from self._scan_number_lists(data, where)
        if depth < _MAX_DEPTH:
            for encoding, inner in _unpacked(data, 2 * self.dimension):
                yield from self._scan(inner, f"{where}: {encoding}", depth + 1)

    def _scan_floats(self, data: bytes, where: str) -> Iterator[Leak]:
        for number_format in _FORMATS:
            size = np.dtype(number_format).itemsize
            for phase in range(min(size, len(data))):
                count = (len(data) - phase) // size
                if count < self.dimension:
                    continue
                numbers = np.frombuffer(data, number_format, count, phase)
                for index, similarity in self._windows(numbers):
                    yield Leak(where, phase + index * size, number_format, similarity)

    def _scan_number_lists(self, data: bytes, where: str) -> Iterator[Leak]:
        for found in _NUMBER_LIST.finditer(data):
            numbers = np.array([float(word) for word in re.findall(_NUMBER, found.group())])
            for index, similarity in self._windows(numbers):
                yield Leak(f"{where}: numbers", found.start() + index, "decimal", similarity)

    def _windows(self, numbers: npt.NDArray[np.floating]) -> Iterator[tuple[int, float]]:
        """The windows of some numbers that are a template: their first index and the cosine."""
        # Comparisons with NaN are false, and the bit pattern of any number may turn up here.
        with np.errstate(invalid="ignore", over="ignore"):
            ordinary = np.abs(numbers) < _LARGEST
        for start, stop in _runs(ordinary, self.dimension):
            run = numbers[start:stop].astype(np.float64)
            for first in self._starts(run):
                windows = np.lib.stride_tricks.sliding_window_view(run, self.dimension)[first]
                lengths = np.linalg.norm(windows, axis=1)
                # Windows of zeros, and of numbers so small that their squares vanish, have no direction.
                lengths[lengths < 1e-30] = np.inf
                similarity = (windows @ self._templates.T).max(axis=1) / lengths
                for place in np.flatnonzero(similarity > self._limit):
                    yield start + int(first[place]), float(similarity[place])

    def _starts(self, run: Float64) -> Iterator[npt.NDArray[np.int64]]:
        """Starts of the windows of a run that could be a template, a chunk at a time."""
        negative = np.concatenate([[0], np.cumsum(run < 0)])
        positive = np.concatenate([[0], np.cumsum(run > 0)])
        width = self.dimension
        has_negative = negative[width:] > negative[:-width]
        has_positive = positive[width:] > positive[:-width]
        possible = has_negative & has_positive
        if self._best_positive > self._limit:
            possible |= has_positive
        if self._best_negative > self._limit:
            possible |= has_negative
        starts = np.flatnonzero(possible)
        for begin in range(0, len(starts), _CHUNK_WINDOWS):
            yield starts[begin : begin + _CHUNK_WINDOWS]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(item for item in path.rglob("*") if item.is_file())
        else:
            yield path


def _runs(wanted: npt.NDArray[np.bool_], at_least: int) -> Iterator[tuple[int, int]]:
    """First and behind-the-last index of each stretch of true values that is long enough."""
    edges = np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    long_enough = stops - starts >= at_least
    for start, stop in zip(starts[long_enough], stops[long_enough], strict=True):
        yield int(start), int(stop)


def _unpacked(data: bytes, at_least: int) -> Iterator[tuple[str, bytes]]:
    """What some bytes contain in another encoding, where it is long enough to hold a template."""
    for unpack in (_from_base64, _from_hex, _from_gzip, _from_zlib, _from_zip, _from_lzf, _from_sqlite):
        for encoding, inner in unpack(data):
            if len(inner) >= at_least:
                yield encoding, inner


def _from_base64(data: bytes) -> Iterator[tuple[str, bytes]]:
    for found in _BASE64.finditer(data):
        letters = re.sub(rb"\\n|\s", b"", found.group()).translate(bytes.maketrans(b"-_", b"+/"))
        # What stands before the encoded part may look like it; one of four beginnings is right.
        for skip in range(4):
            # Without its padding the last group is cut short; made whole, it adds a byte or two.
            usable = letters[skip:] + b"A" * (-(len(letters) - skip) % 4)
            yield f"base64 at {found.start() + skip}", base64.b64decode(usable)


def _from_hex(data: bytes) -> Iterator[tuple[str, bytes]]:
    for found in _HEX.finditer(data):
        for skip in range(2):
            digits = found.group()[skip:]
            yield f"hex at {found.start() + skip}", binascii.unhexlify(digits[: len(digits) // 2 * 2])


def _from_gzip(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield from _inflated(data, rb"\x1f\x8b\x08", "gzip", zlib.MAX_WBITS | 16)


def _from_zlib(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield from _inflated(data, rb"\x78[\x01\x5e\x9c\xda]", "zlib", zlib.MAX_WBITS)


def _inflated(data: bytes, mark: bytes, name: str, window_bits: int) -> Iterator[tuple[str, bytes]]:
    for found in re.finditer(mark, data):
        try:
            inner = zlib.decompressobj(window_bits).decompress(data[found.start() :], _MAX_UNPACKED_BYTES)
        except zlib.error:
            continue
        yield f"{name} at {found.start()}", inner


def _from_zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    if b"PK\x05\x06" not in data:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield f"zip {name}", archive.read(name)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, OSError, EOFError):
        return


def _from_lzf(data: bytes) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(b"REDIS"):
        return
    for offset, inner in lzf_strings(data):
        yield f"lzf at {offset}", inner


def _from_sqlite(data: bytes) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(b"SQLite format 3\0"):
        return
    # Bytes 18 and 19 say "write-ahead log"; a copy in memory has none beside it.
    plain = data[:18] + b"\1\1" + data[20:]
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(plain)
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            quoted = table.replace('"', '""')
            for row in database.execute(f'select * from "{quoted}"'):  # noqa: S608
                for value in row:
                    if isinstance(value, (bytes, str)):
                        yield f"sqlite {table}", value.encode() if isinstance(value, str) else value
    except sqlite3.DatabaseError:
        return
    finally:
        database.close()
