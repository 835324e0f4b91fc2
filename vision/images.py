"""Still pictures: bytes to pixels and back, resizing with a way back, pixels to a model's input.

Decoding goes through Pillow, which reads the header first: what is too large is refused before its
pixels are allocated.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps

from vision.errors import ImageError, TooManyPixelsError, UnknownFormatError
from vision.types import Float32, Image, ModelInput

MAX_PIXELS = 64_000_000
"""Largest picture decoded unless told otherwise; the biggest photographs of today's cameras fit."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""Pillow's names of the formats read. A short list on purpose: each decoder is a surface to attack."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""File names taken for pictures, in lower case."""

_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    AttributeError,
    MemoryError,
)
"""What Pillow's decoders are known to raise on bytes that are not what they claim to be."""


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS, name: str = "image") -> Image:
    """The first picture in `data`, upright.

    Grey, palette, CMYK and 16-bit pictures become 8-bit colour; transparency is laid on white; the EXIF
    orientation is applied; of an animation the first frame is taken.

    Args:
        data: an encoded picture in one of `FORMATS`.
        max_pixels: larger pictures are refused from their header alone.
        name: what the message calls the picture.

    Returns:
        (H, W, 3) uint8 BGR, contiguous.

    Raises:
        ImageError: no bytes, not a picture, truncated, or too large.
    """
    if not data:
        raise ImageError(f"{name}: is empty (0 bytes)")
    with _opened(data, name) as picture:
        width, height = picture.size
        if width * height > max_pixels:
            raise TooManyPixelsError(
                f"{name}: {width}×{height} pixels is more than the {max_pixels // 1_000_000} million allowed"
            )
        # A damaged tag is worth no line of its own: the picture decodes, or the error below says why not.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return _to_bgr(PIL.ImageOps.exif_transpose(picture))
            except _PILLOW_ERRORS as error:
                raise ImageError(f"{name}: broken or truncated picture ({_reason(error)})") from error


def _opened(data: bytes, name: str) -> PIL.Image.Image:
    # Our own limit decides on size, so Pillow's warning about large pictures would only be a second line.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return PIL.Image.open(io.BytesIO(data), formats=FORMATS)
        except PIL.Image.DecompressionBombError as error:
            raise TooManyPixelsError(f"{name}: has far more pixels than allowed") from error
        except PIL.UnidentifiedImageError as error:
            raise UnknownFormatError(
                f"{name}: not a picture in a known format ({', '.join(FORMATS)})"
            ) from error
        except _PILLOW_ERRORS as error:
            raise ImageError(f"{name}: broken or truncated picture ({_reason(error)})") from error


def _to_bgr(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith("I"):
        # Integer modes hold 16-bit values, which Pillow would clip at 255 instead of scaling.
        grey = np.clip(np.asarray(picture, dtype=np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    if picture.mode == "F":
        raise ValueError("floating point pixels have no defined white")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", layer.size, "white"), layer)
    rgb = np.asarray(picture.convert("RGB"))
    return np.ascontiguousarray(rgb[..., ::-1])


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture in a file; as `decode_image`.

    Raises:
        ImageError: also where the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or 'cannot be read'}") from error
    return decode_image(data, max_pixels=max_pixels, name=str(path))


def encode_jpeg(image: Image, quality: int = 90) -> bytes:
    """The picture as baseline JPEG, with no metadata of any kind.

    Args:
        image: (H, W, 3) uint8 BGR.
        quality: 1 to 100.

    Raises:
        ImageError: not an image, or a quality out of range.
    """
    if not 1 <= quality <= 100:
        raise ImageError(f"JPEG quality must be 1 to 100, got {quality}")
    return _encode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode_png(image: Image) -> bytes:
    """The picture as PNG, lossless, with no metadata of any kind.

    Raises:
        ImageError: not an image.
    """
    return _encode(".png", image, [])


def _encode(suffix: str, image: Image, parameters: list[int]) -> bytes:
    try:
        done, data = cv2.imencode(suffix, validate_image(image), parameters)
    except cv2.error as error:
        raise ImageError(
            f"{image.shape[1]}×{image.shape[0]} picture cannot be encoded as {suffix}"
        ) from error
    if not done:
        raise ImageError(f"{image.shape[1]}×{image.shape[0]} picture cannot be encoded as {suffix}")
    return data.tobytes()


def validate_image(image: npt.NDArray[Any], name: str = "image") -> Image:
    """The image itself, contiguous, if it is one.

    Args:
        image: should be (H, W, 3) uint8 BGR with at least one pixel; strides do not matter.
        name: what the message calls it.

    Raises:
        ImageError: another shape or type; the message says which.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"{name} must be an array (H, W, 3) uint8 BGR, got {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(f"{name} must be (H, W, 3) uint8 BGR and not empty, got {image.shape} {image.dtype}")
    return np.ascontiguousarray(image)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies on a model's canvas, and the way back.

    Attributes:
        scale_xy: canvas pixels per picture pixel.
        offset_xy: of the picture's top left corner on the canvas, canvas pixels.
    """

    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float] = (0.0, 0.0)

    def boxes_back(self, xyxy: npt.NDArray[np.floating[Any]]) -> Float32:
        """(N, 4) boxes on the canvas as boxes of the picture, not clipped."""
        scale = np.array([*self.scale_xy, *self.scale_xy])
        offset = np.array([*self.offset_xy, *self.offset_xy])
        return np.asarray((xyxy - offset) / scale, dtype=np.float32)

    def points_back(self, points: npt.NDArray[np.floating[Any]]) -> Float32:
        """(…, 2) points on the canvas as points of the picture."""
        return np.asarray((points - np.array(self.offset_xy)) / np.array(self.scale_xy), dtype=np.float32)


def resize(image: Image, size_wh: tuple[int, int]) -> tuple[Image, Placement]:
    """The picture stretched to a size, and the way back. Shrinks by area, grows by interpolation.

    A picture of even sides is first halved as often as it stays larger than wanted: the mean of two by two
    pixels takes a tenth of the time that other areas take, and what remains is less than a halving.
    """
    height, width = image.shape[:2]
    scale_xy = (size_wh[0] / width, size_wh[1] / height)
    while image.shape[1] >= 2 * size_wh[0] and image.shape[0] >= 2 * size_wh[1] and _even(image):
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    left = (size_wh[0] / image.shape[1], size_wh[1] / image.shape[0])
    if left == (1.0, 1.0):
        return image, Placement(scale_xy)
    resized = cv2.resize(
        image, size_wh, interpolation=cv2.INTER_AREA if min(left) < 0.5 else cv2.INTER_LINEAR
    )
    return np.asarray(resized, dtype=np.uint8), Placement(scale_xy)


def _even(image: Image) -> bool:
    return not (image.shape[0] % 2 or image.shape[1] % 2)


def letterbox(image: Image, size_wh: tuple[int, int], *, fill: int, centred: bool) -> tuple[Image, Placement]:
    """The picture shrunk or grown to fit a canvas without distortion, and the way back.

    Args:
        image: (H, W, 3) uint8 BGR.
        size_wh: of the canvas, pixels.
        fill: grey value of the rest of the canvas.
        centred: in the canvas's middle, or at its top left corner.
    """
    height, width = image.shape[:2]
    ratio = min(size_wh[0] / width, size_wh[1] / height)
    fitted_wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    fitted, placement = resize(image, fitted_wh)
    left = (size_wh[0] - fitted_wh[0]) // 2 if centred else 0
    top = (size_wh[1] - fitted_wh[1]) // 2 if centred else 0
    canvas = np.full((size_wh[1], size_wh[0], 3), fill, dtype=np.uint8)
    canvas[top : top + fitted_wh[1], left : left + fitted_wh[0]] = fitted
    return canvas, Placement(placement.scale_xy, (float(left), float(top)))


def to_tensor(images: Sequence[Image] | Image, model_input: ModelInput) -> Float32:
    """Pictures as a model's input.

    Args:
        images: N pictures of one size, BGR; a list, or (N, H, W, 3) uint8.
        model_input: channel order, mean and scale.

    Returns:
        (N, 3, H, W) float32, contiguous.
    """
    pixels = np.asarray(images)
    if model_input.colour == "rgb":
        pixels = pixels[..., ::-1]
    tensor = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
    if any(model_input.mean):
        tensor -= np.array(model_input.mean, dtype=np.float32)[:, None, None]
    if model_input.scale != (1.0, 1.0, 1.0):
        tensor *= np.array(model_input.scale, dtype=np.float32)[:, None, None]
    return tensor
