"""Settings of how a camera is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import Config, load_config
from pipelines.errors import ConfigError


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "aiqyn.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environment={})


def test_what_a_decoder_is_told_by_default(tmp_path: Path) -> None:
    camera = loaded(tmp_path, "cameras:\n  gate:\n    source: rtsp://10.0.0.7/live\n").cameras["gate"]
    settings = camera.source_settings()
    assert (settings.transport, settings.hardware_decode, settings.allow_local) == ("tcp", None, False)
    assert (settings.open_timeout_seconds, settings.read_timeout_seconds) == (10, 10)
    assert (settings.max_pixels, settings.frozen_seconds) == (4096 * 2160, 10)


def test_a_camera_says_otherwise_than_all_cameras(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        "camera_defaults: {transport: udp, hardware_decode: auto, frozen_seconds: null}\n"
        "cameras:\n"
        "  gate: {source: rtsp://10.0.0.7/live}\n"
        "  yard: {source: http://10.0.0.8/v, transport: tcp, hardware_decode: off, allow_local: true}\n",
    )
    gate, yard = (config.cameras[name].source_settings() for name in ("gate", "yard"))
    assert (gate.transport, gate.hardware_decode, gate.allow_local, gate.frozen_seconds) == (
        "udp",
        "auto",
        False,
        None,
    )
    assert (yard.transport, yard.hardware_decode, yard.allow_local) == ("tcp", None, True)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (
            "rtsp_transport: udp",
            r"aiqyn\.yaml:4: cameras\.gate\.rtsp_transport: unknown key; did you mean 'transport'\?",
        ),
        ("transport: quic", "transport: must be 'tcp' or 'udp'"),
        ("hardware_decode: abacus", "hardware_decode: must be 'off', 'auto', 'cuda'"),
        ("read_timeout_seconds: 0", "read_timeout_seconds: must be greater than 0"),
        ("frozen_seconds: 0", "frozen_seconds: must be greater than 0"),
        ("max_pixels: 0", "max_pixels: must be greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, setting: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        loaded(tmp_path, f"cameras:\n  gate:\n    source: rtsp://10.0.0.7/live\n    {setting}\n")
