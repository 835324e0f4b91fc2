"""`vision.memory`: templates in one place, out of dumps and swap, gone when they are left."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vision.errors import GalleryError
from vision.identify.gallery import Gallery
from vision.memory import LockedMemory, overwrite


def flags_of(memory: LockedMemory) -> set[str]:
    """What the kernel says of the mapping; see proc(5), VmFlags."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            start, stop = (int(edge, 16) for edge in words[0].split("-"))
            inside = start <= memory.array.ctypes.data < stop
        elif inside and words[0] == "VmFlags:":
            return set(words[1:])
    raise AssertionError("the mapping is not there")


def filled(rows: int = 3, columns: int = 512) -> LockedMemory:
    memory = LockedMemory(rows, columns)
    memory.array[:] = np.random.default_rng(1).normal(size=(rows, columns))
    return memory


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_it_is_left_out_of_dumps_and_of_children_and_locked() -> None:
    flags = flags_of(memory := filled())
    assert {"dd", "dc"} <= flags
    assert ("lo" in flags) is memory.locked
    assert "sh" not in flags


def test_it_begins_as_zeros_and_ends_as_zeros() -> None:
    memory = LockedMemory(2, 4)
    assert not memory.array.any()
    memory.array[:] = 1
    view = memory.array[1]
    memory.wipe()
    memory.wipe()
    assert memory.wiped
    assert not view.any()


def test_it_is_overwritten_when_the_context_is_left() -> None:
    with filled() as memory:
        assert memory.array.any()
    assert not memory.array.any()


def test_it_is_overwritten_when_nobody_holds_it() -> None:
    memory = filled()
    view = memory.array[:2]
    del memory
    gc.collect()
    assert not view.any()


def test_it_is_overwritten_at_the_end_of_the_interpreter() -> None:
    program = (
        "import atexit, ctypes\n"
        "address = None\n"
        "def check():\n"
        "    print(bytes(ctypes.string_at(address, 8)) == bytes(8))\n"
        "atexit.register(check)\n"  # runs after what is registered later
        "from vision.memory import LockedMemory\n"
        "memory = LockedMemory(1, 4); memory.array[:] = 7\n"
        "address = memory.array.ctypes.data\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_forked_child_may_end_without_harm() -> None:
    memory = filled()
    child = os.fork()
    if child == 0:
        memory.wipe()  # nothing is mapped there in the child
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert memory.array.any()


def test_it_says_nothing_and_goes_nowhere() -> None:
    memory = filled()
    assert str(float(memory.array[0, 0]))[:6] not in repr(memory)
    with pytest.raises(TypeError, match="do not leave"):
        pickle.dumps(memory)


@pytest.mark.parametrize(("rows", "columns"), [(-1, 4), (1, 0)])
def test_shapes_that_cannot_be(rows: int, columns: int) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        LockedMemory(rows, columns)


def test_where_the_limit_is_too_low_it_works_and_says_so() -> None:
    program = (
        "import os, resource\n"
        "from vision.memory import LockedMemory\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n"
        "os.geteuid() == 0 and os.setuid(65534)\n"  # root may lock in spite of the limit
        "memory = LockedMemory(1, 4); memory.array[:] = 7\n"
        "print(memory.locked, memory.array.sum())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False 28.0\n"


def test_bytes_are_overwritten_where_they_are() -> None:
    secret = bytes(np.arange(100, dtype=np.uint8))
    address = id(secret) + bytes.__basicsize__ - 1
    assert ctypes.string_at(address, 100) == secret
    overwrite(secret)
    assert secret == bytes(100)
    overwrite(b"")
    one = bytes([65])
    overwrite(one)
    assert one == b"A"  # shared by everybody


class TestAGalleryInIt:
    def test_it_is_searched_where_it_lies_and_found_in_no_copy(self) -> None:
        memory = filled()
        gallery = Gallery(memory, ("a", "b", "b"))
        assert np.allclose(np.linalg.norm(memory.array, axis=1), 1)
        (best,) = gallery.search(memory.array[1:2])
        assert best.subject_ids[0] == "b"
        assert np.shares_memory(gallery._templates, memory.array)

    def test_it_answers_as_one_of_an_array(self) -> None:
        rows = np.random.default_rng(2).normal(size=(6, 16)).astype(np.float32)
        memory = LockedMemory(6, 16)
        memory.array[:] = rows
        names = ("a", "a", "b", "c", "c", "d")
        probe = np.random.default_rng(3).normal(size=(4, 16))
        assert Gallery(memory, names).search(probe) == Gallery(rows, names).search(probe)

    def test_once_overwritten_nobody_resembles_anybody(self) -> None:
        memory = filled()
        gallery = Gallery(memory, ("a", "b", "c"))
        probe = memory.array[0].copy()
        assert gallery.similarity_to("a", probe) == pytest.approx(1)
        memory.wipe()
        assert gallery.wiped
        assert gallery.similarity_to("a", probe) == 0
        (answer,) = gallery.search(probe[np.newaxis])
        assert set(answer.similarities) == {0.0}

    def test_rows_out_of_order_are_refused(self) -> None:
        with pytest.raises(GalleryError, match="alphabetical"):
            Gallery(filled(), ("b", "a", "c"))
