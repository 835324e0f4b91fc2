"""Memory shared by descriptor: its size holds, words and records are never seen half written."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.live.memory import RingError, SharedMemory, TwinRecord, new_memory
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]
LAYOUT = struct.Struct("16Q")

WRITE_WORDS = """
from pipelines.live.memory import SharedMemory
memory = SharedMemory({descriptor}, 4096)
while True:
    memory.store_word(8, 0x5555555555555555)
    memory.store_word(8, 0xAAAAAAAAAAAAAAAA)
"""
WRITE_RECORDS = """
from tests.unit.pipelines.live.test_memory import LAYOUT
from pipelines.live.memory import SharedMemory, TwinRecord
record = TwinRecord(SharedMemory({descriptor}, 4096), 64, LAYOUT)
value = record.load()[0]
while True:
    value += 1
    record.store(*[value] * 16)
"""


@pytest.fixture
def descriptor() -> Iterator[int]:
    made = new_memory("aiqyn-test", 4096)
    yield made
    os.close(made)


@pytest.fixture
def memory(descriptor: int) -> Iterator[SharedMemory]:
    mapped = SharedMemory(descriptor, 4096)
    yield mapped
    mapped.close()


@pytest.fixture
def run(descriptor: int) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a child that writes until it is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", program.format(descriptor=descriptor)]
        started.append(subprocess.Popen(command, pass_fds=(descriptor,), cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_it_can_neither_shrink_nor_grow(descriptor: int) -> None:
    for size_bytes in (0, 8192):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size_bytes)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def test_it_takes_no_room_before_it_is_written() -> None:
    made = new_memory("aiqyn-test", 1 << 30)
    assert os.fstat(made).st_blocks == 0
    os.close(made)


def test_too_little_memory_is_refused(descriptor: int) -> None:
    with pytest.raises(RingError, match="4096 bytes where 8192 are needed"):
        SharedMemory(descriptor, 8192)


def test_a_word_is_never_seen_half_written(
    memory: SharedMemory, run: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    run(WRITE_WORDS)
    wait_until(lambda: memory.load_word(8) != 0)
    seen = {memory.load_word(8) for _ in range(300_000)}
    assert seen <= {0x5555555555555555, 0xAAAAAAAAAAAAAAAA}


def test_a_record_is_seen_whole_whenever_its_writer_is_killed(
    memory: SharedMemory, run: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    record = TwinRecord(memory, 64, LAYOUT)
    chance = random.Random(3)
    for _ in range(3):
        before = record.load()[0]
        writer = run(WRITE_RECORDS)
        wait_until(lambda: record.load()[0] > before)  # noqa: B023
        for _ in range(chance.randrange(1000, 20_000)):
            assert len(set(record.load())) == 1
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert len(set(record.load())) == 1


def test_a_record_that_never_stands_still_is_told(
    memory: SharedMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = TwinRecord(memory, 64, LAYOUT)
    versions = iter(range(1_000_000))
    monkeypatch.setattr(memory, "load_word", lambda _: next(versions))
    with pytest.raises(RingError, match="without end"):
        record.load()


def test_closing_twice_is_once(descriptor: int) -> None:
    memory = SharedMemory(descriptor, 4096)
    memory.close()
    memory.close()
