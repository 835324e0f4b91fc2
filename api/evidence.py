"""Sealed evidence as the service uses it: opened for judges, and sealed for controls as a worker does."""

from __future__ import annotations

from pipelines.evidence import EvidenceReader, EvidenceStore

from api.keys.store import KeyStore


class EvidenceCabinet:
    """Reads and writes one evidence store with the service's own keys."""

    def __init__(self, url: str, keys: KeyStore) -> None:
        self._store = EvidenceStore(url, keys.evidence_public())
        self._reader = EvidenceReader(url, keys.evidence_private())
