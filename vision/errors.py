"""Errors of the vision room.

VisionError
├── ImageError          pixels or arrays that cannot be used
│   ├── UnknownFormatError      bytes that are no picture of a format we read
│   └── TooManyPixelsError      a picture whose header says more pixels than allowed
├── MaskError           a polygon that masks nothing, or nothing clear
├── SourceError         media
│   ├── SourceOpenError     cannot be opened, or is not media
│   └── SourceDecodeError   opened, but stopped being decodable
├── ModelError          a model file, its inputs or its outputs
└── GalleryError        templates that cannot be searched
"""


class VisionError(Exception):
    """Base of every error raised by `vision`. The message says what, where and what to do."""


class ImageError(VisionError, ValueError):
    """An image or array with the wrong shape, type or content."""


class UnknownFormatError(ImageError):
    """Bytes that are no picture in a format that is read."""


class TooManyPixelsError(ImageError):
    """A picture that is larger than allowed; not a pixel of it was decoded."""


class MaskError(VisionError, ValueError):
    """Corners that make no polygon on a picture."""


class SourceError(VisionError):
    """A media source failed. `source` is already free of credentials."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class SourceOpenError(SourceError):
    """A source that cannot be opened: missing, unreadable, or not media.

    Attributes:
        refused: it answered, and did not let us in.
    """

    def __init__(self, source: str, reason: str, *, refused: bool = False) -> None:
        super().__init__(source, reason)
        self.refused = refused


class SourceDecodeError(SourceError):
    """A source that opened and then could not be decoded any further."""


class ModelError(VisionError):
    """A model that is not one, or whose inputs or outputs are not what its family needs."""


class GalleryError(VisionError, ValueError):
    """Templates or subject ids that do not fit each other."""
