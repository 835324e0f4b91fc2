"""One byte string per JSON document, so that a signature can be checked after any number of parsings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pipelines.errors import SealingError


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """The document as UTF-8 JSON: keys sorted by code point, no spaces, finite numbers only.

    Numbers are written as Python writes them (the shortest text that reads back as the same double), so
    documents are made canonical by this function on both sides, not by another language's.

    Args:
        document: JSON values only; keys are strings.

    Raises:
        SealingError: a value that is not JSON, a number that is not finite, a key that is not a string, or
            text that is not Unicode. The message names the place, never the value.
    """
    _refuse_foreign(document, "document")
    try:
        text = json.dumps(
            document, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
        )
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SealingError("document: holds text with lone surrogates; it cannot be signed") from error


def _refuse_foreign(value: object, place: str) -> None:
    """`json.dumps` would turn keys into strings and tuples into lists without a word."""
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SealingError(f"{place}: the number is not finite; it cannot be signed")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise SealingError(f"{place}: a key is {type(key).__name__}, not text; it cannot be signed")
            _refuse_foreign(item, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_foreign(item, f"{place}[{index}]")
    else:
        raise SealingError(f"{place}: {type(value).__name__} is no JSON value; it cannot be signed")
