"""Errors of the review room.

ReviewError
├── NotEntitledError    this person may not judge, or may not judge this one
├── AlreadyJudgedError  this person has judged it already, in whatever tab or session
├── NotOpenError        it is not waiting for what was asked of it
├── TooSoonError        an answer before she can have looked
├── RedressError        an answer to a complaint that what was found does not bear
└── RecordError         a list, entry or deployment that breaks a rule
"""


class ReviewError(Exception):
    """Base of every error raised by `api.review`. The message never tells another's answer."""


class NotEntitledError(ReviewError):
    """Somebody who may not judge at all, or not this candidate. `code` says why, for the ledger."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AlreadyJudgedError(ReviewError):
    """A second answer by the same account."""


class NotOpenError(ReviewError):
    """A candidate that has ended, is held, or is in another state than the step needs."""


class TooSoonError(ReviewError):
    """An answer before the pictures were in front of her for long enough. `wait_seconds`: how long still."""

    def __init__(self, wait_seconds: float) -> None:
        super().__init__("look at all of it before you answer")
        self.wait_seconds = wait_seconds


class RedressError(ReviewError):
    """An answer to a complaint that the re-examination does not bear, or does not bear yet; `code` says which."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RecordError(ReviewError, ValueError):
    """A watchlist, entry or deployment without what makes it lawful: who, why, until when."""
