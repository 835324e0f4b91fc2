"""`pipelines.live.children`: real processes, started, spoken with, ended, and their dying explained."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.config import Config
from pipelines.errors import PipelineError
from pipelines.live import control
from pipelines.live.children import (
    MOST_WAITING,
    Child,
    Death,
    Program,
    decoder_program,
    explain,
    matcher_program,
    socket_of,
)
from pipelines.live.control import (
    AnyMessage,
    Beat,
    CameraOpened,
    CameraRefused,
    CameraWanted,
    Ended,
    Go,
    MatcherJob,
    Ready,
)
from pipelines.live.messages import DecoderState, MessageError, control_pair
from tests.waiting import wait_until
from vision.polygons import Polygon

ROOT = Path(__file__).parents[4]

Starter = Callable[[str], Child]

BEGIN = """
import os, socket, sys, time
from pipelines.live import control
from pipelines.live.control import Beat, Ready
mine = socket.socket(fileno=int(sys.argv[1]))
control.send(mine, Ready())
"""


@pytest.fixture
def start() -> Iterator[Starter]:
    """Starts a child that runs some lines of Python; all are ended."""
    started: list[Child] = []

    def one(lines: str) -> Child:
        program = Program((sys.executable, "-c", BEGIN + lines), {**os.environ, "PYTHONPATH": str(ROOT)})
        started.append(Child("child", program))
        return started[-1]

    yield one
    for child in started:
        child.close()


def said(child: Child, kind: type[AnyMessage]) -> AnyMessage:
    """Waits for a message of that kind."""
    found: list[AnyMessage] = []

    def heard() -> bool:
        for message, descriptors in child.received():
            control.close_all(descriptors)
            found.append(message)
        return any(isinstance(message, kind) for message in found)

    wait_until(heard, seconds=30)
    return next(message for message in found if isinstance(message, kind))


def death_of(child: Child) -> Death:
    wait_until(lambda: child.died() is not None, seconds=30)
    death = child.died()
    assert death is not None
    return death


@pytest.mark.parametrize(
    ("exit_code", "oom_kills", "kind", "words"),
    [
        pytest.param(3, 0, "exit", "exit code 3", id="an exit code"),
        pytest.param(75, 0, "gallery_changed", "no longer be searched", id="replace me"),
        pytest.param(74, 0, "hung", "did not come back", id="found itself hanging"),
        pytest.param(-signal.SIGSEGV, 0, "signal", "crashed (SIGSEGV)", id="crashed"),
        pytest.param(-signal.SIGKILL, 0, "signal", "was killed (SIGKILL)", id="killed"),
        pytest.param(-signal.SIGKILL, 1, "limit", "out of memory", id="killed for want of memory"),
        pytest.param(-signal.SIGXCPU, 0, "limit", "processor time", id="processor time"),
        pytest.param(-signal.SIGXFSZ, 0, "limit", "larger file", id="file size"),
        pytest.param(-63, 0, "signal", "signal 63", id="a signal without a name"),
    ],
)
def test_dying_is_explained(exit_code: int, oom_kills: int, kind: str, words: str) -> None:
    death = explain(exit_code, oom_kills=oom_kills)
    assert death.kind == kind
    assert words in death.detail
    assert "\n" not in death.detail


class TestAChild:
    def test_it_is_spoken_with_and_its_end_is_seen(self, start: Starter) -> None:
        child = start("assert isinstance(control.receive(mine)[0], control.Go); sys.exit(7)")
        assert isinstance(said(child, Ready), Ready)
        child.post(Go())
        assert death_of(child) == Death("exit", "ended with exit code 7; the log says why")

    def test_descriptors_travel_beside_a_message(self, start: Starter) -> None:
        child = start(
            "message, (one,) = control.receive(mine)\n"
            "os.write(one, b'seen')\n"
            "control.send(mine, Beat()); time.sleep(60)"
        )
        read, write = os.pipe()
        child.post(CameraOpened("gate", 1), (write,))
        os.close(write)
        said(child, Beat)
        assert os.read(read, 10) == b"seen"
        os.close(read)

    def test_a_crash_has_its_signal(self, start: Starter) -> None:
        child = start("os.abort()")
        assert death_of(child) == Death("signal", "crashed (SIGABRT)")

    def test_who_is_killed_for_a_reason_has_died_of_it(self, start: Starter) -> None:
        child = start("time.sleep(60)")
        said(child, Ready)
        child.kill(Death("hung", "gave no sign of life"))
        assert death_of(child) == Death("hung", "gave no sign of life")

    def test_who_does_not_read_is_killed(self, start: Starter) -> None:
        child = start("time.sleep(60)")
        said(child, Ready)
        for _ in range(3 * MOST_WAITING):
            child.post(CameraRefused("gate", 1, "x" * 4000))
        assert death_of(child).kind == "hung"

    def test_who_closes_its_socket_is_silent(self, start: Starter) -> None:
        child = start("mine.close(); time.sleep(60)")
        wait_until(lambda: child.received() == [] and child.silent, seconds=30)
        assert child.died() is None

    def test_what_is_no_message_is_passed_over(self, start: Starter) -> None:
        child = start("mine.send(b'nonsense'); control.send(mine, Beat()); time.sleep(60)")
        assert isinstance(said(child, Beat), Beat)

    def test_it_is_in_a_group_of_its_own_and_prints_to_standard_error(self, start: Starter) -> None:
        child = start("time.sleep(60)")
        said(child, Ready)
        assert os.getpgid(child.pid) == child.pid
        # Otherwise what libraries print there would spoil the document the command prints.
        printed, logged = (Path(f"/proc/{child.pid}/fd/{number}").stat() for number in (1, 2))
        assert os.path.samestat(printed, logged)

    def test_it_stands_back_from_its_first_moment(self, tmp_path: Path) -> None:
        told = tmp_path / "niceness"
        code = f"import os, time; open({str(told)!r}, 'w').write(str(os.nice(0))); time.sleep(60)"
        child = Child("child", Program((sys.executable, "-c", code), dict(os.environ), 12))
        try:
            wait_until(lambda: told.exists() and told.read_text("ascii") != "")
            assert told.read_text("ascii") == "12"
        finally:
            child.close()
        assert decoder_program().niceness > 0

    def test_a_program_that_is_not_there(self) -> None:
        with pytest.raises(PipelineError, match="cannot be started"):
            Child("child", Program(("/nowhere/program",), {}))


class TestWhatTheyAreTold:
    CONFIG = Config.model_validate({"cameras": {"gate": {"source": "rtsp://v:{Gate_Password}@camera/1"}}})

    def test_decoders_get_no_secret(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AIQYN_SECRET_GATE_PASSWORD", "AIQYN_REDIS_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "s3cret")
        assert "s3cret" not in decoder_program().environment.values()

    def test_the_matcher_gets_none_of_a_camera_or_of_redis(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIQYN_SECRET_GATE_PASSWORD", "s3cret")
        monkeypatch.setenv("AIQYN_REDIS_PASSWORD", "s3cret")
        monkeypatch.setenv("AIQYN_SECRET_BUCKET_KEY", "evidence")
        environment = matcher_program(self.CONFIG).environment
        assert "s3cret" not in environment.values()
        assert environment["AIQYN_SECRET_BUCKET_KEY"] == "evidence"

    def test_a_program_started_by_hand_says_who_starts_it(self) -> None:
        with pytest.raises(PipelineError, match="aiqyn work"):
            socket_of("")

    @pytest.mark.parametrize(
        "message",
        [
            Beat(),
            CameraWanted("gate", 3, (Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),)),
            DecoderState("gate", "running", fps=10.0),
            Ended({"cameras": {}, "waiting": 0, "replace": True}),
            MatcherJob({"long": "x" * 300_000}, "unix:///r", None, "s3cret", exit_when_done=False),
        ],
    )
    def test_messages_arrive_as_they_were_sent(self, message: AnyMessage) -> None:
        one, other = control_pair()
        with one, other:
            control.send(one, message)
            received = control.receive(other)
        assert received == (message, ())

    def test_secrets_are_in_no_repr(self) -> None:
        job = MatcherJob({}, "redis://u:s3cret@h", "w1", "s3cret", exit_when_done=False)
        assert "s3cret" not in repr(job)

    @pytest.mark.parametrize(
        "data", [b"{}", b"[]", b'{"type":"Beat","more":1}', b'{"type":"CameraLeft"}', b"\xff"]
    )
    def test_anything_else_is_refused_without_repeating_it(self, data: bytes) -> None:
        with pytest.raises(MessageError, match="cannot be read"):
            control.decode(data)
