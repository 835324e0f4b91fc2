"""Settings of how a camera is reached and decoded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pipelines.config_base import Settings
from pipelines.live.messages import SourceSettings


def _off_is_a_word(value: object) -> object:
    """YAML 1.1 reads a bare `off` as false."""
    return "off" if value is False else value


HardwareDecode = Annotated[
    Literal["off", "auto", "cuda", "vaapi", "qsv", "videotoolbox", "d3d11va", "vulkan"],
    BeforeValidator(_off_is_a_word),
]
Timeout = Annotated[float, Field(gt=0, le=300)]


class SourceConfig(Settings):
    """How a camera is reached and decoded."""

    transport: Literal["tcp", "udp"] = Field(
        default="tcp", description="how RTSP travels; udp loses packets where the network does"
    )
    open_timeout_seconds: Timeout = Field(
        default=10.0,
        description="how long the camera's name, its answer, and understanding what it sends may take, each",
    )
    read_timeout_seconds: Timeout = Field(
        default=10.0, description="no picture for so long: the camera is opened anew"
    )
    hardware_decode: HardwareDecode = Field(
        default="off",
        description="device that decodes; auto: the first there is; where it fails software decodes, and the camera's "
        "state says so. off by default, as each camera's process takes memory of the GPU",
    )
    allow_local: bool = Field(
        default=False,
        description="lets the address lead to this machine itself or to its link's own addresses (169.254.0.0/16, "
        "fe80::/10), where cloud metadata lies; addresses of local networks need no leave",
    )
    max_pixels: int = Field(
        default=8_847_360, ge=1, le=64_000_000, description="larger pictures are refused; 4096 × 2160"
    )
    frozen_seconds: Timeout | None = Field(
        default=10.0, description="identical pictures for so long are a gap; null: never"
    )

    def source_settings(self) -> SourceSettings:
        """What a decoder is told of this."""
        return SourceSettings(
            transport=self.transport,
            open_timeout_seconds=self.open_timeout_seconds,
            read_timeout_seconds=self.read_timeout_seconds,
            hardware_decode=None if self.hardware_decode == "off" else self.hardware_decode,
            allow_local=self.allow_local,
            max_pixels=self.max_pixels,
            frozen_seconds=self.frozen_seconds,
        )
