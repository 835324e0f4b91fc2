"""Starts `rtsp_camera.py` with the Python that can run it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEBIAN_PYTHON = "/usr/bin/python3"
_BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@contextmanager
def start(file: Path, *credentials: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A camera's process and port; skips by name where the bindings are missing."""
    if subprocess.run([DEBIAN_PYTHON, "-c", _BINDINGS], capture_output=True, check=False).returncode:
        pytest.skip("gir1.2-gst-rtsp-server-1.0 or python3-gi is not installed")
    program = Path(__file__).with_name("rtsp_camera.py")
    command = [DEBIAN_PYTHON, str(program), str(file), *credentials]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline()) if process.stdout else 0
        finally:
            process.kill()
