"""Errors of the evaluate commands.

EvaluationError             labelled data that cannot be used, or nothing left to measure
└── MissingExtraError       the field's own tool is not installed
"""

from __future__ import annotations

from pipelines.errors import PipelineError


class EvaluationError(PipelineError):
    """Ground truth that is missing, malformed or does not fit the pictures."""


class MissingExtraError(EvaluationError):
    """A package of the extra `evaluate` is not installed."""

    def __init__(self, package: str, what_it_does: str = "its figures are the field's own") -> None:
        super().__init__(
            f"{package} is not installed: {what_it_does}. "
            "Install the extra `evaluate`: pip install 'aiqyn[evaluate]'"
        )
        self.package = package
