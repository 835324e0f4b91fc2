"""What is kept of a subject, sealed under the subject's own data key.

Destroying that key makes name, portraits and templates unreadable, in old backups too.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from api.keys.store import KeyStore
from pipelines.sealing import decrypt, encrypt
from vision.types import Float32


class SubjectVault:
    """Seals and opens names, portraits and templates."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def create_key(self, subject_id: str) -> None:
        """Makes the subject's data key.

        Raises:
            SealingError: it has one, or the key store cannot be written.
        """
        self._keys.create_subject_key(subject_id)

    def destroy_key(self, subject_id: str) -> None:
        """Makes everything sealed for the subject unreadable for good."""
        self._keys.destroy_subject_key(subject_id)

    def destroy_keys(self, subject_ids: Collection[str]) -> None:
        """The same for several subjects."""
        self._keys.destroy_subject_keys(subject_ids)

    def seal_name(self, subject_id: str, name: str) -> bytes:
        """A name as it is stored."""
        return self._seal(subject_id, name.encode(), f"name:{subject_id}")

    def open_name(self, subject_id: str, sealed: bytes) -> str:
        """A stored name.

        Raises:
            SealingError: the key is gone, or the seal is another's.
        """
        return self._open(subject_id, sealed, f"name:{subject_id}").decode()

    def name_or_none(self, subject_id: str, sealed: bytes) -> str | None:
        """A stored name; None where the key was destroyed."""
        return self.open_name(subject_id, sealed) if self._keys.has_subject_key(subject_id) else None

    def seal_upload(self, subject_id: str, reference_id: str, data: bytes) -> bytes:
        """A picture as it came, until somebody has read it."""
        return self._seal(subject_id, data, f"upload:{subject_id}:{reference_id}")

    def open_upload(self, subject_id: str, reference_id: str, sealed: bytes) -> bytes:
        """A picture as it came.

        Raises:
            SealingError: the key is gone, or the seal is another's.
        """
        return self._open(subject_id, sealed, f"upload:{subject_id}:{reference_id}")

    def seal_portrait(self, subject_id: str, reference_id: str, jpeg: bytes) -> bytes:
        """A portrait as it is stored."""
        return self._seal(subject_id, jpeg, f"portrait:{subject_id}:{reference_id}")

    def portrait_or_none(self, subject_id: str, reference_id: str, sealed: bytes) -> bytes | None:
        """A stored portrait, JPEG; None where the key was destroyed."""
        if not self._keys.has_subject_key(subject_id):
            return None
        return self.open_portrait(subject_id, reference_id, sealed)

    def open_portrait(self, subject_id: str, reference_id: str, sealed: bytes) -> bytes:
        """A stored portrait, JPEG.

        Raises:
            SealingError: the key is gone, or the seal is another's.
        """
        return self._open(subject_id, sealed, f"portrait:{subject_id}:{reference_id}")

    def seal_template(self, subject_id: str, reference_id: str, template: Float32) -> bytes:
        """A template, (D,) float32, as it is stored."""
        plain = np.ascontiguousarray(template, dtype="<f4").tobytes()
        return self._seal(subject_id, plain, f"template:{subject_id}:{reference_id}")

    def open_template(self, subject_id: str, reference_id: str, sealed: bytes) -> Float32:
        """A stored template, (D,) float32.

        Raises:
            SealingError: the key is gone, or the seal is another's.
        """
        plain = self._open(subject_id, sealed, f"template:{subject_id}:{reference_id}")
        return np.frombuffer(plain, dtype="<f4").astype(np.float32)

    def _seal(self, subject_id: str, plain: bytes, context: str) -> bytes:
        return encrypt(self._keys.subject_key(subject_id), plain, f"aiqyn.subject/1:{context}")

    def _open(self, subject_id: str, sealed: bytes, context: str) -> bytes:
        return decrypt(self._keys.subject_key(subject_id), sealed, f"aiqyn.subject/1:{context}")
