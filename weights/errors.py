"""Errors of the weights room.

WeightsError
├── CatalogError        the catalogue names nothing of the kind, or is not valid
├── FetchError          the source could not be had
├── HashMismatchError   bytes that are not the ones the catalogue names
├── UnpinnedError       a file whose hash nobody has vouched for yet
├── ConversionError     a source file that does not convert
└── CacheError          the cache folder cannot be read or written
"""


class WeightsError(Exception):
    """Base of every error raised by `weights`. The message says what, where and what to do."""


class CatalogError(WeightsError):
    """An unknown model id, or an entry that breaks the catalogue's rules."""


class FetchError(WeightsError):
    """A package or address that could not be fetched with the machine's own clients."""


class HashMismatchError(WeightsError):
    """A file whose SHA-256 is not the catalogue's."""


class UnpinnedError(WeightsError):
    """An entry without a hash: upstream's could not be learnt, and the operator has pinned none."""


class ConversionError(WeightsError):
    """A source file that could not be turned into the model it should hold."""


class CacheError(WeightsError):
    """A cache folder that is missing, full, or not writable."""
