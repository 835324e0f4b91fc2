"""The ledger's entries and the chain of hashes that holds them in order.

Each entry names the hash of the one before, so a changed, removed or inserted entry breaks every
later one. The tree with signed, outside-witnessed checkpoints (RFC 6962) that also shows a rewritten
end is not here yet; until then the chain proves order and integrity against its newest hash only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pipelines.canonical import canonical_json

GENESIS: Final = "0" * 64


class LedgerError(Exception):
    """A ledger whose entries do not follow from each other. Says at which sequence it breaks."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, before it has a place in the ledger. Holds pseudonyms, never names.

    Attributes:
        kind: a short verb in the past, e.g. `judged`.
        at: aware, UTC.
        actor: an account's pseudonym, or the part of the service that acted.
        object: what it was done to, as `kind:id`; None where there is nothing.
        detail: JSON values that matter later.
    """

    kind: str
    at: datetime
    actor: str
    object: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A happening in its place.

    Attributes:
        sequence: 1-based, without gaps.
        document: canonical JSON of everything the hash covers.
        kind: of the happening.
        previous_sha256: hash of the entry before; zeros before the first.
        entry_sha256: SHA-256 of `document`.
    """

    sequence: int
    document: str
    kind: str
    previous_sha256: str
    entry_sha256: str


def chained(happening: Happening, sequence: int, previous_sha256: str) -> Entry:
    """The entry a happening becomes after `previous_sha256`."""
    document = canonical_json(
        {
            "sequence": sequence,
            "kind": happening.kind,
            "at": happening.at.isoformat(),
            "actor": happening.actor,
            "object": happening.object,
            "detail": happening.detail,
            "previous_sha256": previous_sha256,
        }
    )
    digest = hashlib.sha256(document).hexdigest()
    return Entry(sequence, document.decode(), happening.kind, previous_sha256, digest)


def check_chain(entries: Iterable[Entry], previous_sha256: str = GENESIS, sequence: int = 0) -> str:
    """The hash of the last entry, once all follow from `previous_sha256`.

    Args:
        entries: in order, without gaps.
        previous_sha256: hash the first entry must name.
        sequence: sequence before the first entry.

    Raises:
        LedgerError: an entry is missing, changed or out of place.
    """
    for entry in entries:
        sequence += 1
        stated = json.loads(entry.document)
        holds = (
            entry.sequence == stated["sequence"] == sequence
            and entry.previous_sha256 == stated["previous_sha256"] == previous_sha256
            and entry.kind == stated["kind"]
            and entry.entry_sha256 == hashlib.sha256(entry.document.encode()).hexdigest()
        )
        if not holds:
            raise LedgerError(f"ledger entry {sequence} is missing, changed or out of place")
        previous_sha256 = entry.entry_sha256
    return previous_sha256
