"""Reads dlib's own serialisation: variable-length integers, decomposed floats, little-endian tensors.

Described by dlib's sources, `serialize.h`, `float_details.h` and `cuda/tensor.h` (Boost licence): an integer is a control
byte, whose low four bits count the bytes that follow and whose highest bit is the sign, then those bytes, least
significant first; a float is mantissa and exponent as two integers; a truth value is the letter `1` or `0`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from weights.errors import ConversionError

_SIGN = 0x80
_LENGTH = 0x0F
_TENSOR_VERSION = 2
_ALIAS_VERSION = 1
_TENSOR_LIMIT = 1 << 28


class DlibStream:
    """A cursor over the bytes of a `.dat` file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self._at == len(self._content)

    def integer(self) -> int:
        """The next integer."""
        control = self._take(1)[0]
        size = control & _LENGTH
        if size > 8:
            raise self._error(f"an integer of {size} bytes")
        value = int.from_bytes(self._take(size), "little")
        return -value if control & _SIGN else value

    def real(self) -> float:
        """The next floating point number."""
        mantissa, exponent = self.integer(), self.integer()
        if abs(exponent) > 2000:  # dlib writes 32000 and more for infinities and NaN
            raise self._error("a number that is not finite")
        return math.ldexp(mantissa, exponent)

    def flag(self) -> bool:
        """The next truth value."""
        letter = self._take(1)
        if letter not in (b"0", b"1"):
            raise self._error(f"a truth value that is {letter!r}")
        return letter == b"1"

    def string(self) -> str:
        """The next string."""
        size = self.integer()
        if not 0 <= size <= 256:
            raise self._error(f"a name of {size} letters")
        return self._take(size).decode("ascii", errors="replace")

    def tensor(self) -> npt.NDArray[np.float32]:
        """The next tensor, (samples, channels, rows, columns) float32; any of them may be 0."""
        self.expect(_TENSOR_VERSION, "version of a tensor")
        shape = tuple(self.integer() for _ in range(4))
        count = math.prod(shape)
        if min(shape) < 0 or count > _TENSOR_LIMIT:
            raise self._error(f"a tensor of shape {shape}")
        values = np.frombuffer(self._take(4 * count), "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise self._error("a tensor with values that are not finite")
        return values.reshape(shape)

    def alias(self) -> tuple[int, int, int, int]:
        """The next alias: the shape of a part of a tensor written elsewhere."""
        self.expect(_ALIAS_VERSION, "version of a tensor alias")
        return self.integer(), self.integer(), self.integer(), self.integer()

    def expect(self, wanted: int, what: str) -> None:
        """Reads an integer that must have one value.

        Raises:
            ConversionError: it has another.
        """
        actual = self.integer()
        if actual != wanted:
            raise self._error(f"{what} {actual} where {wanted} is due")

    def expect_name(self, *wanted: str) -> str:
        """Reads the name of a layer that must be one of these."""
        actual = self.string()
        if actual not in wanted:
            raise self._error(f"layer {actual!r} where {' or '.join(wanted)} is due")
        return actual

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._content):
            raise self._error("its end")
        taken = self._content[self._at : end]
        self._at = end
        return taken

    def _error(self, what: str) -> ConversionError:
        return ConversionError(f"dlib network file: unexpected at byte {self._at}: {what}")
