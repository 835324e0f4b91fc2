"""Sealed evidence as the service uses it: opened for judges, and sealed for controls as a worker does."""

from __future__ import annotations

from api.keys.store import KeyStore
from pipelines.events import EvidenceItem
from pipelines.evidence import EvidenceKind, EvidenceReader, EvidenceStore
from vision.types import Image


class EvidenceCabinet:
    """Reads and writes one evidence store with the service's own keys."""

    def __init__(self, url: str, keys: KeyStore) -> None:
        """
        Args:
            url: a folder or an fsspec URL; may hold a password.
            keys: holds the evidence key.

        Raises:
            EvidenceError: no file system of that kind.
            SealingError: the evidence key cannot be read.
        """
        self._store = EvidenceStore(url, keys.evidence_public())
        self._reader = EvidenceReader(url, keys.evidence_private())

    def put(self, kind: EvidenceKind, image: Image) -> EvidenceItem:
        """Seals and stores a picture, (H, W, 3) uint8 BGR.

        Raises:
            EvidenceError: it cannot be encoded or stored.
        """
        return self._store.put(kind, image)

    def read(self, item: EvidenceItem) -> bytes:
        """The JPEG of an item, once its hashes hold.

        Raises:
            EvidenceError: missing, changed, or not what the item says.
        """
        return self._reader.read(item)
