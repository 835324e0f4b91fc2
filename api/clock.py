"""Where the service gets time, chance and unguessable ids from; tests hand in their own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Gives the time now: aware, UTC."""

Draw: TypeAlias = Callable[[], float]
"""Gives a number from [0, 1), unpredictable, fresh at every call."""

_SYSTEM_RANDOM = secrets.SystemRandom()


def draw() -> float:
    """A number from [0, 1) out of the system's random source."""
    return _SYSTEM_RANDOM.random()


def new_review_id() -> str:
    """An unguessable id of a review."""
    return f"rev_{secrets.token_urlsafe(18)}"


def new_evidence_id() -> str:
    """An unguessable id of one picture in one review."""
    return f"evi_{secrets.token_urlsafe(18)}"
