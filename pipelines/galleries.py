"""`aiqyn.gallery/1`: the list one worker searches, signed by the service and sealed to that worker alone.

Inside the seal: the length of the header, the header (JSON: what is signed, and the signature), and the templates
as little-endian float32. The header names the templates by their SHA-256, so the one signature covers all.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from pydantic import Field, ValidationError

from pipelines.canonical import canonical_json
from pipelines.errors import SealingError
from pipelines.events import Identifier, Sha256, Signature, UtcDatetime, WireModel
from pipelines.sealing import open_sealed, seal
from pipelines.signing import SigningKey, sign_event, verify_event
from pipelines.streams import GALLERY_INDEX
from pipelines.worker_keys import WorkerKeys
from vision.memory import LockedMemory, overwrite
from vision.types import Float32

GALLERY_SCHEMA = "aiqyn.gallery/1"
UNIT_LENGTH_TOLERANCE = 1e-3
_LENGTH = struct.Struct(">I")
_MAX_HEADER_BYTES = 16 * 1024 * 1024


class GalleryInactiveError(SealingError):
    """A gallery that is genuine but must not be searched at this moment; nothing of it was kept.

    Attributes:
        active_from: when it may be searched; then it is to be opened again.
        active_until: from then on never again.
    """

    def __init__(self, active_from: datetime, active_until: datetime) -> None:
        super().__init__(
            f"the gallery is active from {active_from.isoformat()} to {active_until.isoformat()}"
        )
        self.active_from = active_from
        self.active_until = active_until


class _Document(WireModel):
    """The header: all but the templates, which it names by their hash."""

    schema_: Literal["aiqyn.gallery/1"] = Field(alias="schema")
    deployment_id: Identifier
    watchlist_id: Identifier
    worker_id: Identifier
    version: int = Field(ge=1)
    cameras: tuple[Identifier, ...] = Field(min_length=1, max_length=10_000)
    active_from: UtcDatetime
    active_until: UtcDatetime
    embedder_id: Identifier
    embedder_sha256: Sha256
    preprocessing: str
    false_alerts_per_1000_faces: float = Field(gt=0)
    subject_ids: tuple[Identifier, ...]
    dimension: int = Field(ge=1, le=4096)
    templates_sha256: Sha256


class _Header(WireModel):
    gallery: dict[str, Any]
    signature: Signature


@dataclass(frozen=True, slots=True, repr=False)
class GalleryPackage:
    """The list of one deployment, for one worker.

    Attributes:
        deployment_id: under which it may be searched.
        watchlist_id: the list it was made of.
        worker_id: who may search it.
        version: grows with every change of the list.
        cameras: where it may be searched.
        active_from: when it may be searched; aware.
        active_until: from then on it may not; aware.
        embedder_id: which model made the templates.
        embedder_sha256: which file of it.
        preprocessing: how faces became its input.
        false_alerts_per_1000_faces: the wanted rate; sets the threshold.
        subject_ids: (N,) whose each template is.
        templates: (N, D) float32, rows of unit length.
        memory: what the templates lie in, where they were opened by a worker; None: in an array of their own.
    """

    deployment_id: str
    watchlist_id: str
    worker_id: str
    version: int
    cameras: tuple[str, ...]
    active_from: datetime
    active_until: datetime
    embedder_id: str
    embedder_sha256: str
    preprocessing: str
    false_alerts_per_1000_faces: float
    subject_ids: tuple[str, ...]
    templates: Float32
    memory: LockedMemory | None = None

    def __post_init__(self) -> None:
        templates = self.memory.array.view() if self.memory is not None else _copied(self.templates)
        if templates.ndim != 2 or len(templates) != len(self.subject_ids):
            raise SealingError(
                f"a gallery of {len(self.subject_ids)} subject ids needs as many templates, got shape "
                f"{templates.shape}"
            )
        # Not numpy's norm: it leaves the squares of every template behind in freed memory.
        lengths = np.sqrt(np.einsum("nd,nd->n", templates, templates))
        if not (np.abs(lengths - 1) <= UNIT_LENGTH_TOLERANCE).all():  # false for what is not finite, too
            raise SealingError("the templates of a gallery must be finite and of unit length")
        if self.active_from.tzinfo is None or self.active_until.tzinfo is None:
            raise SealingError("the dates of a gallery need their offset")
        if self.active_until <= self.active_from:
            raise SealingError("a gallery must end after it begins")
        if self.deployment_id == GALLERY_INDEX:
            raise SealingError(f"no deployment may be called {GALLERY_INDEX!r}")
        templates.flags.writeable = False
        object.__setattr__(self, "templates", templates)

    def forget(self) -> None:
        """Overwrites the templates, where they lie in memory of their own; nothing is found in them any more."""
        if self.memory is not None:
            self.memory.wipe()

    @property
    def subject_count(self) -> int:
        """Different subjects in it."""
        return len(set(self.subject_ids))

    def active_at(self, moment: datetime) -> bool:
        """Whether it may be searched at that moment."""
        return self.active_from <= moment < self.active_until

    def __repr__(self) -> str:
        return (
            f"GalleryPackage(deployment={self.deployment_id!r}, version={self.version}, "
            f"templates={self.templates.shape})"
        )


def seal_gallery(package: GalleryPackage, key: SigningKey, worker_public: X25519PublicKey) -> bytes:
    """The package, signed, readable by that worker alone.

    Args:
        package: the list.
        key: the service's galleries key.
        worker_public: of the worker the package names.

    Raises:
        SealingError: an id that is not fit for the wire.
    """
    templates = package.templates.astype("<f4").tobytes()
    try:
        document = _Document(
            schema=GALLERY_SCHEMA,
            **{name: getattr(package, name) for name in _SHARED_FIELDS},
            dimension=package.templates.shape[1],
            templates_sha256=hashlib.sha256(templates).hexdigest(),
        )
    except ValidationError as error:
        raise SealingError(f"the gallery cannot be sent: {_first_problem(error)}") from error
    plain = document.model_dump(mode="json", by_alias=True)
    header = canonical_json({"gallery": plain, "signature": sign_event(plain, key).model_dump(mode="json")})
    content = _LENGTH.pack(len(header)) + header + templates
    return seal(content, worker_public, _context(package.worker_id, package.deployment_id))


def open_gallery(blob: bytes, keys: WorkerKeys, deployment_id: str, now: datetime) -> GalleryPackage:
    """The gallery sealed to this worker, if it is genuine and active.

    Templates lie in `LockedMemory`, in alphabetical order of their subjects. The bytes they were decrypted into
    are overwritten; what the cipher kept for itself cannot be.

    Args:
        blob: as found under the worker's key of that deployment.
        keys: the worker's own.
        deployment_id: under which it was found.
        now: aware.

    Raises:
        GalleryInactiveError: genuine, but not to be searched now.
        SealingError: sealed to somebody else, changed, not signed by the service, or of another worker or
            deployment.
    """
    content = open_sealed(blob, keys.galleries_private, _context(keys.worker_id, deployment_id))
    try:
        return _verified(memoryview(content), keys, deployment_id, now)
    finally:
        overwrite(content)  # it held the templates in clear, and nobody else refers to it


def _verified(content: memoryview, keys: WorkerKeys, deployment_id: str, now: datetime) -> GalleryPackage:
    header, templates = _split(content)
    verify_event(header.gallery, header.signature, keys.gallery_signers, at=now)
    try:
        document = _Document.model_validate(header.gallery)
    except ValidationError as error:
        raise SealingError(f"not a gallery this program knows: {_first_problem(error)}") from error
    if document.worker_id != keys.worker_id or document.deployment_id != deployment_id:
        raise SealingError("the gallery is of another worker or deployment")
    if hashlib.sha256(templates).hexdigest() != document.templates_sha256:
        raise SealingError("the templates are not those the signature covers")
    if not document.active_from <= now < document.active_until:
        raise GalleryInactiveError(document.active_from, document.active_until)
    if len(templates) != 4 * len(document.subject_ids) * document.dimension:
        raise SealingError("the templates are not as many as the subject ids")
    shared = {name: getattr(document, name) for name in _SHARED_FIELDS}
    order = sorted(range(len(document.subject_ids)), key=document.subject_ids.__getitem__)
    memory = _filled(templates, order, document.dimension)
    shared["subject_ids"] = tuple(document.subject_ids[row] for row in order)
    try:
        return GalleryPackage(**shared, templates=memory.array, memory=memory)
    except SealingError:
        memory.wipe()
        raise


def _filled(templates: memoryview, order: Sequence[int], dimension: int) -> LockedMemory:
    """The templates in memory of their own, in that order of their rows; no copy is made on the way."""
    memory = LockedMemory(len(order), dimension)
    rows = np.frombuffer(templates, "<f4").reshape(len(order), dimension)
    for place, row in enumerate(order):
        memory.array[place] = rows[row]
    return memory


def _copied(templates: Float32) -> Float32:
    return np.array(templates, dtype=np.float32, order="C")


_SHARED_FIELDS = (
    "deployment_id",
    "watchlist_id",
    "worker_id",
    "version",
    "cameras",
    "active_from",
    "active_until",
    "embedder_id",
    "embedder_sha256",
    "preprocessing",
    "false_alerts_per_1000_faces",
    "subject_ids",
)


def _split(content: memoryview) -> tuple[_Header, memoryview]:
    if len(content) < _LENGTH.size:
        raise SealingError("the gallery is cut short")
    (length,) = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    if length > _MAX_HEADER_BYTES or end > len(content):
        raise SealingError("the gallery is cut short")
    try:
        document = json.loads(bytes(content[_LENGTH.size : end]))
        return _Header.model_validate(document), content[end:]
    except (ValueError, RecursionError) as error:
        raise SealingError("the gallery has no header this program knows") from error


def _context(worker_id: str, deployment_id: str) -> str:
    return f"{GALLERY_SCHEMA}:{worker_id}:{deployment_id}"


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}"
