"""dlib's serialisation, with values written by dlib's own rules."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from weights.convert.dlib_stream import DlibStream
from weights.errors import ConversionError


def _tensor(*shape: int, values: bytes) -> bytes:
    return b"\x01\x02" + b"".join(bytes([1, size]) for size in shape) + values


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b"\x00", 0, id="zero has no bytes"),
        pytest.param(b"\x01\x07", 7, id="one byte"),
        pytest.param(b"\x02\x96\x00", 150, id="least significant first"),
        pytest.param(b"\x81\x11", -17, id="the sign is the highest bit of the control byte"),
        pytest.param(b"\x03\x62\x90\xf5", 0xF59062, id="three bytes"),
        pytest.param(b"\x08" + b"\xff" * 8, 2**64 - 1, id="eight bytes"),
    ],
)
def test_integers(content: bytes, value: int) -> None:
    stream = DlibStream(content)
    assert stream.integer() == value
    assert stream.at_end


def test_a_real_is_mantissa_and_exponent() -> None:
    # The mean of the reds in dlib's face network.
    assert DlibStream(b"\x03\x62\x90\xf5\x81\x11").real() == pytest.approx(122.782, abs=1e-3)


def test_strings_and_truth_values() -> None:
    stream = DlibStream(b"\x01\x05con_410")
    assert (stream.string(), stream.flag(), stream.flag(), stream.at_end) == ("con_4", True, False, True)


def test_a_tensor_is_little_endian_floats() -> None:
    stream = DlibStream(
        _tensor(1, 2, 1, 1, values=struct.pack("<2f", 1.5, -2.0)) + b"\x01\x01" + b"\x01\x09" * 4
    )
    np.testing.assert_array_equal(stream.tensor(), np.array([1.5, -2.0], np.float32).reshape(1, 2, 1, 1))
    assert stream.alias() == (9, 9, 9, 9)


def test_an_empty_tensor_has_no_values() -> None:
    assert DlibStream(b"\x01\x02" + b"\x00" * 4).tensor().size == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "its end", id="nothing"),
        pytest.param(b"\x04\x01", "its end", id="cut in an integer"),
        pytest.param(b"\x09" + bytes(9), "9 bytes", id="integer too long"),
        pytest.param(b"\x01\x02" + b"\x01\x02" * 4, "its end", id="cut in a tensor"),
        pytest.param(b"\x01\x03", "version of a tensor 3", id="other version"),
        pytest.param(b"\x01\x02" + b"\x04\xff\xff\xff\x7f" * 4, "tensor of shape", id="tensor too large"),
        pytest.param(b"\x01\x02\x81\x01" + b"\x01\x01" * 3, "tensor of shape", id="negative size"),
        pytest.param(_tensor(1, 1, 1, 1, values=struct.pack("<f", float("nan"))), "not finite", id="NaN"),
    ],
)
def test_broken_tensors_are_refused_with_their_place(content: bytes, said: str) -> None:
    with pytest.raises(ConversionError, match=f"unexpected at byte .*{said}"):
        DlibStream(content).tensor()


def test_an_infinite_real_a_strange_flag_and_a_long_name_are_refused() -> None:
    with pytest.raises(ConversionError, match="not finite"):
        DlibStream(b"\x01\x01\x02\x00\x7d").real()
    with pytest.raises(ConversionError, match="truth value"):
        DlibStream(b"2").flag()
    with pytest.raises(ConversionError, match="letters"):
        DlibStream(b"\x02\xff\xff").string()


def test_another_layer_than_the_one_due_is_named() -> None:
    with pytest.raises(ConversionError, match="layer 'relu_' where con_4 or con_5 is due"):
        DlibStream(b"\x01\x05relu_").expect_name("con_4", "con_5")
