"""What a decoder's process may do: tried in real processes, as none of it can be taken back."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.live.limits import (
    _SYSTEM_CALLS,
    ONE_THREAD,
    DecoderLimits,
    _filter_program,
    one_thread_each,
)
from tests.waiting import wait_until

ROOT = Path(__file__).parents[4]


def tried(program: str) -> dict[str, object]:
    """What a program that took the limits says of itself: the JSON document it prints."""
    code = "import json, os\nfrom pipelines.live.limits import *\n" + program
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)
    return document


NEW_PROCESSES = """
import subprocess, threading
{harden}
said = {{}}
def tries(name, call):
    try:
        call()
    except OSError as error:
        said[name] = error.errno
    else:
        said[name] = "done"
def forks():
    if os.fork() == 0:
        os._exit(0)
tries("fork", forks)
tries("run", lambda: subprocess.run(["true"]))
tries("spawn", lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {{}}), 0))
thread = threading.Thread(target=lambda: said.update(thread="done"))
thread.start(); thread.join()
tries("exec", lambda: os.execv("/bin/nothing-there", ["x"]))
print(json.dumps(said))
"""


def test_no_new_process_or_program_but_threads() -> None:
    assert tried(NEW_PROCESSES.format(harden="harden()")) == {
        "fork": 1,
        "run": 1,
        "spawn": 1,
        "exec": 1,
        "thread": "done",
    }


def test_without_the_limits_there_would_be() -> None:
    assert tried(NEW_PROCESSES.format(harden="")) == {
        "fork": "done",
        "run": "done",
        "spawn": "done",
        "exec": 2,
        "thread": "done",
    }


def test_no_dumps_no_rights_not_traced() -> None:
    said = tried(
        """
import ctypes, resource
harden()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "no_new_privs": status["NoNewPrivs"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "traced": ctypes.CDLL(None).ptrace(0, 0, 0, 0),
}))
"""
    )
    assert said == {"core": [0, 0], "dumpable": 0, "no_new_privs": "1", "seccomp": "2", "traced": -1}


def test_memory_and_files_are_limited_for_good() -> None:
    said = tried(
        """
import resource
limit_decoder(DecoderLimits(1 << 30, 16))
said = {}
try:
    bytearray(2 << 30)
except MemoryError:
    said["memory"] = "refused"
opened = []
try:
    while True:
        opened.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    said["files"] = error.errno
for each in opened:
    os.close(each)
limit_decoder(DecoderLimits(2 << 30, 32))
said["kept"] = [resource.getrlimit(resource.RLIMIT_AS)[1], resource.getrlimit(resource.RLIMIT_NOFILE)[1]]
print(json.dumps(said))
"""
    )
    assert said == {"memory": "refused", "files": 24, "kept": [1 << 30, 16]}


def test_a_device_needs_more() -> None:
    software = DecoderLimits.of(8_000_000, 100, with_device=False)
    device = DecoderLimits.of(8_000_000, 100, with_device=True)
    assert software.address_space_bytes == (3 << 30) + 100 + 64 * 8_000_000
    assert device.address_space_bytes is None
    assert device.open_files > software.open_files


def test_a_decoders_libraries_fit_its_limits() -> None:
    """With room to spare, or a camera would fail on a machine with larger libraries."""
    said = tried(
        """
one_thread_each(os.environ)
harden()
limit_decoder(DecoderLimits.of(1, 0, with_device=False))
import pipelines.live.decoder_run
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"kb": int(status["VmPeak"].split()[0]), "threads": int(status["Threads"])}))
"""
    )
    assert isinstance(said["kb"], int)
    assert said["kb"] < (3 << 20) // 2
    assert said["threads"] == 1


ORPHAN = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", '''
import os, time
from pipelines.live.limits import end_with_parent
end_with_parent(os.getppid())
print(os.getpid(), flush=True)
time.sleep(60)
'''], stdout=sys.stdout)
time.sleep(60)
"""


def test_it_ends_with_its_parent_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child_id = int(parent.stdout.readline())
        assert is_running(child_id)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not is_running(child_id))


def is_running(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_parent_that_is_gone_already_is_followed() -> None:
    code = "from pipelines.live.limits import end_with_parent\nend_with_parent(1_000_000_000)\nprint('on')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_who_stood_back_further_stays_there() -> None:
    said = tried(
        "os.nice(15)\nstand_back(10, os.getpid())\nsaid = dict(first=os.nice(0))\n"
        "stand_back(17, os.getpid())\nprint(json.dumps(said | dict(then=os.nice(0))))"
    )
    assert said == {"first": 15, "then": 17}


def test_one_thread_each() -> None:
    environment = {"OMP_NUM_THREADS": "8", "PATH": "/bin"}
    one_thread_each(environment)
    assert environment == {**ONE_THREAD, "PATH": "/bin"}


@pytest.mark.parametrize("machine", sorted(_SYSTEM_CALLS))
def test_the_filter_decides_as_it_should(machine: str) -> None:
    """The program itself, run by a little interpreter of the few steps it uses, for machines that are not here."""
    calls = _SYSTEM_CALLS[machine]
    program = _filter_program(calls)

    def decided(number: int, flags: int = 0, architecture: int = calls.architecture) -> int:
        return run_filter(program, struct.pack("iIQ6Q", number, architecture, 0, flags, 0, 0, 0, 0, 0))

    refused, missing, allowed = 0x50001, 0x50026, 0x7FFF0000
    assert [decided(number) for number in calls.refused] == [refused] * len(calls.refused)
    assert decided(calls.clone) == refused
    assert decided(calls.clone, flags=0x00010000) == allowed
    assert decided(calls.clone3) == missing
    assert decided(0) == decided(63) == decided(400) == allowed
    assert decided(63, architecture=0x40000003) == refused, "32-bit calls have other numbers"
    assert decided(63 | 0x40000000) == refused, "x32 calls have other numbers"


def run_filter(program: bytes, data: bytes) -> int:
    """Classic BPF as seccomp runs it: load, jump if equal, jump if a bit is set, return."""
    steps = list(struct.iter_unpack("HBBI", program))
    accumulator = place = 0
    while True:
        code, if_true, if_false, value = steps[place]
        place += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            (accumulator,) = struct.unpack_from("I", data, value)
        else:
            holds = accumulator == value if code == 0x15 else bool(accumulator & value)
            place += if_true if holds else if_false


def test_the_filter_of_this_machine_is_installed() -> None:
    assert os.uname().machine in _SYSTEM_CALLS
