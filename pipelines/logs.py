"""How every process logs: standard error, one line per event, and never a secret, a template or a picture.

Whoever logs passes ids, counts and reasons. `Redaction` is the second line of defence, for the day somebody passes
more: it looks at every value of every event, whatever its name.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, TextIO
from uuid import UUID

import structlog

from pipelines.errors import ConfigError
from vision.locations import redact_url

FORMAT_VARIABLE: Final = "AIQYN_LOG_FORMAT"
FORMATS: Final = ("json", "console")
HIDDEN: Final = "[hidden]"

MAX_CHARACTERS: Final = 4000
MAX_ITEMS: Final = 32
MAX_DEPTH: Final = 4

_SECRET_KEYS: Final = re.compile(
    r"(^|_)(password|passwd|pwd|secret|secrets|token|authorization|credential|credentials|api_key|private|private_key"
    r"|template|templates_data|embedding|embeddings|landmarks|name|names|username|subject_name|full_name)$"
)
"""Keys under which nothing is ever shown; `templates` is a count and is shown as one."""

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}://(?:[^\n]*@)?[^\s'\"<>]*")
"""Up to the line's last `@`: passwords often stand unescaped, and more is hidden rather than less."""

_ASSIGNED: Final = re.compile(
    r"(?i)\b(password|passwd|pwd|secret|token|api_?key|authorization)(\s*[=:]\s*)(?:bearer\s+)?[^\s,;&'\"]+"
)
_BEARER: Final = re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}")
_JWS: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+")
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|$)", re.DOTALL)

Event = MutableMapping[str, Any]


def log_to_stderr(stream: TextIO | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Sends every log line to standard error; the children of a process do the same, into the same one.

    `AIQYN_LOG_FORMAT` is `json` (a document a line) or `console`; without it a terminal gets what people read and
    everything else gets JSON. What libraries log through `logging` takes the same way, from warnings on. Tracebacks
    show places and no variables: among these may be templates and keys.

    Args:
        stream: in the place of standard error.
        environment: variables; this process's own by default.

    Raises:
        ConfigError: the variable holds another word.
    """
    out = sys.stderr if stream is None else stream
    chosen = (os.environ if environment is None else environment).get(FORMAT_VARIABLE) or _usual_format(out)
    if chosen not in FORMATS:
        raise ConfigError(f"environment variable {FORMAT_VARIABLE}: must be one of {', '.join(FORMATS)}")
    shown = _shown_as(chosen)
    structlog.configure(
        processors=[structlog.processors.add_log_level, *_stamped(), *shown],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _take_over_logging(out, shown)


class Redaction:
    """A structlog processor: values that could hold a secret or a template are replaced by what they are."""

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """The event, safe to write."""
        return {str(key): self._value(str(key), value) for key, value in event.items()}

    def _value(self, key: str, value: Any) -> Any:
        if _SECRET_KEYS.search(key.lower()) and value is not None:
            return HIDDEN
        return redacted(value)


def redacted(value: Any, depth: int = 0) -> Any:
    """A value as it may be logged.

    Text loses credentials; bytes become their length, arrays their shape, rows of numbers their count, and objects
    nobody has thought of the name of their type.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return redacted(value.value, depth)
    if isinstance(value, str | PurePath | UUID):
        return clean_text(str(value))
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{memoryview(value).nbytes} bytes>"
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {clean_text(str(value))}"
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        return _items(list(value), depth)
    return _named(value)


def clean_text(text: str) -> str:
    """Text without the credentials of addresses, bearer tokens, signed documents and `password=…`."""
    text = _PEM.sub(HIDDEN, text)
    text = _ADDRESS.sub(lambda found: redact_url(found[0]), text)
    for pattern in (_BEARER, _JWS):
        text = pattern.sub(HIDDEN, text)
    text = _ASSIGNED.sub(lambda found: f"{found[1]}{found[2]}{HIDDEN}", text)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text)} characters)"


def _mapping(value: Mapping[Any, Any], depth: int) -> Any:
    if depth >= MAX_DEPTH or len(value) > MAX_ITEMS:
        return f"<{len(value)} entries>"
    return {
        clean_text(str(key)): HIDDEN if _SECRET_KEYS.search(str(key).lower()) else redacted(one, depth + 1)
        for key, one in value.items()
    }


def _items(value: list[Any], depth: int) -> Any:
    """A few ids are shown; a long row, and any row of fractions, may be a template and is counted."""
    fractions = any(isinstance(one, float) for one in value)
    if depth >= MAX_DEPTH or len(value) > MAX_ITEMS or (fractions and len(value) > MAX_DEPTH):
        return f"<{len(value)} {'numbers' if fractions else 'items'}>"
    return [redacted(one, depth + 1) for one in value]


def _named(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return f"<array {shape} {dtype}>"
    return f"<{type(value).__name__}>"


def _usual_format(out: TextIO) -> str:
    return "console" if out.isatty() else "json"


def _stamped() -> list[structlog.typing.Processor]:
    return [structlog.processors.TimeStamper(fmt="iso", utc=True)]


def _shown_as(chosen: str) -> list[structlog.typing.Processor]:
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if chosen == "console":
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    # In this order: a traceback ends with the error's own words, and these may hold anything.
    return [structlog.processors.format_exc_info, Redaction(), renderer]


def _take_over_logging(out: TextIO, shown: list[structlog.typing.Processor]) -> None:
    """What libraries say through `logging` looks the same and is redacted the same."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, *_stamped()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown],
        )
    )
    root = logging.getLogger()
    for other in [one for one in root.handlers if getattr(one, "aiqyn", False)]:
        root.removeHandler(other)
    handler.aiqyn = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
