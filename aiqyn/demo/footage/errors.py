"""Errors of the demo's footage.

DemoError
└── FootageError        the clip or its list cannot be made
"""

from aiqyn.errors import DemoError


class FootageError(DemoError):
    """A photograph that is missing, or a clip that cannot be written."""
