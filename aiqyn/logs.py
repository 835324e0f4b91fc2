"""Where the long-running commands log to: standard error, as `pipelines.logs` says, their children too."""

from __future__ import annotations

from aiqyn.commands.exits import fail
from pipelines.errors import ConfigError
from pipelines.logs import log_to_stderr as configure


def log_to_stderr() -> None:
    """Sends every log line to standard error; ends the command where `AIQYN_LOG_FORMAT` is no format."""
    try:
        configure()
    except ConfigError as error:
        fail(str(error))
