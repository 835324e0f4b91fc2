"""Cameras the service gives a worker (`aiqyn.cameras/1`): signed for that worker, without any password.

They lie under `aiqyn:cameras:<worker>` as canonical JSON: what is signed, and the signature of the galleries key. An
address names its secrets as `{name}`; the worker alone has them, and says itself which of them go to which hosts
(`worker.camera_secrets`): whoever may write an address could else have any secret sent anywhere.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from redis import Redis

from pipelines.canonical import canonical_json
from pipelines.config import CameraConfig, CameraSettings, WantedRate
from pipelines.config_base import Settings
from pipelines.config_evidence import ClipConfig
from pipelines.config_gate import GateSettings
from pipelines.config_secrets import placeholder_names, refuse_inline_secret
from pipelines.errors import ConfigError, SealingError
from pipelines.events import Identifier, Signature, UtcDatetime, WireModel
from pipelines.signing import SigningKey, VerifyingKeys, sign_event, verify_event
from pipelines.streams import bus_errors, cameras_key

CAMERAS_SCHEMA = "aiqyn.cameras/1"
MAX_CAMERAS = 1000
"""Of one worker."""

MAX_PACKAGE_BYTES = 4_000_000
MAX_ADDRESS = 1024

_ADDRESS = re.compile(
    r"(?:rtsps?|https?)://(?:[\w.~!$&'()*+,;=:%{}-]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?"
    r"(?:[/?][\w./~!$&'()*+,;=:@%{}?-]*)?",
    re.ASCII,
)
"""Plain enough that everybody who reads it finds the same host in it; no secret stands in host or port."""

_SECRET_WORD = re.compile(
    r"(?i)(?<![a-z])(?:pass(?:word|wd)?|pwd|token|auth|(?:api_?)?key|secret|signature|sig)[=:][^&;/?]+"
)
_PLACEHOLDER = re.compile(r"\{[A-Za-z][A-Za-z0-9_]{0,63}\}")


def _camera_address(address: str) -> str:
    """An address of a camera whose secrets are placeholders.

    Raises:
        ValueError: another kind of address, or a secret stands in it; the message does not repeat it.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(
            "must be rtsp://, rtsps://, http:// or https:// with a plain host; secrets as {name}"
        )
    refuse_inline_secret(address)
    bare = _PLACEHOLDER.sub("", address)
    if "{" in bare or "}" in bare:
        raise ValueError("braces hold the name of a secret and nothing else: {name}")
    parts = urlsplit(bare)
    if _SECRET_WORD.search(f"{parts.path}?{parts.query}"):
        raise ValueError(
            "a secret stands in the address; write {name} in its place, which the worker alone knows"
        )
    return address


class GivenCamera(Settings):
    """A camera as the service gives it; what is null is as the worker's `camera_defaults` say."""

    source: Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS), AfterValidator(_camera_address)] = (
        Field(description="address of the camera; its secrets as {name}, which the worker alone knows")
    )
    transport: Literal["tcp", "udp"] | None = None
    inference_fps: Annotated[float, Field(gt=0, le=240)] | None = None
    region_crops: Annotated[int, Field(ge=0, le=16)] | None = None
    false_alerts_per_1000_faces: WantedRate | None = None
    priority: Annotated[float, Field(ge=0.01, le=100)] | None = None
    motion_gate: GateSettings | None = None
    clip: ClipConfig | None = None


@dataclass(frozen=True, slots=True)
class GivenCameras:
    """All cameras the service gives one worker.

    Attributes:
        worker_id: whose they are to be.
        changed_at: aware; later ones take the place of earlier ones.
        cameras: by id.
    """

    worker_id: str
    changed_at: datetime
    cameras: Mapping[str, GivenCamera]


class _Document(WireModel):
    schema_: Literal["aiqyn.cameras/1"] = Field(alias="schema")
    worker_id: Identifier
    changed_at: UtcDatetime
    cameras: dict[Identifier, GivenCamera] = Field(max_length=MAX_CAMERAS)


class _Signed(WireModel):
    cameras: dict[str, Any]
    signature: Signature


class CameraSender:
    """Puts cameras where their worker looks for them; for the service."""

    def __init__(self, redis: Redis, key: SigningKey) -> None:
        """
        Args:
            redis: a client of user `api`.
            key: the galleries key.
        """
        self._redis = redis
        self._key = key

    def send(self, given: GivenCameras) -> None:
        """Puts the cameras in the place of the worker's earlier ones.

        Raises:
            SealingError: more than fit, or an id that is not fit for the wire.
            BusError: Redis is away or refuses.
        """
        signed = sign_cameras(given, self._key)
        with bus_errors("cameras cannot be published"):
            self._redis.set(cameras_key(given.worker_id), signed)


def sign_cameras(given: GivenCameras, key: SigningKey) -> bytes:
    """The package as it goes onto the bus.

    Raises:
        SealingError: more than fit, or an id that is not fit for the wire.
    """
    try:
        document = _Document(
            schema=CAMERAS_SCHEMA,
            worker_id=given.worker_id,
            changed_at=given.changed_at,
            cameras=dict(given.cameras),
        )
    except ValidationError as error:
        raise SealingError(f"the cameras cannot be sent: {_first_problem(error)}") from error
    plain = document.model_dump(mode="json", by_alias=True)
    signature = sign_event(plain, key).model_dump(mode="json")
    return canonical_json({"cameras": plain, "signature": signature})


def read_cameras(content: bytes, signers: VerifyingKeys, worker_id: str) -> GivenCameras:
    """The cameras of that worker, if the service signed them.

    Args:
        content: as found on the bus or on disk.
        signers: who may have signed galleries, and so these.
        worker_id: whose they are to be.

    Raises:
        SealingError: not signed by the service, changed since, of another worker, or of a kind this program does
            not know.
    """
    if len(content) > MAX_PACKAGE_BYTES:
        raise SealingError("the cameras are larger than any this program makes")
    try:
        signed = _Signed.model_validate(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise SealingError("not signed cameras") from error
    verify_event(signed.cameras, signed.signature, signers)
    try:
        document = _Document.model_validate(signed.cameras)
    except ValidationError as error:
        raise SealingError(f"not cameras this program knows: {_first_problem(error)}") from error
    if document.worker_id != worker_id:
        raise SealingError("the cameras are another worker's")
    return GivenCameras(document.worker_id, document.changed_at, document.cameras)


def camera_config(
    given: GivenCamera, defaults: CameraSettings, camera_secrets: Mapping[str, tuple[str, ...]]
) -> CameraConfig:
    """A given camera as the worker watches it.

    Args:
        given: by the service.
        defaults: the worker's own `camera_defaults`.
        camera_secrets: which of its secrets the worker sends to which hosts.

    Raises:
        ConfigError: its address names a secret that is not meant for its host.
    """
    host = urlsplit(_PLACEHOLDER.sub("", given.source)).hostname or ""
    for name in placeholder_names(given.source):
        if not any(_is_meant(host, allowed) for allowed in camera_secrets.get(name, ())):
            raise ConfigError(
                f"its address names the secret {{{name}}}, which this worker does not send to {host}: list the host "
                f"under worker.camera_secrets.{name}"
            )
    return CameraConfig.model_validate(defaults.model_dump() | given.model_dump(exclude_none=True))


def _is_meant(host: str, allowed: str) -> bool:
    """Whether a host is the one that is allowed, or lies in the network that is."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(allowed)
    except ValueError:
        return host.lower() == allowed.lower()


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['type']}"
