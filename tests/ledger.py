"""What the ledger of a seeded service says."""

from __future__ import annotations

import json
from typing import Any

from api.store.ledger import LedgerRepository
from tests.api_client import Clients


def entries(clients: Clients, kind: str | None = None) -> list[dict[str, Any]]:
    """Every entry of a kind, or of all, oldest first."""
    with clients.seeded.services.database.read() as session:
        found = LedgerRepository(session).page(0, 100_000)
    return [json.loads(one.document) for one in found if kind is None or one.kind == kind]


def kinds(clients: Clients) -> list[str]:
    """The kinds of all entries, oldest first."""
    with clients.seeded.services.database.read() as session:
        return [one.kind for one in LedgerRepository(session).page(0, 100_000)]
