"""Reads Darknet's `.cfg` and `.weights` files.

The weights file is a header (three 32-bit version numbers and the count of pictures seen) and then float32 values, little
endian, in the order of the cfg's convolutions: biases, and where there is batch normalisation scales, means
and variances, then kernels. Described by Darknet's `parser.c` (public domain).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weights.errors import ConversionError

_HEADER_BYTES = 20
_EPSILON = np.float32(1e-6)
"""Darknet adds it to the standard deviation, not to the variance."""


@dataclass(frozen=True, slots=True)
class Section:
    """One `[name]` of a cfg with its settings."""

    name: str
    settings: Mapping[str, str]

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number.

        Raises:
            ConversionError: it is missing without a default, or is no number.
        """
        text = self.settings.get(key)
        if text is None and default is not None:
            return default
        try:
            return int(text or "")
        except ValueError as error:
            raise ConversionError(f"Darknet cfg: [{self.name}] {key}: not a whole number: {text}") from error

    def integers(self, key: str) -> list[int]:
        """A list of whole numbers, separated by commas.

        Raises:
            ConversionError: it is missing or holds something else.
        """
        text = self.settings.get(key, "")
        try:
            return [int(part) for part in text.split(",")]
        except ValueError as error:
            raise ConversionError(f"Darknet cfg: [{self.name}] {key}: not whole numbers: {text}") from error


def parse_cfg(content: bytes) -> list[Section]:
    """The sections of a cfg in their order, the first of which is `net`.

    Raises:
        ConversionError: it is no cfg.
    """
    sections: list[Section] = []
    settings: dict[str, str] = {}
    for line in content.decode("utf-8", errors="replace").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("[") and text.endswith("]"):
            settings = {}
            sections.append(Section(text[1:-1], settings))
        elif "=" in text:
            key, _, value = text.partition("=")
            settings[key.strip()] = value.strip()
    if not sections or sections[0].name != "net":
        raise ConversionError("Darknet cfg: it does not start with [net]")
    return sections


class WeightsReader:
    """A cursor over the values of a weights file."""

    def __init__(self, content: bytes) -> None:
        if len(content) < _HEADER_BYTES or (len(content) - _HEADER_BYTES) % 4:
            raise ConversionError(f"Darknet weights: {len(content)} bytes are no weights file")
        major, minor = np.frombuffer(content[:8], "<i4").tolist()
        if major * 10 + minor < 2:
            raise ConversionError(f"Darknet weights: version {major}.{minor} is older than 0.2")
        self._values = np.frombuffer(content[_HEADER_BYTES:], "<f4").astype(np.float32)
        self._at = 0

    @property
    def remaining(self) -> int:
        """Values not read yet."""
        return self._values.size - self._at

    def convolution(
        self, shape: tuple[int, int, int, int], *, normalised: bool
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Kernel and bias of the next convolution, its batch normalisation folded in.

        Args:
            shape: of the kernel: filters, channels, height, width.
            normalised: whether batch normalisation follows it.
        """
        filters = shape[0]
        bias = self._take(filters)
        if not normalised:
            return self._take(int(np.prod(shape))).reshape(shape), bias
        scale, mean, variance = self._take(filters), self._take(filters), self._take(filters)
        factor = (scale / (np.sqrt(variance) + _EPSILON)).astype(np.float32)
        kernel = self._take(int(np.prod(shape))).reshape(shape)
        return kernel * factor[:, None, None, None], bias - mean * factor

    def _take(self, count: int) -> npt.NDArray[np.float32]:
        if count > self.remaining:
            raise ConversionError("Darknet weights: the file ends before the network does")
        taken = self._values[self._at : self._at + count]
        self._at += count
        return taken
