"""Errors of the front door.

AiqynError
├── StackError      a part of the embedded stack did not start, or ended
└── DemoError       the demo could not be set up, or did not show what it must
"""


class AiqynError(Exception):
    """Base of every error raised by `aiqyn`. The message says what, where and what to do."""


class StackError(AiqynError):
    """A child process that did not start, ended, or does not answer."""


class DemoError(AiqynError):
    """The demo could not be set up, or something it must show is missing."""
