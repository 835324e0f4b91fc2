"""Whose queue of reviews it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.review.scopes import Scope


@dataclass(frozen=True, slots=True)
class Asking:
    """Whose queue it is.

    Attributes:
        account_id: an operator's.
        username: what she logs in with.
        scope: her rights.
        device_id: the browser she works in; None: one that is not known.
    """

    account_id: str
    username: str
    scope: Scope
    device_id: str | None

    def bound(self, now: datetime) -> dict[str, object]:
        """What the queries of reviews are run with."""
        return {
            "now": now,
            "account_id": self.account_id,
            "username": self.username,
            "device_id": self.device_id,
        }
