"""A source that never comes back: only the end of the process ends it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from pipelines.live.decoder import STUCK
from pipelines.live.messages import GapEnded, control_pair, send
from tests.unit.pipelines.live.decoder_bench import ROOT, DecoderBench, decoder_bench, job

HANGS = """
import sys, time
from pipelines.live import decoder, decoder_run, decoder_source
decoder_source.open_for = lambda *_: time.sleep(1000)
decoder_run.open_for = decoder_source.open_for
decoder_run._SPARE_SECONDS = 0.2
sys.exit(decoder.main(sys.argv[1:]))
"""


def start_hanging(bench: DecoderBench) -> subprocess.Popen[bytes]:
    """A decoder whose library does not return."""
    bench.control, theirs = control_pair()
    command = [sys.executable, "-c", HANGS, str(theirs.fileno())]
    bench.process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), cwd=ROOT)
    theirs.close()
    given = job("rtsp://127.0.0.1:9/1", live=True)
    options = replace(given.options, open_timeout_seconds=0.2)
    send(bench.control, replace(given, options=options), bench.descriptors.sent())
    bench.control.setblocking(False)
    return bench.process


def test_a_library_that_does_not_return_ends_the_process_and_is_told() -> None:
    with decoder_bench() as bench:
        assert start_hanging(bench).wait(20) == STUCK
        assert [(gap.reason, gap.ended_at) for gap in bench.gaps] == [("stalled", None)]
        assert isinstance(bench.gaps[0], GapEnded)
        assert "does not answer" in bench.states[-1].detail


@pytest.mark.parametrize("wait_for", ["opening"])
def test_and_does_not_keep_it_from_stopping(wait_for: str) -> None:
    with decoder_bench() as bench:
        start_hanging(bench)
        bench.wait_for_phase(wait_for)
        assert bench.stop() in (0, STUCK)
