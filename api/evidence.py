"""Sealed evidence as the service uses it: opened for judges, and sealed for controls as a worker does."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import urlsplit

from api.keys.store import KeyStore
from pipelines.events import EvidenceItem
from pipelines.sealing import open_sealed, seal
from vision.images import encode_jpeg
from vision.types import Image


class EvidenceCabinet:
    """Reads and writes one evidence store with the service's own keys."""

    def __init__(self, url: str, keys: KeyStore) -> None:
        self._folder = Path(urlsplit(url).path)
        self._keys = keys

    def put(self, kind: str, image: Image) -> EvidenceItem:
        salt = os.urandom(16)
        plain = salt + encode_jpeg(image)
        sealed = seal(plain, self._keys.evidence_public(), f"evidence:{kind}")
        digest = hashlib.sha256(sealed).hexdigest()
        path = self._folder / digest[:2] / f"{digest}.sealed"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed)
        return EvidenceItem(
            kind=kind,
            ref=f"{digest[:2]}/{digest}.sealed",
            sha256_plain=hashlib.sha256(plain).hexdigest(),
            sha256_sealed=digest,
            width=image.shape[1],
            height=image.shape[0],
        )

    def read(self, item: EvidenceItem) -> bytes:
        return open_sealed(
            (self._folder / item.ref).read_bytes(), self._keys.evidence_private(), f"evidence:{item.kind}"
        )[16:]
