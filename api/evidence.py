"""Sealed evidence as the service uses it: opened for judges, sealed for controls as a worker does, and deleted."""

from __future__ import annotations

from typing import Literal

from api.keys.store import KeyStore
from pipelines.events import EvidenceItem
from pipelines.evidence import EvidenceKind, EvidenceReader, EvidenceStore
from pipelines.evidence_access import StoreAccess
from pipelines.evidence_blobs import Place
from pipelines.evidence_clip import Clip
from pipelines.evidence_place import open_place
from vision.types import Image


class EvidenceCabinet:
    """Reads and writes one evidence store with the service's own keys."""

    def __init__(self, url: str, keys: KeyStore, access: StoreAccess | None = None) -> None:
        """
        Args:
            url: a folder or an fsspec URL; may hold a password.
            keys: holds the evidence key.
            access: how the store is reached.

        Raises:
            EvidenceError: no file system of that kind, or no credentials for it.
            SealingError: the evidence key cannot be read.
        """
        self.place: Place = open_place(url, access or StoreAccess())
        self._store = EvidenceStore(url, keys.evidence_public(), place=self.place)
        self._reader = EvidenceReader(url, keys.evidence_private(), place=self.place)

    def put(self, kind: EvidenceKind, image: Image) -> EvidenceItem:
        """Seals and stores a picture, (H, W, 3) uint8 BGR.

        Raises:
            EvidenceError: it cannot be encoded or stored.
        """
        return self._store.put(kind, image)

    def put_clip(self, kind: Literal["clip", "clip_redacted"], clip: Clip) -> EvidenceItem:
        """Seals and stores a clip.

        Raises:
            EvidenceError: it cannot be stored.
        """
        return self._store.put_clip(kind, clip)

    def read(self, item: EvidenceItem) -> bytes:
        """The picture or clip of an item, once its hashes hold.

        Raises:
            EvidenceMissingError: deleted, or not delivered yet.
            EvidenceAwayError: the store does not answer.
            EvidenceError: changed, or not what the item says.
        """
        return self._reader.read(item)
