"""A decoded frame and its conversions: to upright BGR pixels, and to a small grey picture."""

from __future__ import annotations

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from vision.errors import SourceDecodeError
from vision.luma import Grey, small_grey
from vision.media_options import DAMAGE, reason_of
from vision.types import Frame, Image

_UPRIGHT = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    -90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
}


class PictureConverter:
    """Converts the frames of one source; keeps what FFmpeg prepares for their size and format."""

    def __init__(self, location: str) -> None:
        """For a source.

        Args:
            location: what errors call it, free of credentials.
        """
        self._location = location
        self._reformatter = VideoReformatter()
        self._small_reformatter = VideoReformatter()

    def to_image(self, decoded: VideoFrame) -> Image:
        """One decoded frame as upright BGR pixels.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """
        reason = None
        try:
            # One thread here: FFmpeg's own choice starts one per core for every single conversion.
            converted = self._reformatter.reformat(decoded, format="bgr24", threads=1)
            image = np.asarray(converted.to_ndarray(), dtype=np.uint8)
        except DAMAGE as error:
            reason = reason_of(error)
        if reason:
            raise self._not_converted(decoded, reason)
        turn = _UPRIGHT.get(decoded.rotation)
        upright = image if turn is None else np.asarray(cv2.rotate(image, turn), dtype=np.uint8)
        return np.ascontiguousarray(upright)

    def to_grey(self, decoded: VideoFrame, max_width: int) -> Grey:
        """One decoded frame as a small, upright picture of its brightness: `vision.luma.small_grey`.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """
        try:
            return small_grey(decoded, max_width, self._small_reformatter)
        except DAMAGE as error:
            reason = reason_of(error)
        raise self._not_converted(decoded, reason)

    def _not_converted(self, decoded: VideoFrame, reason: str) -> SourceDecodeError:
        return SourceDecodeError(self._location, f"picture in {decoded.format.name} not converted: {reason}")


class DecodedPicture:
    """A decoded video frame and the means to convert it: a `vision.sources.Picture`."""

    __slots__ = ("_converter", "_decoded", "frame_index", "pts_seconds")

    def __init__(
        self, decoded: VideoFrame, converter: PictureConverter, frame_index: int, pts_seconds: float
    ) -> None:
        self._decoded = decoded
        self._converter = converter
        self.frame_index = frame_index
        self.pts_seconds = pts_seconds

    @property
    def key_frame(self) -> bool:
        """As in `Frame`."""
        return self._decoded.key_frame

    @property
    def still(self) -> bool:
        """Never said of what comes from a decoder."""
        return False

    def to_grey(self, max_width: int) -> Grey:
        """The picture's brightness, small and upright: `vision.luma.small_grey`.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """
        return self._converter.to_grey(self._decoded, max_width)

    def to_frame(self) -> Frame:
        """The picture as pixels.

        Raises:
            SourceDecodeError: a pixel format that cannot be converted.
        """
        decoded = self._decoded
        image = self._converter.to_image(decoded)
        has_pts = decoded.pts is not None
        time_base = decoded.time_base if has_pts else None
        return Frame(image, self.pts_seconds, self.frame_index, decoded.pts, time_base, decoded.key_frame)
