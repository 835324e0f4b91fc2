"""Two OpenCV builds share one folder and overwrite each other: exactly one may be installed."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata


def test_exactly_one_opencv_is_installed() -> None:
    builds = sorted({found.name for found in metadata.distributions() if found.name.startswith("opencv")})
    assert builds == ["opencv-python-headless"]


def test_it_is_the_one_without_windows() -> None:
    code = "import cv2; print([line for line in cv2.getBuildInformation().splitlines() if 'GUI:' in line][0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(":")[1].strip() in {"NONE", "", "NO"}, done.stdout
