"""Where the long-running commands log to: standard error, one line per event, never a variable's value."""

from __future__ import annotations

import sys

import structlog


def log_to_stderr() -> None:
    """Sends every log line to standard error: for people on a terminal, else JSON lines.

    Tracebacks, where there are any, show places and no variables: among these may be templates and keys.
    """
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    shown: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, renderer]
    if sys.stderr.isatty():
        shown = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *shown,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
