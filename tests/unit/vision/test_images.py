"""Pictures: decoding what anybody may send, encoding without traces, resizing with a way back."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import RED, noise, plain, smooth
from vision.errors import ImageError
from vision.images import (
    Placement,
    decode_image,
    encode_jpeg,
    encode_png,
    letterbox,
    read_image,
    resize,
    to_tensor,
    validate_image,
)
from vision.types import ModelInput


def encoded(picture: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def half_red(mode: str = "RGB") -> PIL.Image.Image:
    """Red above, white below, 40 × 20."""
    picture = PIL.Image.new("RGB", (40, 20), "white")
    picture.paste("red", (0, 0, 40, 10))
    return picture.convert(mode)


def huge_png(side: int = 20_000) -> bytes:
    """A PNG whose header announces far more pixels than its bytes hold."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "top", "bottom"),
    [
        pytest.param(encoded(half_red()), (0, 0, 255), (255, 255, 255), id="RGB"),
        pytest.param(encoded(half_red("L")), (76, 76, 76), (255, 255, 255), id="grey"),
        pytest.param(encoded(half_red("P")), (0, 0, 255), (255, 255, 255), id="palette"),
        pytest.param(encoded(half_red("RGBA")), (0, 0, 255), (255, 255, 255), id="RGBA"),
        pytest.param(encoded(half_red("LA")), (76, 76, 76), (255, 255, 255), id="grey with alpha"),
        pytest.param(encoded(half_red("1")), None, (255, 255, 255), id="one bit"),
        pytest.param(encoded(half_red("CMYK"), "JPEG", quality=100), (0, 0, 254), (255, 255, 255), id="CMYK"),
        pytest.param(encoded(half_red(), "WEBP", lossless=True), (0, 0, 255), (255, 255, 255), id="WebP"),
        pytest.param(encoded(half_red(), "BMP"), (0, 0, 255), (255, 255, 255), id="BMP"),
        pytest.param(encoded(half_red(), "TIFF"), (0, 0, 255), (255, 255, 255), id="TIFF"),
    ],
)
def test_every_kind_becomes_bgr(data: bytes, top: tuple[int, ...] | None, bottom: tuple[int, ...]) -> None:
    image = decode_image(data)
    assert (image.shape, image.dtype.name, image.flags.c_contiguous) == ((20, 40, 3), "uint8", True)
    assert np.allclose(image[15, 20], bottom, atol=3)
    assert top is None or np.allclose(image[3, 20], top, atol=3)


def test_sixteen_bits_are_scaled_not_cut() -> None:
    values = np.linspace(0, 65_535, 256 * 4, dtype=np.uint16).reshape(4, 256)
    image = decode_image(encoded(PIL.Image.fromarray(values)))
    assert np.array_equal(image[..., 0], values >> 8)


def test_what_is_transparent_is_white() -> None:
    picture = PIL.Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (decode_image(encoded(picture)) == 255).all()


def test_the_camera_may_be_held_sideways() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image = decode_image(encoded(half_red(), "JPEG", exif=exif, quality=100))
    assert image.shape == (40, 20, 3)
    assert np.allclose(image[20, 15], RED, atol=6)
    assert np.allclose(image[20, 3], (255, 255, 255), atol=6)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    data = encoded(half_red(), "GIF", save_all=True, append_images=[PIL.Image.new("RGB", (40, 20), "blue")])
    assert np.allclose(decode_image(data)[3, 20], RED, atol=3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", r"portrait.png: is empty \(0 bytes\)", id="nothing"),
        pytest.param(b"no picture at all", "portrait.png: not a picture", id="text"),
        pytest.param(encoded(half_red())[:60], "portrait.png: broken or truncated", id="truncated PNG"),
        pytest.param(
            encoded(half_red().resize((400, 400)), "JPEG")[:900], "broken or truncated", id="truncated JPEG"
        ),
        pytest.param(huge_png(), "portrait.png: has far more pixels", id="400 million pixels"),
        pytest.param(huge_png(9_000), "9000×9000 pixels is more than the 64 million", id="81 million pixels"),
        pytest.param(huge_png(11_000), "11000×11000 pixels", id="121 million pixels"),
        pytest.param(
            encoded(PIL.Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "floating point", id="float"
        ),
        pytest.param(encoded(half_red(), "PPM"), "not a picture in a known format", id="another format"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        decode_image(data, name="portrait.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [9_000, 20_000])
def test_a_picture_too_large_is_refused_before_its_pixels_exist(side: int) -> None:
    data = huge_png(side)
    tracemalloc.start()
    with pytest.raises(ImageError):
        decode_image(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_the_limit_is_a_limit() -> None:
    data = encoded(half_red())
    assert decode_image(data, max_pixels=800).shape == (20, 40, 3)
    with pytest.raises(ImageError, match="40×20"):
        decode_image(data, max_pixels=799)


SAMPLES = [encoded(half_red(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=12),
    st.integers(0, 2_000),
)
def test_damaged_bytes_are_a_picture_or_an_image_error(
    data: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        image = decode_image(bytes(damaged[: max(1, length)]), max_pixels=1_000_000)
    except ImageError:
        return
    assert validate_image(image) is image


def test_files_name_themselves(tmp_path: Path) -> None:
    good = tmp_path / "face.png"
    good.write_bytes(encoded(half_red()))
    assert read_image(good).shape == (20, 40, 3)
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError, match=str(path)):
            read_image(path)


def test_encoding_keeps_the_picture_and_nothing_else() -> None:
    image = smooth((64, 48))
    assert np.array_equal(decode_image(encode_png(image)), image)
    jpeg = encode_jpeg(image, 95)
    assert np.abs(decode_image(jpeg).astype(int) - image).mean() < 3
    assert len(encode_jpeg(image, 30)) < len(jpeg)
    assert not PIL.Image.open(io.BytesIO(jpeg)).getexif()
    assert b"Exif" not in jpeg


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_a_quality_out_of_range_is_refused(quality: int) -> None:
    with pytest.raises(ImageError, match="quality"):
        encode_jpeg(plain(), quality)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(noise()[..., 0], id="grey"),
        pytest.param(noise().astype(np.uint16), id="16-bit"),
        pytest.param(np.dstack([noise(), noise()[..., :1]]), id="RGBA"),
        pytest.param(noise().astype(np.float32), id="float"),
        pytest.param(np.zeros((0, 0, 3), np.uint8), id="empty"),
        pytest.param([[1, 2, 3]], id="a list"),
        pytest.param(None, id="nothing"),
    ],
)
def test_what_is_no_image_is_refused_by_name(image: Any) -> None:
    with pytest.raises(ImageError, match="the probe must be"):
        validate_image(image, "the probe")


def test_strides_do_not_matter() -> None:
    image = noise((30, 20))
    for view in (image[:, ::-1], image[::2, ::3], image.transpose(1, 0, 2), image[..., ::-1]):
        valid = validate_image(view)
        assert valid.flags.c_contiguous
        assert np.array_equal(valid, view)


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (640, 360), (33, 77)])
@pytest.mark.parametrize("centred", [True, False])
def test_a_letterboxed_point_finds_its_way_back(size_wh: tuple[int, int], centred: bool) -> None:
    canvas, placement = letterbox(plain(size_wh, (200, 200, 200)), (128, 96), fill=7, centred=centred)
    assert canvas.shape == (96, 128, 3)
    lit = np.argwhere(canvas[..., 0] == 200)
    (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0) + 1
    box = placement.boxes_back(np.array([[left, top, right, bottom]], float))
    assert np.allclose(box, [[0, 0, *size_wh]], atol=1e-3)
    corner = placement.points_back(np.array([[[right, bottom]]], float))
    assert np.allclose(corner, [[size_wh]], atol=1e-3)


def test_letterboxing_keeps_the_shape_of_things() -> None:
    _, placement = letterbox(plain((1000, 500)), (416, 416), fill=0, centred=True)
    assert placement.scale_xy == pytest.approx((0.416, 0.416))
    assert placement.offset_xy == (0.0, 104.0)


def test_resizing_to_the_same_size_is_the_picture_itself() -> None:
    image = noise()
    same, placement = resize(image, (64, 48))
    assert same is image
    assert placement == Placement((1.0, 1.0))


def test_a_tensor_has_the_models_channels_mean_and_scale() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 10, 20, 30
    rgb = to_tensor([image], ModelInput((2, 2), "rgb", (30.0, 20.0, 0.0), (1.0, 2.0, 0.5)))
    assert rgb[0, :, 0, 0].tolist() == [0, 0, 5]
    bgr = to_tensor(image[None], ModelInput((2, 2), "bgr"))
    assert bgr[0, :, 1, 1].tolist() == [10, 20, 30]
    assert (bgr.shape, bgr.dtype.name, bgr.flags.c_contiguous) == ((1, 3, 2, 2), "float32", True)


@pytest.mark.parametrize("size_wh", [(40, 30), (36, 24), (20, 15), (13, 7)])
def test_a_picture_shrunk_by_halving_first_is_the_one_shrunk_at_once(size_wh: tuple[int, int]) -> None:
    waves = np.add.outer(np.sin(np.arange(120) / 17), np.cos(np.arange(160) / 23))
    image = np.repeat(((waves + 2) * 63).astype(np.uint8)[..., None], 3, axis=2)
    found, placement = resize(image, size_wh)
    at_once = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - at_once).max() <= 4
    assert placement.scale_xy == (size_wh[0] / 160, size_wh[1] / 120)
