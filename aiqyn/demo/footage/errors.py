"""Errors of the demo.

DemoError
└── FootageError        the clip or its list cannot be made
"""


class DemoError(Exception):
    """Base of every error raised by `aiqyn.demo`. The message says what, where and what to do."""


class FootageError(DemoError):
    """A photograph that is missing, or a clip that cannot be written."""
