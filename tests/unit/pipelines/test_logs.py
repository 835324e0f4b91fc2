"""`pipelines.logs`: one form for every process, and nothing in it that must not be written down."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from pydantic import SecretStr

from pipelines.errors import ConfigError
from pipelines.logs import HIDDEN, clean_text, log_to_stderr, redacted

PASSWORD = "hunter2-Qyzyl"
JWS = "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where log lines go; the configuration is as before afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def said(out: io.StringIO, **values: Any) -> dict[str, Any]:
    """What becomes of an event."""
    log_to_stderr(out, {"AIQYN_LOG_FORMAT": "json"})
    structlog.get_logger("test").warning("event_name", **values)
    return dict(json.loads(out.getvalue().splitlines()[-1]))


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp://viewer:{PASSWORD}@10.0.0.7/stream: no route",
        f"cannot open rtsp://viewer:{PASSWORD} with blank@10.0.0.7/stream, then http://10.0.0.8/x",
        f"redis://:{PASSWORD}@bus:6379/0 refused",
        f"https://store/x?token={PASSWORD}&a=1",
        f"rtsp://10.0.0.7/user=admin&password={PASSWORD}&channel=1",
        f"sent Authorization: Bearer {PASSWORD}",
        f"password={PASSWORD}, again",
        f"secret: {PASSWORD}",
        f"-----BEGIN PRIVATE KEY-----\n{PASSWORD}\n-----END PRIVATE KEY-----",
    ],
)
def test_credentials_leave_any_text(out: io.StringIO, text: str) -> None:
    assert PASSWORD not in json.dumps(said(out, reason=text, error=OSError(text), nested={"a": [text]}))
    assert PASSWORD not in out.getvalue()


def test_what_is_worth_reading_stays(out: io.StringIO) -> None:
    line = said(
        out, camera_id="gate", count=3, share=0.5, none=None, places=["a.py:1", "b.py:2"],
        reason="rtsp://***@10.0.0.7/x: no route to host", at=datetime(2026, 1, 2, tzinfo=UTC), path=Path("data/x"),
    )  # fmt: skip
    assert (line["event"], line["level"], line["camera_id"]) == ("event_name", "warning", "gate")
    assert (line["count"], line["share"], line["none"]) == (3, 0.5, None)
    assert line["places"] == ["a.py:1", "b.py:2"]
    assert line["reason"] == "rtsp://***@10.0.0.7/x: no route to host"
    assert (line["at"], line["path"]) == ("2026-01-02T00:00:00+00:00", "data/x")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.full((2, 512), 0.123456, np.float32), "<array (2, 512) float32>"),
        ([0.123456] * 512, "<512 numbers>"),
        (tuple([0.123456] * 5), "<5 numbers>"),
        (b"0.123456", "<8 bytes>"),
        (memoryview(bytearray(b"0.123456")), "<8 bytes>"),
        (SecretStr("0.123456"), "<SecretStr>"),
        (
            {"0.1": {"0.2": {"0.3": {"0.4": {"0.123456": 1}}}}},
            {"0.1": {"0.2": {"0.3": {"0.4": "<1 entries>"}}}},
        ),
        (list(range(100)), "<100 items>"),
        (OSError("plain"), "OSError: plain"),
        (JWS, HIDDEN),
    ],
    ids=["array", "row", "short row", "bytes", "view", "secret", "deep", "long", "error", "signed"],
)
def test_templates_pictures_and_documents_become_what_they_are(
    out: io.StringIO, value: Any, shown: Any
) -> None:
    assert said(out, anything=value)["anything"] == shown
    assert "0.123456" not in out.getvalue()


@pytest.mark.parametrize(
    "key",
    ["password", "redis_password", "token", "metrics_token", "name", "subject_name", "username", "embedding"],
)
def test_some_keys_show_nothing_whatever_they_hold(out: io.StringIO, key: str) -> None:
    line = said(out, **{key: "Akmaral"}, nested={key: "Akmaral"})
    assert (line[key], line["nested"][key]) == (HIDDEN, HIDDEN)


def test_a_count_of_templates_is_shown(out: io.StringIO) -> None:
    assert said(out, templates=5)["templates"] == 5


def test_the_words_of_an_error_are_cleaned_in_tracebacks_too(out: io.StringIO) -> None:
    log_to_stderr(out, {"AIQYN_LOG_FORMAT": "json"})
    try:
        raise OSError(f"rtsp://viewer:{PASSWORD}@10.0.0.7/x")
    except OSError:
        structlog.get_logger().exception("failed")
    assert "Traceback" in out.getvalue()
    assert PASSWORD not in out.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_libraries_take_the_same_way(out: io.StringIO, form: str) -> None:
    log_to_stderr(out, {"AIQYN_LOG_FORMAT": form})
    log_to_stderr(out, {"AIQYN_LOG_FORMAT": form})  # twice: still one line each
    logging.getLogger("library").warning("lost %s", f"redis://:{PASSWORD}@bus")
    logging.getLogger("library").info("not worth a line")
    (line,) = out.getvalue().splitlines()
    assert PASSWORD not in line
    assert "redis://***@bus" in line
    assert line.startswith("{") == (form == "json")


def test_a_console_line_is_no_document(out: io.StringIO) -> None:
    log_to_stderr(out, {"AIQYN_LOG_FORMAT": "console"})
    structlog.get_logger().warning("event_name", reason=f"rtsp://a:{PASSWORD}@b/c", vector=np.zeros(3))
    assert "event_name" in out.getvalue()
    assert "rtsp://***@b/c" in out.getvalue()
    assert "<array (3,) float64>" in out.getvalue()


def test_another_word_is_refused(out: io.StringIO) -> None:
    with pytest.raises(ConfigError, match="AIQYN_LOG_FORMAT: must be one of json, console"):
        log_to_stderr(out, {"AIQYN_LOG_FORMAT": "xml"})


def test_a_child_writes_the_same_form_into_the_same_place() -> None:
    program = (
        "import subprocess, sys\n"
        "from pipelines.logs import log_to_stderr\n"
        "import structlog\n"
        "log_to_stderr()\n"
        "structlog.get_logger().warning('told', reason='http://a:b@c/d')\n"
        "if len(sys.argv) == 1: subprocess.run([sys.executable, '-c', open(0).read(), 'child'], check=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program.replace("open(0).read()", repr(program))],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["reason"] for line in lines] == ["http://***@c/d"] * 2


def test_long_text_is_cut() -> None:
    assert len(clean_text("x" * 100_000)) < 5000
    assert str(redacted("x" * 100_000)).endswith("(100000 characters)")
