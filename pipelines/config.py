"""Every setting of a running system: one YAML, frozen once read, never written by the program.

What people draw on pictures and what they decide lies in the database; this file says where things are
and how they run. Units stand in the names. `aiqyn config schema` prints the JSON Schema for editors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import (
    AwareDatetime,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipelines.config_base import Address, Folder, Settings, Share, anchored
from pipelines.config_bus import RedisConfig, StreamsConfig
from pipelines.config_cameras import with_cameras_file
from pipelines.config_evidence import ClipConfig, EvidenceConfig
from pipelines.config_gate import GateSettings, MaskList
from pipelines.config_login import OidcConfig, ProxyLoginConfig
from pipelines.config_origin import Origin
from pipelines.config_problems import describe_problems
from pipelines.config_records import RecordsConfig
from pipelines.config_secrets import SECRETS_DIR, fill_secrets, overlay_environment
from pipelines.config_source import SourceConfig
from pipelines.config_worker import WorkerConfig
from pipelines.config_yaml import LocatedYaml, read_yaml
from pipelines.errors import ConfigError
from pipelines.events import Identifier

DEFAULT_FILE_NAME = "aiqyn.yaml"


class PathsConfig(Settings):
    """Where things lie on this machine."""

    data_dir: Folder = Field(
        default_factory=lambda: platformdirs.user_data_path("aiqyn") / "data",
        description="database, sealed evidence, spool, embedded Redis",
    )
    keys_dir: Folder = Field(
        default_factory=lambda given: given.get("data_dir", Path()).parent / "keys",
        description="private keys; must lie outside data_dir, so that a backup of one lacks the other",
    )
    weights_dir: Folder = Field(
        default_factory=lambda: platformdirs.user_cache_path("aiqyn") / "weights",
        description="verified model files; also AIQYN_WEIGHTS_DIR",
    )

    @field_validator("keys_dir")
    @classmethod
    def _keys_lie_apart(cls, keys_dir: Path, info: ValidationInfo) -> Path:
        data_dir = info.data.get("data_dir")
        if data_dir is not None and keys_dir.resolve().is_relative_to(data_dir.resolve()):
            raise ValueError("lies inside paths.data_dir; keys and data must lie apart: name another folder")
        return keys_dir


class ModelsConfig(Settings):
    """Which models of the catalogue do which task (`aiqyn weights list`)."""

    detector: Identifier | None = Field(default="yolov3-tiny", description="people and vehicles; null: none")
    face_detector: Identifier = "centerface"
    embedder: Identifier = "mobilefacenet-faceplugin"


class TrackingConfig(Settings):
    """How detections become tracks."""

    tracker: Literal["oc-sort", "bytetrack"] = "oc-sort"


WantedRate = Annotated[float, Field(gt=0, le=1000)]


class IdentificationConfig(Settings):
    """When a track becomes a candidate."""

    false_alerts_per_1000_faces: WantedRate = Field(
        default=1.0,
        description="wanted rate at the gallery's size; sets the threshold of lists without a rate of their own",
    )
    calibration: Folder | None = Field(
        default=None,
        description="this site's own measurement (`aiqyn evaluate calibration`); null: the shipped one",
    )
    min_looks: int = Field(
        default=3,
        ge=3,
        le=100,
        description="good looks before a decision; one look decides only at a ten times stricter rate",
    )


class CameraSettings(SourceConfig):
    """What cameras may share through `camera_defaults`."""

    inference_fps: float = Field(default=5.0, gt=0, le=240, description="frames per second the models see")
    region_crops: int = Field(
        default=1,
        ge=0,
        le=16,
        description="moving parts of each frame searched once more, closely, for small and distant people; "
        "each costs about a third of a frame",
    )
    false_alerts_per_1000_faces: WantedRate | None = Field(
        default=None,
        description="wanted rate here; of it and the list's the stricter holds. null: the list's",
    )
    motion_gate: GateSettings = Field(default_factory=GateSettings)
    detection_masks: MaskList = Field(
        default=(), description="polygons in which nothing is looked for; a version drawn in the console wins"
    )
    privacy_masks: MaskList = Field(
        default=(), description="polygons nothing leaving the worker ever shows; as above"
    )
    clip: ClipConfig = Field(default_factory=ClipConfig)
    priority: float = Field(
        default=1.0,
        ge=0.01,
        le=100,
        description="where the machine is short, twice the priority is twice the share; where it is full, the highest "
        "are admitted first",
    )


class CameraConfig(CameraSettings):
    """One camera or recording."""

    source: Address = Field(description="file, image folder or URL; passwords as {name}")
    recorded_at: AwareDatetime | None = Field(
        default=None, description="wall-clock time of a recording's first frame, with its offset"
    )

    @field_validator("source")
    @classmethod
    def _anchor_source(cls, source: str, info: ValidationInfo) -> str:
        return source if "://" in source else str(anchored(Path(source), info))

    def address(self) -> str:
        """The source with its secrets filled in; never log it."""
        return fill_secrets(self.source)


class ApiConfig(Settings):
    """The service operators use, and the clocks of a judgement."""

    host: str = Field(default="127.0.0.1", min_length=1, max_length=255)
    port: int = Field(default=8750, ge=0, le=65535, description="0: any free port")
    origin: Origin | None = Field(
        default=None,
        description="how browsers address the page, e.g. https://aiqyn.example; passkeys belong to that host. "
        "null: localhost and the port",
    )
    hold_seconds: float = Field(default=10.0, ge=0, le=3600, description="between second answer and receipt")
    act_for_seconds: float = Field(default=900.0, ge=1, le=86_400, description="a receipt may be acted on")
    second_judge_share: Share = Field(
        default=0.3, description="of first answers `different`; controls: always"
    )
    expire_after_seconds: float = Field(default=3600.0, ge=1, le=2_592_000, description="unjudged until then")
    control_share: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.05, description="of the queue that are known non-matches"
    )
    control_first: bool = Field(default=False, description="mix one in with the very first candidate")
    control_spread_seconds: float = Field(
        default=30.0, ge=0, le=3600, description="how long after a candidate a control may enter the queue"
    )
    claim_seconds: float = Field(default=180.0, ge=1, le=3600, description="a review is hers who opened it")
    minimum_look_seconds: float = Field(
        default=2.0, ge=0, le=60, description="between the first sight of a review and an answer, at least"
    )
    outcome_within_hours: float = Field(
        default=24.0, gt=0, le=8760, description="then the outcome of a confirmed match is asked for"
    )
    complaint_answer_days: float = Field(
        default=15.0, gt=0, le=365, description="until a complaint is answered"
    )
    database_url: Address | None = Field(default=None, description="SQLAlchemy URL; null: SQLite in data_dir")
    processes: int = Field(
        default=1, ge=1, le=32, description="that answer requests; more than one needs PostgreSQL"
    )
    requests_per_second: float = Field(
        default=100.0, ge=1, le=100_000, description="one account may send, ten times as many at once"
    )
    address_requests_per_second: float = Field(
        default=1000.0, ge=1, le=1_000_000, description="one address may send; a control room may share one"
    )
    oidc: OidcConfig | None = Field(default=None, description="an identity provider for logins; null: none")
    proxy_login: ProxyLoginConfig | None = Field(
        default=None, description="a proxy whose header says who somebody is; null: none is believed"
    )

    @field_validator("processes")
    @classmethod
    def _sqlite_has_one_writer(cls, processes: int, info: ValidationInfo) -> int:
        if processes > 1 and (info.data.get("database_url") or "sqlite").startswith("sqlite"):
            raise ValueError("more than one process needs PostgreSQL; set api.database_url, or leave it at 1")
        return processes


class Config(Settings):
    """All settings of one system."""

    paths: PathsConfig = Field(default_factory=PathsConfig)
    redis: RedisConfig = Field(default_factory=RedisConfig)
    streams: StreamsConfig = Field(default_factory=StreamsConfig)
    worker: WorkerConfig = Field(default_factory=WorkerConfig)
    models: ModelsConfig = Field(default_factory=ModelsConfig)
    tracking: TrackingConfig = Field(default_factory=TrackingConfig)
    identification: IdentificationConfig = Field(default_factory=IdentificationConfig)
    evidence: EvidenceConfig = Field(default_factory=EvidenceConfig)
    camera_defaults: CameraSettings = Field(default_factory=CameraSettings)
    cameras: dict[Identifier, CameraConfig] = Field(default_factory=dict, max_length=10_000)
    cameras_file: Folder | None = Field(
        default=None, description="a YAML file of further cameras, each by its id as under `cameras`"
    )
    api: ApiConfig = Field(default_factory=ApiConfig)
    records: RecordsConfig = Field(default_factory=RecordsConfig)

    @model_validator(mode="before")
    @classmethod
    def _apply_camera_defaults(cls, given: Any) -> Any:
        """A section left empty is the default one; each camera starts from `camera_defaults`."""
        if not isinstance(given, dict):
            return given
        sections = {name: section for name, section in given.items() if section is not None}
        shared, cameras = sections.get("camera_defaults"), sections.get("cameras")
        if isinstance(shared, CameraSettings):
            shared = shared.model_dump(exclude_unset=True)
        if isinstance(shared, dict) and isinstance(cameras, dict):
            sections["cameras"] = {
                camera_id: {**shared, **camera} if isinstance(camera, dict) else camera
                for camera_id, camera in cameras.items()
            }
        return sections

    @model_validator(mode="after")
    def _worker_keys_lie_apart(self) -> Self:
        keys_dir = self.worker.keys_dir
        if keys_dir is not None and keys_dir.resolve().is_relative_to(self.paths.data_dir.resolve()):
            raise ValueError("worker.keys_dir lies inside paths.data_dir; keys and data must lie apart")
        return self

    def worker_keys_dir(self) -> Path:
        """The folder with all keys this worker is given."""
        return self.worker.keys_dir or self.paths.keys_dir / "workers" / self.worker.id

    def evidence_address(self) -> str:
        """The fsspec URL of sealed evidence, secrets filled in; never log it."""
        if self.evidence.url is None:
            return (self.paths.data_dir / "evidence").as_uri()
        return fill_secrets(self.evidence.url)

    def database_address(self) -> str:
        """The SQLAlchemy URL of the database, secrets filled in; never log it."""
        if self.api.database_url is None:
            return f"sqlite:///{self.paths.data_dir / 'aiqyn.db'}"
        return fill_secrets(self.api.database_url)


def default_config_path(environment: Mapping[str, str] | None = None) -> Path | None:
    """The settings file to use where none is named: `AIQYN_CONFIG`, else `aiqyn.yaml` here, else none."""
    named = (os.environ if environment is None else environment).get("AIQYN_CONFIG")
    if named:
        return Path(named)
    here = Path(DEFAULT_FILE_NAME)
    return here if here.is_file() else None


def load_config(
    path: Path | None, *, environment: Mapping[str, str] | None = None, secrets_dir: Path = SECRETS_DIR
) -> Config:
    """The settings of a file, with those of the environment over them.

    Args:
        path: a YAML file; None for the defaults and the environment alone.
        environment: variables; this process's own by default.
        secrets_dir: folder of secret files.

    Raises:
        ConfigError: anything unknown, missing, misplaced or out of range; one line per problem, each with
            `file:line` or the variable's name. No value is repeated.
    """
    variables = os.environ if environment is None else environment
    located = LocatedYaml({}) if path is None else read_yaml(path)
    if ("redis", "password") in located.places:
        raise ConfigError(
            f"{located.places['redis', 'password']}: redis.password: set AIQYN_REDIS_PASSWORD or the file "
            f"{secrets_dir / 'aiqyn_redis_password'} in its place; passwords do not belong in this file"
        )
    base_dir = Path.cwd() if path is None else path.resolve().parent
    located = with_cameras_file(located, base_dir)
    located = overlay_environment(located, _overridable(), variables, secrets_dir)
    try:
        return Config.model_validate(located.values, context={"base_dir": base_dir})
    except ValidationError as error:
        problems = describe_problems(error, located.places, Config, fallback=str(path or "settings"))
    raise ConfigError("\n".join(problems))


def config_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the settings file, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _overridable() -> dict[str, frozenset[str]]:
    """Settings a variable may set; cameras are named by people, so they stay in the file."""
    return {
        name: frozenset(field.annotation.model_fields) - {"password"}
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
    }
