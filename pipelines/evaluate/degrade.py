"""A photograph made to look as if a street camera had taken it: small, smeared by motion, squeezed by H.264.

The order is a camera's. What moves during the exposure smears before the sensor samples it, the sensor
samples by area, and the encoder sees the result. Nothing is written to disk; one seed gives one picture.

What is simulated and what is not: docs/limits.md. Simulated CCTV is not CCTV: there is no noise of a dark
night, no lens, no glare, no steep view from above, and nobody looks away who looked at the photographer.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipelines.evaluate.errors import EvaluationError
from vision.boxes import area
from vision.images import resize, validate_image
from vision.types import Float32, Image

MOTION_SHARE = 0.1
"""Path of a face during the exposure, in face sizes: a face is about 18 cm high and wide with its margin,
and who walks across the view at 1.4 m/s goes a tenth of that in 1/80 s, a usual exposure at dusk."""

LOW_RATE_CRF = 35
"""libx264's quality at a low bit rate. Street scenes of 768×432 and 1280×720 pixels take 46 to 1,040 kb/s at it;
brought to 1080p at 25 pictures a second that is 0.6 to 1.9 Mb/s, a recorder's setting that must keep a month."""

_FPS = 25
_SEQUENCE_FRAMES = 6
"""Pictures encoded: one key frame and five predicted ones, of which the last is kept, so that what is seen
was carried by motion vectors as most pictures of a stream are."""

_STEP_PX = 1.5
"""Motion from picture to picture in pixels of the degraded picture: slow walking, some way off."""

_BLOCK_PX = 16


@dataclass(frozen=True, slots=True)
class Degradation:
    """What is done to a photograph.

    Attributes:
        name: as it stands in documents and tables.
        face_size_px: the picture is shrunk until the root of its face's box area is this; None, or a face that
            is smaller already: left as it is, for nothing is ever enlarged.
        motion_share: length of the smear in face sizes; 0 for none. Its direction comes from the seed.
        crf: of libx264; None for no video coding.
    """

    name: str
    face_size_px: float | None = None
    motion_share: float = 0.0
    crf: int | None = None


FACE_48 = Degradation("face_48px", 48)
FACE_32 = Degradation("face_32px", 32)
FACE_24 = Degradation("face_24px", 24)
MOTION_BLUR = Degradation("face_48px_motion_blur", 48, MOTION_SHARE)
LOW_RATE = Degradation("face_48px_h264", 48, crf=LOW_RATE_CRF)
CCTV_48 = Degradation("cctv_48px", 48, MOTION_SHARE, LOW_RATE_CRF)
CCTV_32 = Degradation("cctv_32px", 32, MOTION_SHARE, LOW_RATE_CRF)
CCTV_24 = Degradation("cctv_24px", 24, MOTION_SHARE, LOW_RATE_CRF)

SEPARATELY = (FACE_48, FACE_32, FACE_24, MOTION_BLUR, LOW_RATE)
"""One thing at a time; smear and coding on faces of 48 pixels."""

TOGETHER = (CCTV_48, CCTV_32, CCTV_24)
"""Small, smeared and coded at once, as a street camera's faces are."""

CCTV = SEPARATELY + TOGETHER


def seed_of(seed: int, name: str) -> tuple[int, int]:
    """A seed of its own for each picture, the same in every run and on every machine."""
    return seed, zlib.crc32(name.encode())


def degrade(image: Image, face_xyxy: npt.ArrayLike, how: Degradation, seed: int | Sequence[int]) -> Image:
    """A photograph as a street camera would have shown it.

    Args:
        image: (H, W, 3) uint8 BGR; not modified.
        face_xyxy: (4,) box of the face whose size counts, pixels of `image`.
        how: what is done to it.
        seed: of the directions of smear and motion.

    Returns:
        (h, w, 3) uint8 BGR, the whole picture, smaller by the factor by which the face had to shrink.

    Raises:
        ImageError: not an image.
        EvaluationError: a box without area, or a PyAV without libx264.
    """
    image = validate_image(image)
    size_px = math.sqrt(float(area(np.asarray(face_xyxy, np.float32).reshape(1, 4))[0]))
    if not size_px > 0:
        raise EvaluationError("a face box without area cannot be brought to a size")
    rng = np.random.default_rng(seed)
    smear_angle, step_angle = rng.uniform(0.0, 2 * math.pi, 2)
    if how.motion_share > 0:
        image = motion_blur(image, how.motion_share * size_px, smear_angle)
    if how.face_size_px is not None:
        image = _shrunk(image, how.face_size_px / size_px)
    if how.crf is not None:
        image = through_h264(image, how.crf, step_angle)
    return image


def motion_blur(image: Image, length_px: float, angle_radians: float) -> Image:
    """The picture smeared evenly along a straight path.

    Args:
        image: (H, W, 3) uint8 BGR.
        length_px: of the path; below a pixel nothing changes to speak of.
        angle_radians: its direction.
    """
    half = max(1, math.ceil(length_px / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float64)
    # Points along the path, each shared out to its four neighbours: no direction is favoured.
    steps = np.linspace(-length_px / 2, length_px / 2, 8 * half + 1)
    columns, rows = half + steps * math.cos(angle_radians), half + steps * math.sin(angle_radians)
    for column, row in zip(columns, rows, strict=True):
        left, top = min(int(column), 2 * half - 1), min(int(row), 2 * half - 1)
        right_share, lower_share = column - left, row - top
        kernel[top : top + 2, left : left + 2] += np.outer(
            [1 - lower_share, lower_share], [1 - right_share, right_share]
        )
    blurred = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.uint8)


def _shrunk(image: Image, ratio: float) -> Image:
    if ratio >= 1.0:
        return image
    height, width = image.shape[:2]
    size_wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    if ratio >= 0.5:
        return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return resize(image, size_wh)[0]


def through_h264(image: Image, crf: int, step_angle: float = 0.0) -> Image:
    """The last picture of a short H.264 stream in which this picture drifts slowly into place.

    Args:
        image: (H, W, 3) uint8 BGR.
        crf: of libx264, 0 to 51; the higher, the coarser.
        step_angle: direction of the drift, radians.

    Raises:
        EvaluationError: this PyAV was built without libx264.
    """
    height, width = image.shape[:2]
    frames = _drifting(_padded(image), step_angle)
    packets = _encoded(frames, crf)
    decoder = VideoCodecContext.create("h264", "r")
    shown = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    decoded = np.asarray(shown[-1].to_ndarray(format="bgr24"), np.uint8)
    return np.ascontiguousarray(decoded[:height, :width])


def _padded(image: Image) -> Image:
    """Grown to whole blocks by repeating the edge: H.264 has no others, and odd sides have no half colour."""
    height, width = image.shape[:2]
    below, beside = -height % _BLOCK_PX, -width % _BLOCK_PX
    return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_REPLICATE), np.uint8)


def _drifting(image: Image, angle: float) -> list[Image]:
    height, width = image.shape[:2]
    frames = []
    for left in range(_SEQUENCE_FRAMES - 1, 0, -1):
        offset = left * _STEP_PX * np.array([math.cos(angle), math.sin(angle)])
        shift: Float32 = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
        moved = cv2.warpAffine(
            image, shift, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        frames.append(np.asarray(moved, np.uint8))
    return [*frames, image]


def _encoded(frames: Sequence[Image], crf: int) -> list[Packet[VideoStream]]:
    try:
        encoder = VideoCodecContext.create("libx264", "w")
    except av.error.FFmpegError as error:
        raise EvaluationError(
            "simulated CCTV needs a PyAV with the encoder libx264; this one has none"
        ) from error
    encoder.height, encoder.width = frames[0].shape[:2]
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, _FPS), Fraction(_FPS)
    encoder.thread_count = 1  # several threads cut a small picture into slices, and not always the same way
    # A camera encodes live: no pictures from the future, a simple profile, a preset a chip keeps up with.
    encoder.options = {"crf": str(crf), "preset": "veryfast", "tune": "zerolatency", "profile": "main"}
    packets = []
    for number, image in enumerate(frames):
        frame = VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    return packets + encoder.encode(None)
