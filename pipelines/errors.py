"""Errors of the pipelines room.

PipelineError
├── ConfigError         a setting; names file and line where there is one
├── ModelCheckError     a model that fails its self-test, or cannot be tested
├── EnrolError          a reference picture that cannot be used
├── SealingError        a seal, signature or key that does not hold
│   └── galleries.GalleryInactiveError   a gallery outside its deployment's time
├── EvidenceError       evidence that cannot be stored or read
├── BusError            Redis said no, or is away
└── SpoolError          the disk queue in front of Redis
"""


class PipelineError(Exception):
    """Base of every error raised by `pipelines`. The message says what, where and what to do."""


class ConfigError(PipelineError):
    """A setting that is unknown, missing or out of range."""


class ModelCheckError(PipelineError):
    """A model somebody wants to add that is not what they say, or cannot be tested."""


class EnrolError(PipelineError):
    """A reference picture without exactly one usable face, or that is no picture."""


class SealingError(PipelineError):
    """A blob or signature that cannot be opened or does not verify."""


class EvidenceError(PipelineError):
    """Evidence that could not be written, or is not what its reference says."""


class BusError(PipelineError):
    """Redis refused or could not be reached."""


class SpoolError(PipelineError):
    """The disk spool is full or cannot be written."""
