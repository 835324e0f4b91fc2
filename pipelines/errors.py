"""Errors of the pipelines room.

PipelineError
├── ConfigError         a setting; names file and line where there is one
├── AddressError        an address no camera may have, or whose name is not known
├── ModelCheckError     a model that fails its self-test, or cannot be tested
├── EnrolError          a reference picture that cannot be used
├── SealingError        a seal, signature or key that does not hold
│   └── galleries.GalleryInactiveError   a gallery outside its deployment's time
├── EvidenceError       evidence that cannot be stored or read
│   ├── EvidenceFullError      no room for it: nothing new is written until there is
│   ├── EvidenceAwayError      the store does not answer; try again
│   └── EvidenceMissingError   not in the store, or not yet
├── BusError            Redis said no, or is away
└── SpoolError          the disk queue in front of Redis
"""


class PipelineError(Exception):
    """Base of every error raised by `pipelines`. The message says what, where and what to do."""


class ConfigError(PipelineError):
    """A setting that is unknown, missing or out of range."""


class AddressError(PipelineError):
    """A camera's address that leads where it may not, or nowhere. The message holds no credentials."""


class ModelCheckError(PipelineError):
    """A model somebody wants to add that is not what they say, or cannot be tested."""


class EnrolError(PipelineError):
    """A reference picture without exactly one usable face, or that is no picture."""


class SealingError(PipelineError):
    """A blob or signature that cannot be opened or does not verify."""


class EvidenceError(PipelineError):
    """Evidence that could not be written, or is not what its reference says."""


class EvidenceFullError(EvidenceError):
    """There is no room for new evidence. What is there stays."""


class EvidenceAwayError(EvidenceError):
    """The evidence store does not answer; what it holds is not lost."""


class EvidenceMissingError(EvidenceError):
    """The store does not hold it: deleted, or not delivered yet."""


class BusError(PipelineError):
    """Redis refused or could not be reached."""


class SpoolError(PipelineError):
    """The disk spool is full or cannot be written."""
