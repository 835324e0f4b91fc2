"""Settings of sealed evidence: where it goes, what it leaves free, how long it stays, what clips hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipelines.config_base import Address, Settings

GIB = 1024**3
Days = Annotated[float, Field(gt=0, le=36_500)]


class RetentionConfig(Settings):
    """How many days pieces of evidence stay; verdicts and holds outlast them. null: for ever."""

    frame: Days | None = Field(default=30.0, description="days whole frames stay, unredacted")
    frame_redacted: Days | None = Field(default=90.0, description="days redacted frames stay")
    probe: Days | None = Field(default=90.0, description="days face portraits stay")
    clip: Days | None = Field(default=30.0, description="days original clips stay, unredacted")
    clip_redacted: Days | None = Field(default=90.0, description="days redacted clips stay")
    unconfirmed_days: Days | None = Field(
        default=7.0,
        description="days anything stays whose candidate was rejected, withdrawn or not judged; where shorter",
    )
    confirmed_days: Days | None = Field(
        default=None, description="days anything stays whose candidate was confirmed; null: for ever"
    )
    grace_hours: float = Field(
        default=168.0, ge=1, le=8760, description="hours a blob no candidate names is left alone"
    )


class EvidenceConfig(Settings):
    """Where sealed pictures and clips go, and how long they stay."""

    url: Address | None = Field(default=None, description="an fsspec URL; null: data_dir/evidence")
    endpoint_url: Address | None = Field(
        default=None, description="of an S3 server that is not Amazon's; https:// or http://"
    )
    region: str | None = Field(default=None, min_length=1, max_length=64, description="of the S3 bucket")
    connect_timeout_seconds: float = Field(
        default=5.0, gt=0, le=120, description="of a store over the network"
    )
    read_timeout_seconds: float = Field(default=15.0, gt=0, le=600, description="of a store over the network")
    min_free_bytes: int = Field(
        default=GIB, ge=0, description="left free on a disk: below it no new evidence is written"
    )
    waiting_limit_bytes: int = Field(
        default=2 * GIB, ge=0, description="what may wait, sealed, on disk for a store over the network"
    )
    retention: RetentionConfig = Field(default_factory=RetentionConfig)


class ClipConfig(Settings):
    """The stretch of video kept around a candidate; both 0: none."""

    seconds_before: float = Field(default=5.0, ge=0, le=60, description="before the deciding look")
    seconds_after: float = Field(default=5.0, ge=0, le=60, description="after it")
