"""The scanner that guards "everyone else is nobody" finds a template in every encoding, and cries no wolf."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import pickle
import shutil
import sqlite3
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.lzf import unpack
from tests.template_scan import TemplateScanner
from vision.types import Float32

DIMENSIONS = (128, 512)


def template(dimension: int, seed: int = 1) -> Float32:
    values = np.random.default_rng(seed).normal(size=dimension)
    return np.asarray(values / np.linalg.norm(values), np.float32)


def noisy(face: Float32) -> Float32:
    """Another look at the same face: cosine about 0.95."""
    noise = np.random.default_rng(9).normal(size=len(face))
    return np.asarray(face + 0.33 * noise / np.linalg.norm(noise), np.float32)


def npz(face: Float32) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, embedding=face)
    return buffer.getvalue()


def csv_text(face: Float32) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(["track", 7, *face.tolist()])
    return text.getvalue().encode()


def sqlite_spilled(face: Float32) -> bytes:
    """A row larger than a page, so that the template is cut in two."""
    database = sqlite3.connect(":memory:")
    database.execute("create table faces (image blob, template blob)")
    database.execute("insert into faces values (?, ?)", (b"\x00" * 7100, face.tobytes()))
    database.commit()
    data = database.serialize()
    database.close()
    return data


ENCODINGS: dict[str, Callable[[Float32], bytes]] = {
    "float16": lambda face: face.astype("<f2").tobytes(),
    "float32": lambda face: face.astype("<f4").tobytes(),
    "float64": lambda face: face.astype("<f8").tobytes(),
    "float32 big-endian": lambda face: face.astype(">f4").tobytes(),
    "not scaled to unit length": lambda face: (face * 23).astype("<f4").tobytes(),
    "pickle": lambda face: pickle.dumps({"embedding": face}),
    "npz": npz,
    "base64": lambda face: base64.b64encode(face.tobytes()),
    "base64 in lines": lambda face: base64.encodebytes(face.tobytes()),
    "base64 in JSON behind a path": lambda face: json.dumps(
        {"ref": "a/" + base64.urlsafe_b64encode(face.tobytes()).decode()}
    ).encode(),
    "base64 of float16": lambda face: base64.b64encode(face.astype("<f2").tobytes()),
    "base64 of gzip": lambda face: base64.b64encode(gzip.compress(face.tobytes())),
    "hex": lambda face: face.tobytes().hex().encode(),
    "gzip": lambda face: gzip.compress(face.tobytes()),
    "zlib": lambda face: zlib.compress(face.tobytes()),
    "JSON": lambda face: json.dumps({"embedding": face.tolist()}).encode(),
    "JSON, indented": lambda face: json.dumps({"embedding": face.tolist()}, indent=4).encode(),
    "JSON, four decimals": lambda face: json.dumps([round(float(x), 4) for x in face]).encode(),
    "numpy repr": lambda face: np.array2string(face, threshold=10_000).encode(),
    "CSV": csv_text,
    "SQLite, spilled": sqlite_spilled,
    "JSON in gzip": lambda face: gzip.compress(json.dumps(face.tolist()).encode()),
}


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("shift", [0, 1, 3])
def test_finds_a_look_in_every_encoding_at_every_offset(encoding: str, dimension: int, shift: int) -> None:
    face = template(dimension)
    data = ENCODINGS[encoding](noisy(face))
    if encoding != "SQLite, spilled":  # its pages lie at fixed places
        before = np.random.default_rng(2).bytes(997 + shift)
        # Behind a delimiter, as in any file: letters right before base64 would be part of it.
        data = before + b'"' + data + b'"' + before
    leaks = TemplateScanner(face[np.newaxis]).scan_bytes(data)
    assert leaks
    assert max(leak.similarity for leak in leaks) > 0.93


def test_finds_nothing_where_nothing_is() -> None:
    rng = np.random.default_rng(3)
    scanner = TemplateScanner(np.stack([template(512, seed) for seed in range(40)]))
    others = json.dumps([template(512, seed).tolist() for seed in range(100, 110)]).encode()
    harmless = [rng.bytes(2_000_000), bytes(1_000_000), others, b"the quick brown fox 0123456789 " * 20_000]
    assert [scanner.scan_bytes(data) for data in harmless] == [[], [], [], []]


def test_the_limit_is_the_cosine() -> None:
    face = template(512)
    data = noisy(face).tobytes()
    (leak,) = TemplateScanner(face[np.newaxis], limit=0.94).scan_bytes(data)
    assert leak.offset == 0
    assert leak.similarity == pytest.approx(0.95, abs=0.01)
    assert TemplateScanner(face[np.newaxis], limit=0.96).scan_bytes(data) == []


def test_templates_without_negative_numbers_are_found_too() -> None:
    face = np.abs(template(512))
    assert TemplateScanner(face[np.newaxis]).scan_bytes(face.tobytes())


def test_names_the_file_and_the_way_in(tmp_path: Path) -> None:
    face = template(512)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "spool.bin").write_bytes(b"x" * 13 + gzip.compress(face.tobytes()))
    (tmp_path / "clean.txt").write_text("nothing")
    (leak,) = TemplateScanner(face[np.newaxis]).scan_paths([tmp_path])
    assert leak.where == f"{tmp_path / 'deep' / 'spool.bin'}: gzip at 13"


def test_refuses_to_look_for_nothing() -> None:
    with pytest.raises(ValueError, match="K of at least 1"):
        TemplateScanner(np.empty((0, 512)))


def test_unpacks_lzf() -> None:
    # Eight letters as they are, then "copy 9 from 3 back", an overlapping reference.
    packed = bytes([7]) + b"abcdefgh" + bytes([7 << 5, 0, 2])
    assert unpack(packed, 17) == b"abcdefgh" + b"fgh" * 3
    assert unpack(packed, 18) is None
    assert unpack(bytes([7 << 5, 0, 2]), 9) is None


def test_finds_a_template_in_a_redis_snapshot(tmp_path: Path) -> None:
    server = shutil.which("redis-server") or shutil.which("valkey-server")
    if server is None:
        _check_hand_made_snapshot()
        return
    face = template(512)
    folder = tmp_path / "redis"
    folder.mkdir()
    socket = Path(tempfile.mkdtemp(prefix="s")) / "s"  # a socket's path may have 107 bytes, tmp_path has more
    arguments = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    with subprocess.Popen([server, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            _store_in_redis(socket, face)
        finally:
            process.terminate()
    assert TemplateScanner(face[np.newaxis]).scan_paths([folder])


def _store_in_redis(socket: Path, face: Float32) -> None:
    import redis
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    client = redis.Redis(unix_socket_path=str(socket), retry=Retry(ConstantBackoff(0.1), 50))
    client.xadd("aiqyn:candidates", {"event": json.dumps({"embedding": face.tolist()})})
    client.save()
    client.close()


def _check_hand_made_snapshot() -> None:
    face = template(512)
    literal = face.tobytes()
    packed = b"".join(
        bytes([len(part) - 1]) + part for part in (literal[i : i + 32] for i in range(0, 2048, 32))
    )
    packed += bytes([7 << 5, 255, 0]) * 4  # four runs of a repeated byte, so that packing pays
    length = 2048 + 4 * 264
    header = (
        b"\xc3" + bytes([0x80]) + struct.pack(">I", len(packed)) + bytes([0x80]) + struct.pack(">I", length)
    )
    (leak, *_) = TemplateScanner(face[np.newaxis]).scan_bytes(b"REDIS0009" + header + packed)
    assert "lzf" in leak.where
