"""The values that leave and enter the vision room: frozen structs of arrays, validated once.

Coordinates are pixels of the original frame unless a name says otherwise; the origin is the
top left corner of the top left pixel, x to the right, y down. Images are BGR, uint8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from vision.errors import GalleryError, ImageError

Image: TypeAlias = npt.NDArray[np.uint8]
"""Shape (H, W, 3), uint8, BGR."""

Float32: TypeAlias = npt.NDArray[np.float32]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
Bool: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice
"""What selects rows of a struct of arrays."""

ColourOrder: TypeAlias = Literal["rgb", "bgr"]


def _array(owner: str, name: str, value: Any, shape: tuple[int | None, ...], dtype: type) -> Any:
    """`value` as a read-only contiguous array of `dtype`; None in `shape` is any length."""
    try:
        array: npt.NDArray[Any] = np.ascontiguousarray(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ImageError(f"{owner}.{name} must hold {np.dtype(dtype)}: {error}") from error
    fits = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=False)
    )
    if not fits:
        wanted = tuple("N" if want is None else want for want in shape)
        raise ImageError(f"{owner}.{name} must have shape {wanted}, got {array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ImageError(f"{owner}.{name} holds values that are not finite")
    if array is value or array.base is not None:
        array = array.copy()
    array.flags.writeable = False
    return array


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture and its time.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        pts_seconds: presentation time on the source's own clock, pts × time_base, seconds.
        frame_index: 0-based count of pictures read from the source so far.
        pts: the raw time stamp, in units of `time_base`; None where the source gives none.
        time_base: seconds per unit of `pts`; None where the source gives none.
        key_frame: whether the picture was coded without reference to another.
    """

    image: Image
    pts_seconds: float
    frame_index: int
    pts: int | None = None
    time_base: Fraction | None = None
    key_frame: bool = False

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ImageError(
                f"Frame.image must be (H, W, 3) uint8 BGR and not empty, got {image.shape} {image.dtype}"
            )
        if not math.isfinite(self.pts_seconds):
            raise ImageError(f"Frame.pts_seconds must be finite, got {self.pts_seconds}")

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return int(self.image.shape[1]), int(self.image.shape[0])

    def __repr__(self) -> str:
        return f"Frame(index={self.frame_index}, pts_seconds={self.pts_seconds:.3f}, wh={self.size_wh})"


@dataclass(frozen=True, slots=True, repr=False)
class Detections:
    """Objects found in one frame, one row each.

    Attributes:
        xyxy: (N, 4) float32, pixels of the original frame.
        confidence: (N,) float32, 0 to 1.
        class_id: (N,) int32, index into the model's own class list.
    """

    xyxy: Float32
    confidence: Float32
    class_id: Int32

    def __post_init__(self) -> None:
        rows = len(self.xyxy)
        _freeze(self, "xyxy", (None, 4), np.float32)
        _freeze(self, "confidence", (rows,), np.float32)
        _freeze(self, "class_id", (rows,), np.int32)

    @classmethod
    def empty(cls) -> Detections:
        """No rows."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: Rows) -> Detections:
        return Detections(self.xyxy[rows], self.confidence[rows], self.class_id[rows])

    def __repr__(self) -> str:
        return f"Detections(n={len(self)})"


@dataclass(frozen=True, slots=True, repr=False)
class Faces:
    """Faces found in one frame, one row each.

    Attributes:
        xyxy: (N, 4) float32, pixels of the original frame.
        confidence: (N,) float32, 0 to 1.
        landmarks: (N, 5, 2) float32, pixels of the original frame, in this order: the eye on the
            left of the picture, the eye on the right, nose tip, left and right mouth corner.
    """

    xyxy: Float32
    confidence: Float32
    landmarks: Float32

    def __post_init__(self) -> None:
        rows = len(self.xyxy)
        _freeze(self, "xyxy", (None, 4), np.float32)
        _freeze(self, "confidence", (rows,), np.float32)
        _freeze(self, "landmarks", (rows, 5, 2), np.float32)

    @classmethod
    def empty(cls) -> Faces:
        """No rows."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: Rows) -> Faces:
        return Faces(self.xyxy[rows], self.confidence[rows], self.landmarks[rows])

    def as_detections(self) -> Detections:
        """The boxes alone, all of class 0, for a tracker."""
        return Detections(self.xyxy, self.confidence, np.zeros(len(self), np.int32))

    def __repr__(self) -> str:
        return f"Faces(n={len(self)})"


@dataclass(frozen=True, slots=True, repr=False)
class Tracks:
    """What a tracker says of one frame, one row per track it reports.

    Attributes:
        xyxy: (N, 4) float32, pixels of the original frame.
        confidence: (N,) float32, that of the detection behind the row.
        class_id: (N,) int32.
        track_id: (N,) int64, from 1, never reused by one tracker instance before `reset`.
        detection_index: (N,) int64, row of the `Detections` given to `update`; -1 where the
            track is carried on without one.
    """

    xyxy: Float32
    confidence: Float32
    class_id: Int32
    track_id: Int64
    detection_index: Int64

    def __post_init__(self) -> None:
        rows = len(self.xyxy)
        _freeze(self, "xyxy", (None, 4), np.float32)
        _freeze(self, "confidence", (rows,), np.float32)
        _freeze(self, "class_id", (rows,), np.int32)
        _freeze(self, "track_id", (rows,), np.int64)
        _freeze(self, "detection_index", (rows,), np.int64)

    @classmethod
    def empty(cls) -> Tracks:
        """No rows."""
        none = Detections.empty()
        ids = np.empty(0, np.int64)
        return cls(none.xyxy, none.confidence, none.class_id, ids, ids)

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, rows: Rows) -> Tracks:
        return Tracks(
            self.xyxy[rows],
            self.confidence[rows],
            self.class_id[rows],
            self.track_id[rows],
            self.detection_index[rows],
        )

    def __repr__(self) -> str:
        return f"Tracks(n={len(self)})"


@dataclass(frozen=True, slots=True)
class Identification:
    """The gallery's answer to one embedding: subjects by falling similarity.

    Attributes:
        subject_ids: each subject once, best first; empty where the gallery is.
        similarities: cosine of each subject's best template to the probe, −1 to 1.
    """

    subject_ids: tuple[str, ...]
    similarities: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.subject_ids) != len(self.similarities):
            raise GalleryError(
                f"Identification has {len(self.subject_ids)} subjects "
                f"and {len(self.similarities)} similarities"
            )

    def __len__(self) -> int:
        return len(self.subject_ids)


@dataclass(frozen=True, slots=True)
class ModelInput:
    """How pixels become a model's input: resized, reordered, (x − mean) × scale.

    Attributes:
        size_wh: width and height of the input, pixels; (0, 0) where the model takes any.
        colour: order of the channels the model was trained with.
        mean: subtracted per channel, in the model's own channel order, on 0 to 255.
        scale: multiplied afterwards, per channel.
    """

    size_wh: tuple[int, int]
    colour: ColourOrder
    mean: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0))
    scale: tuple[float, float, float] = field(default=(1.0, 1.0, 1.0))


def _freeze(owner: Any, name: str, shape: tuple[int | None, ...], dtype: type) -> None:
    array = _array(type(owner).__name__, name, getattr(owner, name), shape, dtype)
    object.__setattr__(owner, name, array)
