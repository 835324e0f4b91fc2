"""PyTorch files through a child process; a package that stands for ultralytics behaves as a test wants."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipelines.errors import ModelCheckError
from pipelines.model_export import export_to_onnx

PACKAGE = """
import os, sys, time
from pathlib import Path
__version__ = "8.9.9"
class YOLO:
    def __init__(self, path):
        self.path = Path(path)
    def export(self, format, **more):
        assert format == "onnx"
        {body}
"""
GOOD = """
        self.path.with_suffix(".onnx").write_bytes(b"onnx of " + self.path.read_bytes())
        print("much said")
        return str(self.path.with_suffix(".onnx"))"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path, of this process and its children, for a package of that name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "ultralytics.py"


def test_without_the_package_one_line_says_how_to_get_it_and_what_it_means() -> None:
    with pytest.raises(ModelCheckError, match=r"pip install 'aiqyn\[export\]'.*AGPL-3\.0") as caught:
        export_to_onnx(b"pickle", "model.pt")
    assert "\n" not in str(caught.value)


def test_a_file_is_converted_once_and_says_what_it_was(stand_in: Path) -> None:
    stand_in.write_text(PACKAGE.format(body=GOOD))
    exported = export_to_onnx(b"pickle", "model.pt")
    assert exported.content == b"onnx of pickle"
    digest = hashlib.sha256(b"pickle").hexdigest()
    assert exported.origin.startswith(f"model.pt (SHA-256 {digest}) by ultralytics 8.9.9 with")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            "raise ValueError('no such layer')",
            "could not be converted: ValueError: no such layer",
            id="fails",
        ),
        pytest.param("os._exit(0)", "could not be converted: exit code 0", id="gives nothing"),
        pytest.param("os.abort()", "could not be converted", id="dies"),
        pytest.param("sys.exit(' '.join(os.environ))", "YOLO_OFFLINE", id="environment"),
    ],
)
def test_what_goes_wrong_is_one_line(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setenv("AIQYN_REDIS_PASSWORD", "hunter2")
    stand_in.write_text(PACKAGE.format(body=body))
    with pytest.raises(ModelCheckError) as caught:
        export_to_onnx(b"pickle", "model.pt")
    assert said in str(caught.value) or body.startswith("sys.exit")
    assert "PASSWORD" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_conversion_without_end_is_ended(stand_in: Path) -> None:
    stand_in.write_text(PACKAGE.format(body="time.sleep(600)"))
    with pytest.raises(ModelCheckError, match="was not converted within 2 seconds"):
        export_to_onnx(b"pickle", "model.pt", time_limit_seconds=2)


def test_it_has_no_network_where_it_says_so(stand_in: Path) -> None:
    """In a network of its own there is nothing but a loopback that is down."""
    stand_in.write_text(
        PACKAGE.format(
            body="""
        self.path.with_suffix(".onnx").write_text(Path("/proc/net/dev").read_text())
        return str(self.path.with_suffix(".onnx"))"""
        )
    )
    exported = export_to_onnx(b"pickle", "model.pt")
    interfaces = [line.split(":")[0].strip() for line in exported.content.decode().splitlines()[2:]]
    assert (interfaces == ["lo"]) or exported.origin.endswith("with a network")
