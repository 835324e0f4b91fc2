"""Whose queue of reviews it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.review.scopes import Scope
from api.store.models import Account


@dataclass(frozen=True, slots=True)
class Asking:
    """Whose queue it is.

    Attributes:
        account: an operator's.
        scope: her rights.
        device_id: the browser she works in; None: one that is not known.
    """

    account: Account
    scope: Scope
    device_id: str | None

    def bound(self, now: datetime) -> dict[str, object]:
        """What the queries of reviews are run with."""
        return {
            "now": now,
            "account_id": self.account.account_id,
            "username": self.account.username,
            "device_id": self.device_id,
        }
