"""`pipelines.spool`: nothing put on disk is lost, nothing lost goes unsaid."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

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


class TestAFailingDisk:
    """What a disk refuses costs what it refuses, and nothing else; each is told once."""

    def test_a_disk_that_refuses_is_told_once_and_when_it_is_over(
        self, open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = open_spool(folder)
        with capture_logs() as told, monkeypatch.context() as patch:
            patch.setattr(os, "fsync", _failing(errno.EIO))
            for _ in range(3):
                with pytest.raises(SpoolError, match="Input/output error"):
                    spool.append("s/1", "event")
            seen = [spool.refusing]
            patch.undo()
            spool.append("s/1", "next")
        assert [line["event"] for line in told] == ["spool_refuses", "spool_has_room"]
        assert told[1]["lost"] == 3
        assert [*seen, spool.refusing] == [True, False]
        assert drain(spool) == ["next"]

    def test_a_read_only_disk_is_named_as_the_reason(
        self, open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing can be taken back there, either: the reason told is that of the write."""
        spool = open_spool(folder)
        monkeypatch.setattr(os, "fsync", _failing(errno.EROFS))
        monkeypatch.setattr(Path, "unlink", _failing(errno.EIO))
        with pytest.raises(SpoolError, match="Read-only file system"):
            spool.append("s/1", "event")

    def test_a_real_limit_of_the_file_system(self, folder: Path) -> None:
        """A process whose files may have 1,000 bytes: what is larger is refused by the kernel itself."""
        script = (
            "import pathlib, resource, sys\nfrom pipelines.errors import SpoolError\n"
            "from pipelines.spool import Spool\nspool = Spool(pathlib.Path(sys.argv[1]))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "spool.append('s/1', 'small')\n"
            "try:\n    spool.append('s/1', 'x' * 5000)\nexcept SpoolError as error:\n    sys.stdout.write(str(error))\n"
            "spool.append('s/1', 'small again')\n"
        )
        command = [sys.executable, "-c", script, str(folder)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "File too large" in said
        with Spool(folder) as spool:
            assert spool.refused_total == 1
            assert drain(spool) == ["small", "small again"]
        assert not list(folder.glob(".*.part"))

    def test_what_it_does_not_let_go_of_is_not_sent_twice(
        self, open_spool: Callable[..., Spool], folder: Path
    ) -> None:
        """A folder in the place of the entry: it cannot be unlinked, as on a disk that went read-only."""
        spool = open_spool(folder)
        stuck, second = spool.append("s/1", "one"), spool.append("s/1", "two")
        path = min(folder.glob("*.json"))
        path.unlink()
        path.mkdir()
        with capture_logs() as told:
            spool.remove(stuck)
            assert spool.unremoved_count == 1
            assert spool.first() == second
            path.rmdir()
            spool.remove(second)
        assert (spool.unremoved_count, len(spool)) == (0, 0)
        assert [line["event"] for line in told] == ["spool_keeps_what_was_sent"] * 2

    def test_a_bad_sector_costs_its_entry_alone_and_only_for_now(
        self, open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = open_spool(folder)
        for word in ("one", "two", "three"):
            spool.append("s/1", word)
        real, bad = Path.read_bytes, min(folder.glob("*.json"))

        def read(path: Path) -> bytes:
            return _failing(errno.EIO)() if path == bad else real(path)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", read)
            assert [entry.event for entry in spool.oldest(10)] == ["two", "three"]
        assert spool.unreadable_count == 1
        assert spool.damaged_count == 0
        spool.close()
        assert drain(open_spool(folder)) == ["one", "two", "three"]

    def test_an_error_of_the_moment_loses_no_place(
        self, open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = open_spool(folder)
        spool.append("s/1", "one")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", _failing(errno.EMFILE))
            with pytest.raises(SpoolError, match="Too many open files"):
                spool.oldest(1)
        assert drain(spool) == ["one"]


def test_what_found_no_room_is_counted_over_restarts(open_spool: Callable[..., Spool], folder: Path) -> None:
    for lost in (1, 2, 3):
        spool = open_spool(folder, limit_bytes=10)
        with pytest.raises(SpoolError, match="full"):
            spool.append("s/1", "x" * 60)
        assert (spool.refused_count, spool.refused_total) == (1, lost)
        spool.close()


def test_a_damaged_count_does_not_stop_it(open_spool: Callable[..., Spool], folder: Path) -> None:
    open_spool(folder).close()
    (folder / ".refused").write_bytes(b"\xff" * 7)
    assert open_spool(folder).refused_total == 0


def test_batches_keep_the_order_and_end_at_their_size(open_spool: Callable[..., Spool], folder: Path) -> None:
    spool = open_spool(folder)
    for number in range(10):
        spool.append("s/1", f"{number}" * 100)
    assert [entry.number for entry in spool.oldest(4)] == [1, 2, 3, 4]
    assert [entry.number for entry in spool.oldest(10, limit_bytes=350)] == [1, 2]
    assert [entry.number for entry in spool.oldest(10, limit_bytes=1)] == [1]
    spool.remove(*spool.oldest(4))
    assert spool.size_bytes == 6 * len(b'{"schema": "s/1", "event": ""}') + 600
    assert [entry.number for entry in spool.oldest(99)] == [5, 6, 7, 8, 9, 10]


def test_all_of_a_batch_damaged_is_no_end(open_spool: Callable[..., Spool], folder: Path) -> None:
    spool = open_spool(folder)
    for number in range(6):
        spool.append("s/1", str(number))
    for path in sorted(folder.glob("*.json"))[:5]:
        path.write_bytes(b"{")
    assert [entry.event for entry in spool.oldest(2)] == ["5"]
    assert spool.damaged_count == 5


@pytest.mark.parametrize("name", ["1.json", "²".rjust(20, "0") + ".json", "x" * 20 + ".json", "notes.txt"])
def test_other_files_are_left_alone(open_spool: Callable[..., Spool], folder: Path, name: str) -> None:
    open_spool(folder).close()
    (folder / name).write_bytes(b"{}")
    assert open_spool(folder).first() is None
    assert (folder / name).exists()


def test_a_half_written_entry_of_a_killed_process_is_nothing(
    open_spool: Callable[..., Spool], folder: Path
) -> None:
    spool = open_spool(folder)
    spool.append("s/1", "whole")
    spool.close()
    (folder / f".{2:020d}.part").write_bytes(b'{"schema": "s/1", "ev')
    again = open_spool(folder)
    assert drain(again) == ["whole"]
    assert again.damaged_count == 0
    assert not list(folder.glob(".*.part"))


def test_nothing_in_it_asks_for_the_time(
    open_spool: Callable[..., Spool], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that jumps back changes no order, over a restart either."""
    spool = open_spool(folder)
    spool.append("s/1", "one")
    spool.close()
    for name in ("time", "time_ns", "monotonic"):
        monkeypatch.setattr(f"time.{name}", _failing(errno.EINVAL))
    os.utime(min(folder.glob("*.json")), (2**31, 2**31))
    again = open_spool(folder)
    again.append("s/1", "two")
    assert drain(again) == ["one", "two"]


def _failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail
