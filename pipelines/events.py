"""The wire contract: what travels between processes, versioned, immutable, strict.

Images never travel in an event: references and hashes do. A field that a later part of the
system will supply is null here and its neighbour says so (`calibration: none`); nothing is made up.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from pipelines.accounting import FrameAccounting

CANDIDATE_SCHEMA = "aiqyn.candidate/1"
CONFIRMED_SCHEMA = "aiqyn.confirmed/1"
RETRACTED_SCHEMA = "aiqyn.retracted/1"

CANDIDATE_NAMESPACE = uuid.UUID("8d0e7a52-3c1f-5d0b-9a53-6c1f0f6f2a11")
"""Fixed, so that the same finding has the same id in every process and at every replay."""

Identifier = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\w.:@-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Similarity = Annotated[float, Field(ge=-1.0001, le=1.0001, allow_inf_nan=False)]
UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]
Xyxy = tuple[float, float, float, float]
Point = tuple[float, float]


class WireModel(BaseModel):
    """Frozen, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Signature(WireModel):
    """A detached JWS (RFC 7515, appendix F) over the canonical JSON of the event without it."""

    key_id: Identifier
    algorithm: Literal["Ed25519"] = "Ed25519"
    jws: str = Field(description="header..signature; the payload is the event itself")


class ModelRef(WireModel):
    """A model that took part, by what it did and exactly which file it was."""

    role: Literal["detector", "face_detector", "embedder"]
    id: Identifier
    sha256: Sha256


class Alternative(WireModel):
    """Another subject the probe resembles."""

    subject_id: Identifier
    similarity: Similarity


class GalleryRef(WireModel):
    """The list searched, so that the search can be repeated."""

    version: int = Field(ge=1)
    size: int = Field(ge=1, description="subjects in the list")
    templates: int = Field(ge=1, description="reference templates in the list")


class Quality(WireModel):
    """What is known of the best look; null where it is not measured yet."""

    face_size_px: float = Field(ge=0, description="square root of the face box's area, original pixels")
    confidence: float = Field(ge=0, le=1, description="of the face detector")
    sharpness: float | None = Field(default=None, description="variance of the Laplacian of the aligned face")
    yaw_ratio: float | None = Field(
        default=None, description="nose offset from the eyes' middle, in eye distances"
    )
    yaw_degrees: float | None = Field(default=None, description="head about the vertical, estimated")
    pitch_degrees: float | None = Field(default=None, description="above 0 looking down, estimated")
    roll_degrees: float | None = Field(default=None, description="the eyes' line against the picture's rows")
    brightness: float | None = Field(default=None, description="mean grey value of the face, 0 to 255")
    contrast: float | None = Field(default=None, description="standard deviation of its grey values")
    exposure: float | None = Field(default=None, description="0 to 1; 1 where nothing is lost to it")
    occlusion: float | None = Field(default=None, description="a hint, 0 to 1: mouth or eyes seem covered")
    overall: float | None = Field(default=None, description="all of it in one number, 0 to 1")


_LATER_FIELDS = ("media_type", "pts_seconds", "began_pts_seconds", "duration_seconds")


class EvidenceItem(WireModel):
    """One sealed picture or clip: where it is, and hashes that hold it to the event.

    `sha256_plain` is taken over salt and content; the salt is inside the seal, so the hash tells
    nothing to somebody who guesses at the picture, and nothing at all once the key is gone.
    """

    kind: Literal["frame", "frame_redacted", "probe", "clip", "clip_redacted"]
    ref: str = Field(min_length=1, max_length=256)
    sha256_plain: Sha256
    sha256_sealed: Sha256
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    media_type: Literal["image/jpeg", "video/webm", "video/mp4", "video/x-matroska"] = "image/jpeg"
    pts_seconds: float | None = Field(default=None, description="of a picture, on the source's clock")
    began_pts_seconds: float | None = Field(default=None, description="of a clip, on the source's clock")
    duration_seconds: float | None = Field(default=None, ge=0, description="of a clip")

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is not said is left out: what was signed before it could be said keeps its signature."""
        document: dict[str, Any] = handler(self)
        unsaid = {
            name for name in _LATER_FIELDS if getattr(self, name) == type(self).model_fields[name].default
        }
        return {name: value for name, value in document.items() if name not in unsaid}


class Software(WireModel):
    """Which build spoke."""

    version: str
    revision: str | None = None


class Candidate(WireModel):
    """A face on a track resembles a listed person: a lead to be judged, never more than that."""

    schema_: Literal["aiqyn.candidate/1"] = Field(default="aiqyn.candidate/1", alias="schema")
    status: Literal["unconfirmed"] = "unconfirmed"
    candidate_id: uuid.UUID
    revision: int = Field(ge=1, description="consumers keep the newest")
    withdrawn: bool = Field(
        default=False, description="later looks no longer carry it; it leaves the queue unless a judge has it"
    )
    worker_id: Identifier
    camera_id: Identifier
    deployment_id: Identifier
    watchlist_id: Identifier
    subject_id: Identifier
    observed_at: UtcDatetime | None = Field(description="null when a file's start is unknown")
    observed_at_source: Literal["wall_clock", "recorded_at", "unknown"]
    observed_at_uncertainty_seconds: float | None = Field(default=None, ge=0)
    pts_seconds: float
    frame_index: int = Field(ge=0)
    track_id: int = Field(ge=1)
    track_start_pts_seconds: float
    similarity: Similarity
    threshold: Similarity
    expected_false_alerts_per_1000_faces: float | None = Field(default=None, ge=0)
    calibration: str = Field(default="none", description="`none` until a calibration was measured")
    alternatives: tuple[Alternative, ...] = Field(default=(), max_length=5)
    quality: Quality
    frames_fused: int = Field(ge=1)
    single_look: bool
    evidence: tuple[EvidenceItem, ...] = Field(
        description="the first probe is that of the frames; others are of the same track. Empty once withdrawn"
    )
    face_xyxy: Xyxy = Field(description="original pixels")
    person_xyxy: Xyxy | None = Field(default=None, description="original pixels")
    landmarks: tuple[Point, Point, Point, Point, Point] = Field(description="original pixels")
    models: tuple[ModelRef, ...]
    preprocessing: str
    gallery: GalleryRef
    frame_accounting: FrameAccounting
    input_sha256: Sha256 | None = Field(default=None, description="of the file, where the source is one")
    software: Software
    signature: Signature | None = None

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )


class LedgerRef(WireModel):
    """Where the issuer's log holds something."""

    index: int = Field(ge=0)
    entry_hash: Sha256


class Retracted(WireModel):
    """A confirmed match that may not be acted on any more: what the signed retraction says.

    It travels as `{"schema": "aiqyn.retracted/1", "retraction": "<compact JWS>"}` on the stream of the receipts.
    """

    schema_: Literal["aiqyn.retracted/1"] = Field(default="aiqyn.retracted/1", alias="schema")
    jti: uuid.UUID = Field(description="of this retraction: the same one may come twice")
    iss: str = Field(min_length=1, description="who issued receipt and retraction")
    issued_at: UtcDatetime
    receipt_id: uuid.UUID = Field(description="`jti` of the receipt")
    candidate_id: uuid.UUID
    reason_code: Identifier
    ledger: LedgerRef

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True, serialize_by_alias=True
    )


def candidate_id(
    *, source: str, track_id: int, track_start_pts_seconds: float, subject_id: str, deployment_id: str
) -> uuid.UUID:
    """The id the same finding always gets, so that a replay is recognised as one.

    Args:
        source: `input_sha256` of a file, or the id of the source session of a live camera.
        track_id: of the face track.
        track_start_pts_seconds: when that track began, on the source's clock.
        subject_id: whom it resembles.
        deployment_id: under which deployment it was searched.

    Returns:
        A version 5 UUID.
    """
    parts = (source, str(track_id), f"{track_start_pts_seconds:.6f}", subject_id, deployment_id)
    return uuid.uuid5(CANDIDATE_NAMESPACE, "\x1f".join(parts))


def unsigned_document(event: Candidate) -> dict[str, Any]:
    """The event as JSON values without its signature: what is signed, and what is checked."""
    return event.model_dump(mode="json", exclude={"signature"})


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)
