"""`pipelines.live.supervisor_signals`: what SIGHUP means, to a service and on a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.live.supervisor_signals import RELOAD, STOP, EarlyReload, Words
from tests.live_bench import ROOT

PROGRAM = """
import os, sys, time
if len(sys.argv) > 1:
    os.login_tty(int(sys.argv[1]))
from pipelines.live.supervisor_signals import ended_by_signals

class Told:
    def stop(self):
        os.write(told, b"stop\\n")
    def reload(self):
        os.write(told, b"reload\\n")

told = int(os.environ["TOLD"])
with ended_by_signals(Told()):
    os.write(told, b"ready\\n")
    time.sleep(60)
"""


@contextmanager
def program(terminal: int | None) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program, on a terminal or on none, and what it says."""
    said, told = os.pipe()
    passed = (told,) if terminal is None else (told, terminal)
    command = [sys.executable, "-c", PROGRAM, *([] if terminal is None else [str(terminal)])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TOLD": str(told)}
    with subprocess.Popen(
        command,
        env=environment,
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        start_new_session=terminal is None,
    ) as process:
        os.close(told)
        try:
            assert os.read(said, 100) == b"ready\n"
            yield process, said
        finally:
            process.kill()
            os.close(said)


def test_a_service_reads_its_settings_again() -> None:
    with program(None) as (process, said):
        process.send_signal(signal.SIGHUP)
        assert os.read(said, 100) == b"reload\n"
        process.send_signal(signal.SIGTERM)
        assert os.read(said, 100) == b"stop\n"


def test_on_a_terminal_it_reads_them_again_and_ends_with_the_terminal() -> None:
    master, slave = os.openpty()
    with program(slave) as (process, said):
        os.close(slave)
        process.send_signal(signal.SIGHUP)
        assert os.read(said, 100) == b"reload\n"
        os.close(master)
        assert os.read(said, 100) == b"stop\n"


def test_words_are_left_at_any_time_and_taken_together() -> None:
    words = Words()
    for word in (RELOAD, STOP, RELOAD):
        words.leave(word)
    assert set(words.taken()) == set(RELOAD + STOP)
    words.close()
    words.leave(STOP)  # too late is no error


def test_a_signal_before_there_is_a_supervisor_is_kept() -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        early = EarlyReload()
        os.kill(os.getpid(), signal.SIGHUP)
        assert early.came
    finally:
        signal.signal(signal.SIGHUP, before)
