"""`pipelines.spool`: nothing put on disk is lost, nothing lost goes unsaid."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelines.errors import SpoolError
from pipelines.spool import Spool, SpoolEntry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def open_spool() -> Iterator[Callable[..., Spool]]:
    """Opens spools, and closes them after the test."""
    with ExitStack() as stack:
        yield lambda folder, **options: stack.enter_context(Spool(folder, **options))


def drain(spool: Spool) -> list[str]:
    events = []
    while (entry := spool.first()) is not None:
        events.append(entry.event)
        spool.remove(entry)
    return events


def test_first_in_first_out(open_spool: Callable[..., Spool], folder: Path) -> None:
    spool = open_spool(folder)
    for number in range(12):
        spool.append("s/1", f"event {number}")
    assert len(spool) == 12
    assert drain(spool) == [f"event {number}" for number in range(12)]
    assert spool.first() is None
    assert spool.size_bytes == 0


def test_entries_and_their_order_survive_a_restart(open_spool: Callable[..., Spool], folder: Path) -> None:
    spool = open_spool(folder)
    first = spool.append("s/1", '{"ә": 1}')
    spool.append("s/1", "two")
    spool.remove(first)
    spool.close()
    again = open_spool(folder)
    again.append("s/1", "three")
    assert drain(again) == ["two", "three"]


def test_what_was_appended_survives_a_kill(open_spool: Callable[..., Spool], folder: Path) -> None:
    script = (
        "import sys, pathlib\nfrom pipelines.spool import Spool\n"
        "spool = Spool(pathlib.Path(sys.argv[1]))\n"
        "for n in range(10_000):\n    spool.append('s/1', str(n)); print(n, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        promised = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        promised += process.stdout.readlines()
    whole = [int(line) for line in promised if line.endswith(b"\n")]
    found = [int(event) for event in drain(open_spool(folder))]
    assert found[: len(whole)] == whole
    assert len(found) <= len(whole) + 1
    assert not list(folder.glob(".*.part"))


def test_a_full_spool_says_what_is_lost(open_spool: Callable[..., Spool], folder: Path) -> None:
    spool = open_spool(folder, limit_bytes=120)
    kept = spool.append("s/1", "x" * 60)
    for lost in (1, 2):
        with pytest.raises(SpoolError, match=rf"full \(1 entries, limit 120 bytes\).*{lost} since"):
            spool.append("s/1", "y" * 60)
    assert spool.refused_count == 2
    spool.remove(kept)
    spool.append("s/1", "y" * 60)
    assert drain(spool) == ["y" * 60]


def test_the_limit_counts_what_an_earlier_process_left(
    open_spool: Callable[..., Spool], folder: Path
) -> None:
    spool = open_spool(folder, limit_bytes=120)
    spool.append("s/1", "x" * 60)
    spool.close()
    with pytest.raises(SpoolError, match="full"):
        open_spool(folder, limit_bytes=120).append("s/1", "y" * 60)


def test_a_full_disk_says_so_and_leaves_nothing_half(
    open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool(folder)

    def no_room(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(SpoolError, match="No space left"):
        spool.append("s/1", "event")
    monkeypatch.undo()
    assert spool.refused_count == 1
    assert sorted(path.name for path in folder.iterdir()) == [".lock", ".refused"]
    spool.append("s/1", "next")
    assert drain(spool) == ["next"]


def test_file_and_folder_are_forced_to_disk_before_an_append_returns(
    open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool(folder)
    synced: list[str] = []
    real = os.fsync

    def watched(handle: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        real(handle)

    monkeypatch.setattr(os, "fsync", watched)
    spool.append("s/1", "event")
    assert synced == ["file", "folder"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"schema": 1, "event": "x"}', b"\xff\xfe"])
def test_a_damaged_entry_is_set_aside_and_counted(
    open_spool: Callable[..., Spool], folder: Path, damage: bytes
) -> None:
    spool = open_spool(folder)
    spool.append("s/1", "one")
    spool.append("s/1", "two")
    min(folder.glob("*.json")).write_bytes(damage)
    assert drain(spool) == ["two"]
    assert spool.damaged_count == 1
    assert len(list(folder.glob("*.damaged"))) == 1


def test_a_removed_entry_is_passed_over(open_spool: Callable[..., Spool], folder: Path) -> None:
    spool = open_spool(folder)
    spool.append("s/1", "one")
    next(folder.glob("*.json")).unlink()
    assert spool.first() is None
    spool.remove(SpoolEntry(1, "s/1", "one"))


def test_two_processes_do_not_share_a_spool(open_spool: Callable[..., Spool], folder: Path) -> None:
    first = open_spool(folder)
    with pytest.raises(SpoolError, match="another process"):
        open_spool(folder)
    first.close()
    open_spool(folder).close()


def test_only_its_owner_reads_it(open_spool: Callable[..., Spool], folder: Path) -> None:
    open_spool(folder).append("s/1", "event")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_open_to_others_is_refused(open_spool: Callable[..., Spool], folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(SpoolError, match="open to others"):
        open_spool(folder)
