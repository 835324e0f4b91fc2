"""What a process that parses hostile bytes may use of this machine, and cannot take back once it is set.

| limit | for a decoder |
|---|---|
| address space | 3 GiB, the ring, and 64 bytes a pixel of the largest picture, for the pictures a codec keeps; none with hardware decode, where the drivers map tens of gigabytes |
| open files | 64; 256 with hardware decode |
| new processes and programs | refused by the kernel (seccomp), threads allowed |
| tracing, reading other processes' memory | refused (seccomp) |
| core dumps, being traced | none (`pipelines.process_guard`) |
| rights through set-uid programs | none (`PR_SET_NO_NEW_PRIVS`) |
| life | ends with the thread that started it (`PR_SET_PDEATHSIG`) |
| threads | one of FFmpeg, OpenCV and BLAS each |
| turn | after the matching process, where the processors are short (`children.DECODER_NICENESS`) |
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass

from pipelines.errors import PipelineError
from pipelines.process_guard import forbid_memory_dumps

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
    ),
    "1",
)
"""Variables that libraries read when they are loaded."""

_ADDRESS_SPACE_BYTES = 3 << 30
_BYTES_A_PIXEL = 64
_OPEN_FILES, _OPEN_FILES_WITH_DEVICE = 64, 256

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# linux/bpf_common.h, linux/seccomp.h
_LOAD, _JUMP_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _SystemCalls:
    """Numbers of one architecture; asm/unistd.h."""

    architecture: int
    refused: tuple[int, ...]
    clone: int
    clone3: int = 435


_SYSTEM_CALLS = {
    # fork, vfork, execve, ptrace, process_vm_readv, process_vm_writev, execveat
    "x86_64": _SystemCalls(0xC000003E, (57, 58, 59, 101, 310, 311, 322), clone=56),
    # execve, ptrace, process_vm_readv, process_vm_writev, execveat
    "aarch64": _SystemCalls(0xC00000B7, (221, 117, 270, 271, 281), clone=220),
}


class LimitError(PipelineError):
    """A limit that the system did not let this process take."""


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What one decoder may use.

    Attributes:
        address_space_bytes: None: any.
        open_files: descriptors at most.
    """

    address_space_bytes: int | None
    open_files: int

    @classmethod
    def of(cls, max_pixels: int, ring_bytes: int, *, with_device: bool) -> DecoderLimits:
        """The limits of the table above.

        Args:
            max_pixels: of the largest picture that is decoded.
            ring_bytes: of the camera's ring.
            with_device: whether a device may decode.
        """
        if with_device:
            return cls(None, _OPEN_FILES_WITH_DEVICE)
        return cls(_ADDRESS_SPACE_BYTES + ring_bytes + _BYTES_A_PIXEL * max_pixels, _OPEN_FILES)


def one_thread_each(environment: MutableMapping[str, str]) -> None:
    """Has every library this process loads from now on use one thread."""
    environment.update(ONE_THREAD)


def end_with_parent(parent_id: int) -> None:
    """Has the kernel kill this process when the thread that started it ends, however it ends.

    Args:
        parent_id: process that started this one; where it is gone already this process ends at once.

    Raises:
        LimitError: the system refuses.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_id:
        raise SystemExit(1)


def stand_back(niceness: int, thread_id: int) -> None:
    """Lets others go first where the processors are short; never takes back what was given up already.

    Args:
        niceness: 0 to 19.
        thread_id: a thread's, or a process's for its first thread and those it starts from then on.

    Raises:
        OSError: there is none of that number.
    """
    os.setpriority(os.PRIO_PROCESS, thread_id, max(niceness, os.getpriority(os.PRIO_PROCESS, thread_id)))


def harden() -> None:
    """No core dumps, not to be traced, no rights beyond those it has, no new processes.

    Raises:
        LimitError, SealingError: the system refuses.
    """
    forbid_memory_dumps()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _refuse_new_processes()


def limit_decoder(limits: DecoderLimits) -> None:
    """Takes the limits on memory and files.

    Raises:
        LimitError: the system refuses.
    """
    try:
        if limits.address_space_bytes is not None:
            _lower(resource.RLIMIT_AS, limits.address_space_bytes)
        _lower(resource.RLIMIT_NOFILE, limits.open_files)
    except (OSError, ValueError) as error:
        raise LimitError(f"a decoder's limits cannot be set: {error}") from error


def _lower(kind: int, most: int) -> None:
    """Never raises a limit that is lower already."""
    hard = resource.getrlimit(kind)[1]
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _refuse_new_processes() -> None:
    """Installs a filter of system calls; does nothing on other systems than Linux on x86-64 and ARM64."""
    calls = _SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return
    program = _filter_program(calls)
    steps = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))

    head = Program(len(program) // 8, ctypes.addressof(steps))
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(head))


def _filter_program(calls: _SystemCalls) -> bytes:
    """The filter as BPF: struct sock_filter (code, jump if true, jump if false, k), eight bytes a step.

    Threads are made by `clone` with CLONE_THREAD, or by `clone3`, whose flags lie in memory a filter cannot read:
    it is said not to exist, and the C library falls back to `clone`.
    """
    refuse = _step(_RETURN, _REFUSE | _EPERM)
    program = [
        _step(_LOAD, _AT_ARCHITECTURE),
        _step(_JUMP_EQUAL, calls.architecture, if_true=1),
        refuse,
        _step(_LOAD, _AT_NUMBER),
        # Numbers of the x32 interface would pass by those below.
        _step(_JUMP_SET, _X32, if_false=1),
        refuse,
        _step(_JUMP_EQUAL, calls.clone3, if_false=1),
        _step(_RETURN, _REFUSE | _ENOSYS),
    ]
    for number in calls.refused:
        program += [_step(_JUMP_EQUAL, number, if_false=1), refuse]
    program += [
        _step(_JUMP_EQUAL, calls.clone, if_false=3),
        _step(_LOAD, _AT_FIRST_ARGUMENT),
        _step(_JUMP_SET, _CLONE_THREAD, if_true=1),
        refuse,
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def _step(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _prctl(option: int, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments]
    padding = [ctypes.c_ulong(0)] * (4 - len(given))
    if libc.prctl(option, *given, *padding) != 0:
        raise LimitError(f"prctl {option} failed: {os.strerror(ctypes.get_errno())}")
