"""`aiqyn.overlays/1`: what people drew on one camera's picture, signed by the service, for the camera's worker.

It is no secret, so it is not sealed; but a mask that anybody could take away would be none. It lies under
`aiqyn:overlays:<camera>` as canonical JSON: what is signed, and the signature of the galleries key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError
from redis import Redis

from pipelines.canonical import canonical_json
from pipelines.config_gate import MaskList, polygons
from pipelines.errors import SealingError
from pipelines.events import Identifier, Signature, UtcDatetime, WireModel
from pipelines.signing import SigningKey, VerifyingKeys, sign_event, verify_event
from pipelines.streams import bus_errors, overlays_key
from vision.polygons import Polygon

OVERLAYS_SCHEMA = "aiqyn.overlays/1"
MAX_PACKAGE_BYTES = 1_000_000
"""Twice 32 polygons of 64 corners are a tenth of it."""


class _Document(WireModel):
    """What is signed; a kind nobody ever drew is null, one whose masks were removed is empty."""

    schema_: Literal["aiqyn.overlays/1"] = Field(alias="schema")
    camera_id: Identifier
    changed_at: UtcDatetime
    detection_masks: MaskList | None
    privacy_masks: MaskList | None


class _Signed(WireModel):
    overlays: dict[str, Any]
    signature: Signature


@dataclass(frozen=True, slots=True)
class CameraOverlays:
    """What holds on one camera's picture.

    Attributes:
        camera_id: whose.
        changed_at: of the newest version of any kind, aware; a later one takes the place of an earlier one.
        detection_masks: where nothing is looked for; None: never drawn, so that the settings file's hold.
        privacy_masks: what nothing that leaves the worker shows; None as above.
    """

    camera_id: str
    changed_at: datetime
    detection_masks: tuple[Polygon, ...] | None = None
    privacy_masks: tuple[Polygon, ...] | None = None


class OverlaySender:
    """Puts overlays where their camera's worker looks for them; for the service."""

    def __init__(self, redis: Redis, key: SigningKey) -> None:
        """
        Args:
            redis: a client of user `api`.
            key: the galleries key.
        """
        self._redis = redis
        self._key = key

    def send(self, overlays: CameraOverlays) -> None:
        """Puts the overlays in the place of the camera's earlier ones.

        Raises:
            SealingError: an id that is not fit for the wire.
            BusError: Redis is away or refuses.
        """
        signed = sign_overlays(overlays, self._key)
        with bus_errors("overlays cannot be published"):
            self._redis.set(overlays_key(overlays.camera_id), signed)


def sign_overlays(overlays: CameraOverlays, key: SigningKey) -> bytes:
    """The package as it goes onto the bus.

    Raises:
        SealingError: an id or a number of masks that is not fit for the wire.
    """
    try:
        document = _Document(
            schema=OVERLAYS_SCHEMA,
            camera_id=overlays.camera_id,
            changed_at=overlays.changed_at,
            detection_masks=_points(overlays.detection_masks),
            privacy_masks=_points(overlays.privacy_masks),
        )
    except ValidationError as error:
        raise SealingError(f"the overlays cannot be sent: {_first_problem(error)}") from error
    plain = document.model_dump(mode="json", by_alias=True)
    signature = sign_event(plain, key).model_dump(mode="json")
    return canonical_json({"overlays": plain, "signature": signature})


def read_overlays(content: bytes, signers: VerifyingKeys, camera_id: str) -> CameraOverlays:
    """The overlays of that camera, if the service signed them.

    Args:
        content: as found on the bus or on disk.
        signers: who may have signed galleries, and so these.
        camera_id: whose they are to be.

    Raises:
        SealingError: not signed by the service, changed since, of another camera, or of a kind this program
            does not know.
    """
    if len(content) > MAX_PACKAGE_BYTES:
        raise SealingError("the overlays are larger than any this program makes")
    try:
        signed = _Signed.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise SealingError("not signed overlays") from error
    verify_event(signed.overlays, signed.signature, signers)
    try:
        document = _Document.model_validate(signed.overlays)
    except ValidationError as error:
        raise SealingError(f"not overlays this program knows: {_first_problem(error)}") from error
    if document.camera_id != camera_id:
        raise SealingError("the overlays are of another camera")
    return CameraOverlays(
        camera_id, document.changed_at, _drawn(document.detection_masks), _drawn(document.privacy_masks)
    )


def _points(masks: tuple[Polygon, ...] | None) -> MaskList | None:
    return None if masks is None else tuple(mask.points for mask in masks)


def _drawn(masks: MaskList | None) -> tuple[Polygon, ...] | None:
    return None if masks is None else polygons(masks)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}"
