"""What FFmpeg is told: where it may go, and nowhere else."""

from __future__ import annotations

import pytest

from vision.media_options import opening_of_address, opening_of_file
from vision.sources import SourceOptions

ELSEWHERE = {
    "file",
    "concat",
    "crypto",
    "data",
    "subfile",
    "pipe",
    "fd",
    "ftp",
    "gopher",
    "unix",
    "async",
    "cache",
    "ipfs",
}
"""Protocols of FFmpeg that read this machine, or wrap others."""

PLAYLISTS = {"hls", "applehttp", "dash", "concat", "imf", "tty", "lavfi", "image2", "webm_dash_manifest"}
"""Formats that name other files and addresses."""


@pytest.mark.parametrize(
    "address", ["rtsp://gate/live", "rtsps://gate/live", "http://gate/v", "https://gate/v"]
)
def test_an_address_leads_to_no_file_and_no_playlist(address: str) -> None:
    opening = opening_of_address(address, SourceOptions())
    assert not ELSEWHERE & set(opening.choices["protocol_whitelist"].split(","))
    assert not PLAYLISTS & set(opening.choices["format_whitelist"].split(","))


def test_a_file_leads_to_no_address_and_no_playlist() -> None:
    opening = opening_of_file("/data/gate.mp4", SourceOptions())
    assert opening.choices["protocol_whitelist"] == "file"
    assert not PLAYLISTS & set(opening.choices["format_whitelist"].split(","))


@pytest.mark.parametrize(
    ("address", "connect_to", "wanted"),
    [
        ("rtsp://u:p%40ss@gate:8554/a/b?x=1", "10.0.0.7", "rtsp://u:p%40ss@10.0.0.7:8554/a/b?x=1"),
        ("rtsp://gate/live", "fd12::7", "rtsp://[fd12::7]/live"),
        ("http://[fd12::9]:8080/v", "fd12::9", "http://[fd12::9]:8080/v"),
        ("http://u:s3@cret@gate/v", "10.0.0.7", "http://u:s3@cret@10.0.0.7/v"),
        ("http://gate/v", None, "http://gate/v"),
    ],
)
def test_a_checked_address_is_connected_to_in_place_of_the_name(
    address: str, connect_to: str | None, wanted: str
) -> None:
    assert opening_of_address(address, SourceOptions(connect_to=connect_to)).location == wanted


def test_a_server_is_told_the_name_it_was_asked_for_by() -> None:
    opening = opening_of_address("http://u:s3cret@gate:81/v", SourceOptions(connect_to="10.0.0.7"))
    assert opening.choices["headers"] == "Host: gate:81\r\n"
    assert "s3cret" not in repr(opening)


def test_of_a_camera_the_video_alone_travels_as_it_was_asked_to() -> None:
    choices = opening_of_address("rtsp://gate/live", SourceOptions(rtsp_transport="udp")).choices
    assert (choices["rtsp_transport"], choices["allowed_media_types"]) == ("udp", "video")
