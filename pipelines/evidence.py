"""Sealed evidence: whoever writes a picture or clip cannot read it back, and nothing in the store tells what it shows.

It is encoded, put behind a random salt, sealed to the evidence key, and stored under the SHA-256 of the sealed
bytes. Its reference, both hashes and its size travel in the candidate, which is signed; so it cannot be exchanged
without that being seen.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipelines.errors import EvidenceError, EvidenceFullError, SealingError
from pipelines.events import EvidenceItem
from pipelines.evidence_access import StoreAccess
from pipelines.evidence_blobs import MAX_SEALED_BYTES, Place
from pipelines.evidence_clip import Clip
from pipelines.evidence_place import open_place
from pipelines.evidence_queue import SealedQueue
from pipelines.sealing import open_sealed, seal
from vision.errors import ImageError
from vision.images import encode_jpeg
from vision.types import Image

EvidenceKind: TypeAlias = Literal["frame", "frame_redacted", "probe", "clip", "clip_redacted"]
"""The whole frame; the frame with all but the probe's enlarged box pixelated; the face; the video around it, as the
camera sent it, and redacted like the frame."""

CLIP_KINDS: frozenset[str] = frozenset({"clip", "clip_redacted"})

SCHEMA = "aiqyn.evidence/1"
SALT_BYTES = 32
JPEG_QUALITY = 92

_REF = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})\.sealed")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EvidenceState:
    """How a store fares, for those who watch over it.

    Attributes:
        phase: `ok`; `full`: nothing new is written; `away`: what is written waits on disk for the server.
        detail: why, where not `ok`.
        waiting: blobs on disk for a server.
        refused: pieces of evidence that could not be written since this process began.
    """

    phase: Literal["ok", "full", "away"] = "ok"
    detail: str = ""
    waiting: int = 0
    refused: int = 0


class EvidenceStore:
    """Writes sealed pictures and clips to a folder, to S3, or to anything else fsspec reaches."""

    def __init__(
        self,
        url: str,
        recipient_public: X25519PublicKey,
        access: StoreAccess | None = None,
        *,
        place: Place | None = None,
    ) -> None:
        """
        Args:
            url: a folder or an fsspec URL; never repeated in an error, it may hold a password.
            recipient_public: what evidence is sealed to.
            access: how the place is reached; no reserve and the usual time-outs where None.
            place: in the stead of what `url` names.

        Raises:
            EvidenceError: no file system of that kind, or no credentials for it.
        """
        self._place = place or open_place(url, access or StoreAccess())
        self._recipient = recipient_public
        self._queue: SealedQueue | None = None
        self._mutex = threading.Lock()
        self._full = ""
        self._refused = 0

    def queue_in(self, folder: Path, *, limit_bytes: int, min_free_bytes: int = 0) -> None:
        """From now on blobs for a server wait sealed in a folder of this process, and a thread sends them.

        A store that is a folder itself needs none and is left as it is.

        Raises:
            EvidenceError: the folder cannot be read.
        """
        if self._place.remote and self._queue is None:
            self._queue = SealedQueue(
                folder, self._place, limit_bytes=limit_bytes, min_free_bytes=min_free_bytes
            )

    @property
    def state(self) -> EvidenceState:
        """As of now; a disk that has room again is noticed here, without waiting for something to write."""
        if self._full and (self._queue or self._place).has_room():
            self._note_resumed()
        waiting, away = (len(self._queue), self._queue.away) if self._queue else (0, "")
        if self._full:
            return EvidenceState("full", self._full, waiting, self._refused)
        return EvidenceState("away" if away else "ok", away, waiting, self._refused)

    def put(self, kind: EvidenceKind, image: Image, context: str = "") -> EvidenceItem:
        """Seals and stores a picture; it is on disk, or with the server, when this returns.

        Args:
            kind: what it shows; it opens as nothing else.
            image: (H, W, 3) uint8 BGR; stored as JPEG.
            context: what it belongs to, for a reader who knows that without the event; usually nothing.

        Raises:
            EvidenceFullError: there is no room; nothing that is there is given up for it.
            EvidenceError: the picture cannot be encoded, or the store refuses it.
        """
        try:
            picture = encode_jpeg(image, JPEG_QUALITY)
        except ImageError as error:
            raise EvidenceError(f"a {kind} cannot be encoded: {error}") from error
        return self._keep(kind, picture, context, width=image.shape[1], height=image.shape[0])

    def put_clip(self, kind: Literal["clip", "clip_redacted"], clip: Clip, context: str = "") -> EvidenceItem:
        """Seals and stores a clip, as `put`."""
        item = self._keep(kind, clip.content, context, width=clip.width, height=clip.height)
        return item.model_copy(
            update={
                "media_type": clip.media_type,
                "began_pts_seconds": clip.began_pts_seconds,
                "duration_seconds": clip.duration_seconds,
            }
        )

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Ends the thread that sends, where there is one; what waits is sent at the next start."""
        if self._queue is not None:
            self._queue.close(timeout_seconds)

    def _keep(
        self, kind: EvidenceKind, content: bytes, context: str, *, width: int, height: int
    ) -> EvidenceItem:
        if len(content) > MAX_SEALED_BYTES - 4096:
            raise EvidenceError(f"a {kind} of {len(content)} bytes is larger than evidence may be")
        plain = os.urandom(SALT_BYTES) + content
        sealed = seal(plain, self._recipient, _context(kind, context))
        digest = hashlib.sha256(sealed).hexdigest()
        ref = f"{digest[:2]}/{digest}.sealed"
        self._write(self._queue.add if self._queue is not None else self._place.write, ref, sealed)
        return EvidenceItem(
            kind=kind,
            ref=ref,
            sha256_plain=hashlib.sha256(plain).hexdigest(),
            sha256_sealed=digest,
            width=width,
            height=height,
        )

    def _write(self, write: Callable[[str, bytes], None], ref: str, sealed: bytes) -> None:
        try:
            write(ref, sealed)
        except EvidenceError as error:
            self._note_refused(error)
            raise
        self._note_resumed()

    def _note_resumed(self) -> None:
        with self._mutex:
            was_full, self._full = self._full, ""
        if was_full:
            _log.info("evidence_resumed", refused=self._refused)

    def _note_refused(self, error: EvidenceError) -> None:
        """Says that nothing is written any more once, when it begins, and counts what is lost to it."""
        with self._mutex:
            self._refused += 1
            begins = isinstance(error, EvidenceFullError) and not self._full
            if isinstance(error, EvidenceFullError):
                self._full = str(error)
        if begins:
            _log.error("evidence_stopped", reason=str(error))


class EvidenceReader:
    """Opens sealed evidence and holds them against what was said of them."""

    def __init__(
        self,
        url: str,
        private: X25519PrivateKey,
        access: StoreAccess | None = None,
        *,
        place: Place | None = None,
    ) -> None:
        """
        Args:
            url: as given to the store.
            private: the evidence key.
            access: how the place is reached.
            place: in the stead of what `url` names.

        Raises:
            EvidenceError: no file system of that kind.
        """
        self._place = place or open_place(url, access or StoreAccess())
        self._private = private

    def read(self, item: EvidenceItem, context: str = "") -> bytes:
        """The picture (JPEG) or clip of an item, once both its hashes hold.

        Raises:
            EvidenceMissingError: deleted, or not delivered yet.
            EvidenceAwayError: the store does not answer.
            EvidenceError: changed, or not what the item says.
        """
        match = _REF.fullmatch(item.ref)
        if match is None or match[1] != item.sha256_sealed:
            raise EvidenceError("the reference of a piece of evidence is not made of its hash")
        sealed = self._place.read(item.ref)
        if hashlib.sha256(sealed).hexdigest() != item.sha256_sealed:
            raise EvidenceError(f"evidence {item.ref}: the sealed bytes are not those the event names")
        try:
            plain = open_sealed(sealed, self._private, _context(item.kind, context))
        except SealingError as error:
            raise EvidenceError(f"evidence {item.ref}: {error}") from error
        if hashlib.sha256(plain).hexdigest() != item.sha256_plain:
            raise EvidenceError(f"evidence {item.ref}: the content is not the one the event names")
        return plain[SALT_BYTES:]


def _context(kind: str, context: str) -> str:
    return f"{SCHEMA}:{kind}:{context}"
