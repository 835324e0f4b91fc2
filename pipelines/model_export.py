"""A PyTorch file of Ultralytics into ONNX, once, by their own package in a child process.

The package is AGPL-3.0 and brings torch; it is an extra, never in the lock files, and nothing of it is needed
afterwards. A PyTorch file is a pickle: reading one runs whatever code it holds, so the child gets no secrets of
the environment, no network where the kernel lets an ordinary user take it away, and a time limit. That is no
sandbox: convert only files of people you trust.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipelines.errors import ModelCheckError

PACKAGE = "ultralytics"
TIME_LIMIT_SECONDS = 600.0
HOW_TO_INSTALL = (
    "a PyTorch file (.pt) is converted by the package ultralytics, which is not installed: pip install "
    "'aiqyn[export]'. It is AGPL-3.0, as are Ultralytics' own models: whoever offers a service with them must offer "
    "its source under the same licence, or buy another from Ultralytics. The service runs the ONNX file without it"
)

_PROGRAM = """
import sys
from pathlib import Path
from pipelines.model_child import leave_the_network
alone = leave_the_network()
from ultralytics import YOLO, __version__
produced = YOLO(sys.argv[1]).export(format="onnx", dynamic=False, simplify=False)
Path(sys.argv[2]).write_bytes(Path(produced).read_bytes())
Path(sys.argv[3]).write_text(f"{__version__} {'without' if alone else 'with'} a network")
"""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH")
_OFFLINE = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "HF_HUB_OFFLINE": "1",
}
_NOWHERE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """An ONNX file and what it was made of.

    Attributes:
        content: its bytes.
        origin: file, SHA-256 and program; empty where nothing was converted.
    """

    content: bytes
    origin: str


def export_to_onnx(
    content: bytes, file_name: str, time_limit_seconds: float = TIME_LIMIT_SECONDS
) -> ExportedModel:
    """Converts a model of Ultralytics.

    Args:
        content: of the .pt file.
        file_name: for the record.
        time_limit_seconds: after which the conversion is ended.

    Raises:
        ModelCheckError: the package is not installed, or the conversion failed or took too long.
    """
    if find_spec(PACKAGE) is None:
        raise ModelCheckError(HOW_TO_INSTALL)
    try:
        with tempfile.TemporaryDirectory(prefix="aiqyn-export-") as name:
            return _export(Path(name), content, file_name, time_limit_seconds)
    except OSError as error:
        raise ModelCheckError(
            f"cannot be converted: {tempfile.gettempdir()}: {error.strerror or error}; make room there, or name "
            "another folder with TMPDIR"
        ) from error


def _export(place: Path, content: bytes, file_name: str, time_limit_seconds: float) -> ExportedModel:
    source, target, told = place / "model.pt", place / "converted.onnx", place / "version"
    source.write_bytes(content)
    with (place / "output").open("w+b") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, str(source), str(target), str(told)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(place),
            cwd=place,
            start_new_session=True,
        )
        try:
            code = child.wait(time_limit_seconds)
        except subprocess.TimeoutExpired as error:
            raise ModelCheckError(f"was not converted within {time_limit_seconds:g} seconds") from error
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        output.seek(0)
        said = output.read()[-20_000:].decode("utf-8", "replace").strip()
    if code != 0 or not target.is_file():
        reason = said.splitlines()[-1][:200] if said else f"exit code {code}"
        raise ModelCheckError(f"could not be converted: {reason}")
    version = told.read_text(encoding="utf-8") if told.is_file() else "of unknown version"
    digest = hashlib.sha256(content).hexdigest()
    return ExportedModel(target.read_bytes(), f"{file_name} (SHA-256 {digest}) by {PACKAGE} {version}")


def _environment(place: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    folders = {
        "HOME": str(place),
        "TMPDIR": str(place),
        "YOLO_CONFIG_DIR": str(place),
        "MPLCONFIGDIR": str(place),
    }
    return kept | _OFFLINE | _NOWHERE | folders
