"""Cameras the service gives its workers: versions and the rules for them; no HTTP, no SQL."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml
from pydantic import ValidationError

from api.review.errors import RecordError
from pipelines.given_cameras import GivenCamera

YAML_SCHEMA: Final = "aiqyn.cameras/1"
MAX_REASON: Final = 500
_CAMERA_ID = re.compile(r"[\w.:@-]{1,128}")
_MEANS_ANOTHER_KEY: Final = "wanted:"
"""`pipelines.streams.WANTED`."""


@dataclass(frozen=True, slots=True)
class CameraOrder:
    """What somebody wants of one camera.

    Attributes:
        camera_id: which.
        worker_id: who is to watch it.
        settings: how; None: nobody watches it any more.
        reason: why, in words.
    """

    camera_id: str
    worker_id: str
    settings: GivenCamera | None
    reason: str


@dataclass(frozen=True, slots=True)
class CameraVersion:
    """One version of one camera; never changed, only followed by the next.

    Attributes:
        version: from 1.
        settings: None: this version removes the camera.
        changed_by: pseudonym of the account.
        changed_at: aware, UTC; grows with every version of any camera.
    """

    camera_id: str
    version: int
    worker_id: str
    settings: GivenCamera | None
    changed_by: str
    changed_at: datetime
    reason: str

    @property
    def active(self) -> bool:
        """Whether somebody is to watch it."""
        return self.settings is not None


def check_order(order: CameraOrder, worker_ids: Collection[str]) -> None:
    """Lets through what may become a version.

    Args:
        order: what is wanted.
        worker_ids: that have keys.

    Raises:
        RecordError: no camera id, an unknown worker, an id that is another worker's own, or no reason.
    """
    camera_id = order.camera_id
    if not _CAMERA_ID.fullmatch(camera_id) or camera_id.startswith(_MEANS_ANOTHER_KEY):
        raise RecordError(
            "a camera id has 1 to 128 letters, digits, '_', '.', ':', '@' and '-', and does not begin with 'wanted:'"
        )
    if order.settings is not None and order.worker_id not in worker_ids:
        raise RecordError(f"there is no worker {order.worker_id!r}: `aiqyn keys init --worker` makes one")
    owner, colon, _ = camera_id.partition(":")
    if colon and owner in worker_ids and owner != order.worker_id:
        raise RecordError(f"ids that begin with {owner}: are those of worker {owner}; choose another id")
    if not order.reason.strip() or len(order.reason) > MAX_REASON:
        raise RecordError(f"a change has a reason of 1 to {MAX_REASON} characters")


def to_yaml(versions: Iterable[CameraVersion]) -> str:
    """Cameras that are watched, as YAML in the order of their ids; `orders_of` reads it back."""
    cameras = {
        one.camera_id: {"worker_id": one.worker_id, **one.settings.model_dump(mode="json", exclude_none=True)}
        for one in sorted(versions, key=lambda item: item.camera_id)
        if one.settings is not None
    }
    return yaml.safe_dump({"schema": YAML_SCHEMA, "cameras": cameras}, sort_keys=False, allow_unicode=True)


def orders_of(document: Any, reason: str) -> tuple[CameraOrder, ...]:
    """The cameras of an exported document.

    Args:
        document: as read from YAML.
        reason: why they are taken over here.

    Raises:
        RecordError: says where it is not such a document; repeats no value.
    """
    if not isinstance(document, dict) or document.get("schema") != YAML_SCHEMA:
        raise RecordError(f"schema: must be {YAML_SCHEMA}; this is no export of cameras")
    cameras = document.get("cameras")
    if not isinstance(cameras, dict) or not set(document) <= {"schema", "cameras"}:
        raise RecordError("cameras: must be a mapping of camera ids, beside `schema` and nothing else")
    return tuple(_order(str(camera_id), given, reason) for camera_id, given in cameras.items())


def _order(camera_id: str, given: Any, reason: str) -> CameraOrder:
    if not isinstance(given, dict) or not isinstance(given.get("worker_id"), str):
        raise RecordError(f"cameras.{camera_id}: must be a mapping with a `worker_id`")
    settings = {name: value for name, value in given.items() if name != "worker_id"}
    try:
        return CameraOrder(camera_id, given["worker_id"], GivenCamera.model_validate(settings), reason)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(["cameras", camera_id, *(str(part) for part in first["loc"])])
        raise RecordError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
