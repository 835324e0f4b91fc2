"""A disk that fills up: new evidence stops, loudly and once, nothing that is there goes, and it recovers."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from structlog.testing import capture_logs

from pipelines.errors import EvidenceFullError
from pipelines.evidence import EvidenceStore
from pipelines.evidence_blobs import SHELVES
from pipelines.evidence_folder import LEFTOVER_SECONDS, FolderPlace, free_bytes
from vision.types import Image

PRIVATE = X25519PrivateKey.generate()
IMAGE: Image = np.full((48, 64, 3), 90, np.uint8)
MIB = 2**20
REF = "aa/" + "a" * 64 + ".sealed"


class Disk:
    """What is free is what a test says."""

    def __init__(self, free: int) -> None:
        self.free = free

    def __call__(self, _folder: Path) -> int:
        return self.free


def store_on(folder: Path, disk: Disk) -> EvidenceStore:
    place = FolderPlace(folder, min_free_bytes=100 * MIB, free=disk)
    return EvidenceStore("", PRIVATE.public_key(), place=place)


def test_below_the_reserve_nothing_new_is_written_and_nothing_goes(tmp_path: Path) -> None:
    disk = Disk(101 * MIB)
    store = store_on(tmp_path, disk)
    kept = store.put("probe", IMAGE)
    disk.free = 100 * MIB
    with capture_logs() as logs:
        for _ in range(5):
            with pytest.raises(EvidenceFullError, match=r"evidence\.min_free_bytes"):
                store.put("probe", IMAGE)
        assert (store.state.phase, store.state.refused) == ("full", 5)
        disk.free = 106 * MIB
        store.put("probe", IMAGE)
    assert (tmp_path / kept.ref).is_file()
    assert (store.state.phase, store.state.refused) == ("ok", 5)
    assert [entry["event"] for entry in logs] == ["evidence_stopped", "evidence_resumed"]


def test_room_is_noticed_without_anything_to_write(tmp_path: Path) -> None:
    """Else a worker would be said to be full until its next candidate."""
    disk = Disk(99 * MIB)
    store = store_on(tmp_path, disk)
    with pytest.raises(EvidenceFullError):
        store.put("probe", IMAGE)
    phases = []
    with capture_logs() as logs:
        for free in (104, 106, 106):
            disk.free = free * MIB
            phases.append(store.state.phase)
    assert phases == ["full", "ok", "ok"]
    assert store.state.refused == 1
    assert [entry["event"] for entry in logs] == ["evidence_resumed"]


def test_it_does_not_stop_and_go_at_the_edge(tmp_path: Path) -> None:
    disk = Disk(99 * MIB)
    store = store_on(tmp_path, disk)
    for free in (99 * MIB, 101 * MIB, 104 * MIB):
        disk.free = free
        with pytest.raises(EvidenceFullError):
            store.put("probe", IMAGE)


def test_what_the_disk_itself_refuses_is_full_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EvidenceFullError, match="No space left"):
        FolderPlace(tmp_path).write(REF, b"x")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_quota_is_not_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has room and the system refuses: said once, not with every look at the state."""

    def quota(_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    disk = Disk(500 * MIB)
    store = store_on(tmp_path, disk)
    with monkeypatch.context() as refusing:
        refusing.setattr(os, "fsync", quota)
        with pytest.raises(EvidenceFullError, match="quota"):
            store.put("probe", IMAGE)
    assert store.state.phase == "full"
    disk.free += 5 * MIB
    assert [store.state.phase] == ["ok"]


_WRITES_TOO_MUCH = """
import resource, signal, sys
from pathlib import Path
from pipelines.errors import EvidenceFullError
from pipelines.evidence_folder import FolderPlace
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
place = FolderPlace(Path(sys.argv[1]))
place.write("aa/" + "a" * 64 + ".sealed", b"x" * 4000)
try:
    place.write("bb/" + "b" * 64 + ".sealed", b"x" * 5000)
except EvidenceFullError as error:
    print("full:", error)
"""


def test_a_real_limit_of_the_kernel(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run(
        [sys.executable, "-c", _WRITES_TOO_MUCH, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("full: evidence bb/")
    assert [path.name[0] for path in tmp_path.rglob("*") if path.is_file()] == ["a"]


def test_what_is_free_is_asked_of_the_system(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    told = free_bytes(tmp_path / "not" / "there" / "yet")
    assert abs(told - found.f_bavail * found.f_frsize) < 2**30


def test_blobs_are_listed_by_shelf_and_leftovers_go(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path)
    place.write(REF, b"sealed")
    old, new = tmp_path / "aa" / ".x.part", tmp_path / "aa" / ".y.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, old.stat().st_mtime - LEFTOVER_SECONDS - 1))
    found = [blob for shelf in SHELVES for blob in place.blobs(shelf)]
    assert [(blob.ref, blob.size_bytes) for blob in found] == [(REF, 6)]
    assert not old.exists()
    assert new.exists()
    assert place.delete(REF) is True
    assert place.delete(REF) is False
