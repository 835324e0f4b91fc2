"""Sealed pictures: whoever writes one cannot read it back, and nothing in the store tells what it shows.

A picture is encoded, put behind a random salt, sealed to the evidence key, and stored under the SHA-256 of the
sealed bytes. Its reference, both hashes and its size travel in the candidate, which is signed; so a picture cannot
be exchanged without that being seen.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Any, Literal, TypeAlias

import fsspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipelines.errors import EvidenceError, SealingError
from pipelines.events import EvidenceItem
from pipelines.key_files import sync_folder
from pipelines.sealing import open_sealed, seal
from vision.errors import ImageError
from vision.images import encode_jpeg
from vision.types import Image

EvidenceKind: TypeAlias = Literal["frame", "frame_redacted", "probe"]
"""The whole frame; the frame with all but the probe's enlarged box pixelated; the face."""

SCHEMA = "aiqyn.evidence/1"
SALT_BYTES = 32
JPEG_QUALITY = 92
MAX_SEALED_BYTES = 64 * 1024 * 1024

_REF = re.compile(r"[0-9a-f]{2}/([0-9a-f]{64})\.sealed")


class EvidenceStore:
    """Writes sealed pictures to a folder or to anything else fsspec reaches."""

    def __init__(self, url: str, recipient_public: X25519PublicKey) -> None:
        """
        Args:
            url: a folder or an fsspec URL; never repeated in an error, it may hold a password.
            recipient_public: what pictures are sealed to.

        Raises:
            EvidenceError: no file system of that kind, or the place cannot be made.
        """
        self._place = _Place(url)
        self._recipient = recipient_public

    def put(self, kind: EvidenceKind, image: Image, context: str = "") -> EvidenceItem:
        """Seals and stores a picture; in a local folder it is on disk when this returns.

        Args:
            kind: what it shows; it opens as nothing else.
            image: (H, W, 3) uint8 BGR; stored as JPEG.
            context: what it belongs to, for a reader who knows that without the event; usually nothing.

        Raises:
            EvidenceError: the picture cannot be encoded, or the store refuses it.
        """
        try:
            picture = encode_jpeg(image, JPEG_QUALITY)
        except ImageError as error:
            raise EvidenceError(f"a {kind} cannot be encoded: {error}") from error
        plain = os.urandom(SALT_BYTES) + picture
        sealed = seal(plain, self._recipient, _context(kind, context))
        digest = hashlib.sha256(sealed).hexdigest()
        ref = f"{digest[:2]}/{digest}.sealed"
        self._place.write(ref, sealed)
        return EvidenceItem(
            kind=kind,
            ref=ref,
            sha256_plain=hashlib.sha256(plain).hexdigest(),
            sha256_sealed=digest,
            width=image.shape[1],
            height=image.shape[0],
        )


class EvidenceReader:
    """Opens sealed pictures and holds them against what was said of them."""

    def __init__(self, url: str, private: X25519PrivateKey) -> None:
        """
        Args:
            url: as given to the store.
            private: the evidence key.

        Raises:
            EvidenceError: no file system of that kind.
        """
        self._place = _Place(url)
        self._private = private

    def read(self, item: EvidenceItem, context: str = "") -> bytes:
        """The JPEG of an item, once both its hashes hold.

        Raises:
            EvidenceError: missing, changed, or not what the item says.
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
            raise EvidenceError(f"evidence {item.ref}: the picture is not the one the event names")
        return plain[SALT_BYTES:]


class _Place:
    """Where sealed bytes lie. Local folders are written here, because fsspec does not force to disk."""

    def __init__(self, url: str) -> None:
        try:
            self._files, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError, OSError) as error:
            raise EvidenceError(
                f"evidence.url: no file system of that kind here ({type(error).__name__}); use a folder, or "
                "install what fsspec needs for it"
            ) from error
        self._root = str(root).rstrip("/")
        self._local = "file" in _protocols(self._files)

    def write(self, ref: str, content: bytes) -> None:
        try:
            if self._local:
                _write_durably(Path(self._root) / ref, content)
            else:
                self._files.pipe_file(f"{self._root}/{ref}", content)
        except OSError as error:
            raise EvidenceError(f"evidence {ref}: cannot be written: {_reason(error)}") from error

    def read(self, ref: str) -> bytes:
        try:
            with self._files.open(f"{self._root}/{ref}", "rb") as file:
                content: bytes = file.read(MAX_SEALED_BYTES + 1)
        except FileNotFoundError as error:
            raise EvidenceError(f"evidence {ref}: is missing from the store") from error
        except OSError as error:
            raise EvidenceError(f"evidence {ref}: cannot be read: {_reason(error)}") from error
        if len(content) > MAX_SEALED_BYTES:
            raise EvidenceError(f"evidence {ref}: is larger than {MAX_SEALED_BYTES} bytes")
        return content


def _write_durably(path: Path, content: bytes) -> None:
    """Whole or not at all, and on disk on return."""
    folder = path.parent
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
    part = folder / f".{path.name}.{secrets.token_hex(4)}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(folder)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _context(kind: str, context: str) -> str:
    return f"{SCHEMA}:{kind}:{context}"


def _protocols(files: Any) -> tuple[str, ...]:
    protocol = files.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
