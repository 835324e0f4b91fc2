"""The folder on disk: whole files or none, whatever happens to the writer."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.weights.builders import sha256
from weights.cache import Cache
from weights.errors import CacheError, HashMismatchError

CONTENT = b"weights" * 1000
SIZE_BYTES = 8_000_000
WRITERS = {
    "atomic": "cache.write(target, content)",
    # What the cache must not be; it shows that the test below can fail. In small pieces, so that nearly
    # all its time is spent with a part of the file written, however fast the disk takes them.
    "careless": "write_in_pieces(target, content)",
}
WRITE_FOREVER = f"""
import sys
from pathlib import Path
from weights.cache import Cache
cache = Cache(Path(sys.argv[1]))
target = cache.file("big.onnx")
def write_in_pieces(target, content):
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb", buffering=0) as file:
        for start in range(0, len(content), 1000):
            file.write(content[start:start + 1000])
contents = [bytes([letter]) * {SIZE_BYTES} for letter in b"ab"]
while True:
    for content in contents:
        WRITE
        print("written", flush=True)
"""


def test_what_was_written_is_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "cache")
    path = cache.file("a.onnx")
    cache.write(path, CONTENT)
    assert cache.read(path, sha256(CONTENT)) == CONTENT
    cache.check(path, sha256(CONTENT))
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_program_can_be_executed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    script = b"#!/bin/sh\necho ran\n"
    cache.write(cache.file("program"), script, executable=True)
    assert subprocess.check_output([cache.file("program")], text=True) == "ran\n"


def test_a_reader_in_the_middle_of_a_file_keeps_the_one_it_opened(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    path = cache.file("a.onnx")
    cache.write(path, CONTENT)
    with path.open("rb") as reader:
        start = reader.read(10)
        cache.write(path, b"another model")
        assert start + reader.read() == CONTENT
    assert path.read_bytes() == b"another model"


def test_every_read_is_verified(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    path = cache.file("a.onnx")
    cache.write(path, CONTENT)
    path.write_bytes(CONTENT[:-1] + b"!")
    for read in (cache.read, cache.check):
        with pytest.raises(HashMismatchError, match="the catalogue says"):
            read(path, sha256(CONTENT))


def test_what_is_missing_is_not_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for read in (cache.read, cache.check):
        with pytest.raises(FileNotFoundError):
            read(cache.file("a.onnx"), sha256(CONTENT))


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    # Permissions do not stop root, who may run these tests; a file in the folder's place stops anybody.
    (tmp_path / "file").write_text("not a folder")
    cache = Cache(tmp_path / "file")
    with pytest.raises(
        CacheError, match=r"cannot be written: .*; make it writable, or .*AIQYN_WEIGHTS_DIR"
    ) as caught:
        cache.write(cache.file("a"), CONTENT)
    assert "\n" not in str(caught.value)
    with pytest.raises(CacheError, match="cannot be written"), cache.lock(lambda: None):
        pass
    with pytest.raises(CacheError, match="cannot be written"), cache.staging():
        pass


def test_a_folder_in_the_files_place_cannot_be_read(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.file("a").mkdir(parents=True)
    with pytest.raises(CacheError, match="cannot be read"):
        cache.read(cache.file("a"), sha256(CONTENT))


def test_a_full_disk_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    # A limit on the size of files stands for the full disk: the same write fails at the same place.
    program = """
import resource, sys
from pathlib import Path
from weights.cache import Cache
from weights.errors import CacheError
cache = Cache(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    cache.write(cache.file("a.onnx"), b"x" * 5000)
except CacheError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", program, str(tmp_path)], text=True)
    assert "cannot be written: File too large; free some space there" in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("writer", "always_whole"), [("atomic", True), ("careless", False)])
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, writer: str, always_whole: bool) -> None:
    cache = Cache(tmp_path)
    whole = {sha256(letter * SIZE_BYTES) for letter in (b"a", b"b")}
    program = WRITE_FOREVER.replace("WRITE", WRITERS[writer])
    seen_whole = []
    for attempt in range(5 if always_whole else 40):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
        )
        assert child.stdout
        child.stdout.readline()
        time.sleep(0.003 * (attempt % 7) + 0.0005)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        seen_whole.append(sha256(cache.file("big.onnx").read_bytes()) in whole)
        if not seen_whole[-1]:
            break
    assert all(seen_whole) is always_whole


def test_the_lock_lets_one_in_and_clears_what_the_last_left(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    waited: list[bool] = []
    left = tmp_path / "tmp" / "half-written"
    left.parent.mkdir()
    left.write_text("half")
    with cache.lock(lambda: waited.append(True)):
        assert not left.exists()
    assert not waited


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from weights.cache import Cache
with Cache(Path(sys.argv[1])).lock(lambda: None):
    print("locked", flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    child.kill()
    child.wait()
    child.stdout.close()
    waited: list[bool] = []
    with Cache(tmp_path).lock(lambda: waited.append(True)):
        assert not waited


def test_staging_is_gone_afterwards(tmp_path: Path) -> None:
    with Cache(tmp_path).staging() as folder:
        (folder / "part").write_text("x")
    assert not folder.exists()
