"""Addresses without their secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.locations import redact_url, scheme_of


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        pytest.param("rtsp://admin:s3cret@10.0.0.7:554/live", "rtsp://***@10.0.0.7:554/live", id="both"),
        pytest.param("rtsp://admin@cam/live", "rtsp://***@cam/live", id="user alone"),
        pytest.param("rtsp://:s3cret@cam/live", "rtsp://***@cam/live", id="password alone"),
        pytest.param("RTSP://a:s3cret@cam", "RTSP://***@cam", id="capitals"),
        pytest.param("  rtsp://a:s3cret@cam ", "rtsp://***@cam", id="blanks around"),
        pytest.param("rtsp://a:s3@cret@cam/live", "rtsp://***@cam/live", id="@ in the password"),
        pytest.param("rtsp://a:s3/cret@cam/live", "rtsp://***@cam/live", id="/ in the password"),
        pytest.param("rtsp://a:s3?cret@cam/live", "rtsp://***", id="? in the password"),
        pytest.param("rtsp://a:s3#cret@cam/live", "rtsp://***", id="# in the password"),
        pytest.param("rtsp://a:pa:ss@[fe80::1]:554/x", "rtsp://***@[fe80::1]:554/x", id="IPv6"),
        pytest.param("http://cam/video?user=a&pwd=s3cret", "http://cam/video?***", id="query"),
        pytest.param("http://cam/video#s3cret", "http://cam/video", id="fragment"),
        pytest.param(
            "rtsp://cam/user=admin&password=s3cret&channel=1", "rtsp://cam/***", id="inside the path"
        ),
        pytest.param("rtsp://cam/user=admin_password=s3cret_stream=0.sdp", "rtsp://cam/***", id="with _"),
        pytest.param("rtsp://cam/h264/token:s3cret/1", "rtsp://cam/h264/***", id="token in the path"),
        pytest.param("rtsp://cam:554/live/ch1", "rtsp://cam:554/live/ch1", id="nothing to hide"),
        pytest.param(
            "rtsp://a:12/34@cam/live", "rtsp://***@cam/live", id="a password like a port and a path"
        ),
        pytest.param("http://cam/live?mail=s3@cret", "http://***", id="@ in the query"),
        pytest.param("rtsp://cam/keyframes", "rtsp://cam/keyframes", id="harmless word"),
        pytest.param("admin:s3cret@cam/live", "***@cam/live", id="no scheme"),
        pytest.param("/data/a@b/gate.mp4", "/data/a@b/gate.mp4", id="a path"),
        pytest.param("gate.mp4", "gate.mp4", id="a name"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_redact_url(location: str, wanted: str) -> None:
    assert redact_url(location) == wanted


SECRETS = st.text("s3cr€t@:/?#&=%[] \\", min_size=1, max_size=12).map(lambda text: f"QQ{text}QQ")


@given(st.sampled_from(["rtsp", "rtsps", "http", "https"]), SECRETS, SECRETS, st.booleans())
def test_no_password_however_written_gets_through(scheme: str, user: str, password: str, port: bool) -> None:
    shown = redact_url(
        f"{scheme}://{user}:{password}@camera.example{':554' if port else ''}/live?x={password}"
    )
    assert "QQ" not in shown
    assert shown.startswith(f"{scheme}://***")


@pytest.mark.parametrize(
    ("location", "wanted"),
    [("rtsp://x", "rtsp"), ("HTTP://x", "http"), ("/a/b.mp4", None), ("C:/x.mp4", None), ("", None)],
)
def test_scheme_of(location: str, wanted: str | None) -> None:
    assert scheme_of(location) == wanted
