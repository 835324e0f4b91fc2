"""`pipelines.live.gaps`: what was not seen outlives the process that did not see it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.live.gap_records import GapRecord, read_gap
from pipelines.live.gaps import AWAY, TOLD, GapLog, GapLogError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Now:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def noted(folder: Path, camera_id: str = "gate", *, kept: int = 1000) -> tuple[GapRecord, ...]:
    """What a log opened anew knows of a camera, before anything of its own."""
    with GapLog(folder, kept=kept, now=Now()) as log:
        return log.newest(camera_id)


def test_a_gap_is_one_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        assert log.note("gate", "stalled", at(0), None).number == 1
        assert log.open_gap("gate") is not None
        assert log.note("gate", "stalled", at(0), None).number == 1  # told twice
        assert log.note("gate", "stalled", at(0), at(9)).ended_at == at(9)
        assert log.open_gap("gate") is None
        assert log.note("gate", "frozen", at(20), at(30)).number == 2
        assert log.note("yard", "refused", at(0), at(1)).number == 1
        assert log.newest("gate") == (
            GapRecord(1, at(0), at(9), "stalled"),
            GapRecord(2, at(20), at(30), "frozen"),
        )
        assert log.note("gate", "stalled", at(0), at(99)) == GapRecord(1, at(0), at(9), "stalled")
        assert log.newest("nobody") == ()
    assert noted(tmp_path / "gaps")[0] == GapRecord(1, at(0), at(9), "stalled")


def test_a_gap_open_at_a_crash_is_closed_as_of_the_restart_and_says_so(tmp_path: Path) -> None:
    now = Now()
    log = GapLog(tmp_path / "gaps", now=now)
    log.note("gate", "unreachable", at(0), None)
    log.close()
    now.moment = at(60)
    with GapLog(tmp_path / "gaps", now=now) as restarted:
        assert restarted.newest("gate") == (
            GapRecord(1, at(0), at(60), "unreachable", ended_by_restart=True),
        )
        # The camera may still be away, and whoever watches it knows since when: then the gap goes on.
        restarted.note("gate", "unreachable", at(0), None)
        assert restarted.open_gap("gate") is not None


def test_the_time_nobody_watched_is_a_gap(tmp_path: Path) -> None:
    now = Now()
    log = GapLog(tmp_path / "gaps", now=now)
    log.note("yard", "stalled", at(-30), None)
    log.beat(["gate", "yard"])
    log.close()
    now.moment = at(40)
    with GapLog(tmp_path / "gaps", now=now) as restarted:
        assert restarted.newest("gate") == (GapRecord(1, at(0), at(40), AWAY, ended_by_restart=True),)
        assert [one.reason for one in restarted.newest("yard")] == ["stalled"]  # it covers that time already
    now.moment = at(50)  # nothing was watched in between
    with GapLog(tmp_path / "gaps", now=now) as restarted:
        assert len(restarted.newest("gate")) == 1


def test_somebody_else_may_tell_of_that_time(tmp_path: Path) -> None:
    now = Now()
    for _ in range(2):
        with GapLog(tmp_path / "gaps", away_reason=None, now=now) as log:
            log.beat(["gate"])
            now.moment += timedelta(seconds=10)
            assert log.newest("gate") == ()


def test_a_beat_a_second_is_enough(tmp_path: Path) -> None:
    now = Now()
    alive = tmp_path / "gaps" / "alive"
    with GapLog(tmp_path / "gaps", now=now) as log:
        log.beat(["gate"])
        written = alive.read_bytes()
        now.moment = at(0.5)
        log.beat(["gate"])
        assert alive.read_bytes() == written
        now.moment = at(1.5)
        log.beat(["gate"])
        assert json.loads(alive.read_bytes())["at"] == at(1.5).isoformat()


def test_the_oldest_go_and_the_numbers_tell(tmp_path: Path) -> None:
    with GapLog(tmp_path / "gaps", kept=5, now=Now()) as log:
        for second in range(40):
            log.note("gate", "stalled", at(second), at(second + 0.5))
        assert [one.number for one in log.newest("gate")] == [36, 37, 38, 39, 40]
        assert [one.number for one in log.newest("gate", 2)] == [39, 40]
    assert len((tmp_path / "gaps" / "gate.jsonl").read_bytes().splitlines()) <= 2 * 5 + 2
    assert [one.number for one in noted(tmp_path / "gaps", kept=5)] == [36, 37, 38, 39, 40]
    with GapLog(tmp_path / "gaps", kept=5, now=Now()) as log:
        assert log.note("gate", "stalled", at(100), None).number == 41


def test_what_is_told_is_a_bounded_document_that_can_be_read_again(tmp_path: Path) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        for second in range(TOLD + 10):
            log.note("gate", "stalled", at(second), at(second + 0.5))
        told = log.told("gate")
        assert len(told) < 12_000
        document = json.loads(told)
        assert document["log"] == log.log_id
        assert tuple(read_gap(one) for one in document["gaps"]) == log.newest("gate")


def test_what_is_told_follows_what_is_noted(tmp_path: Path) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        told = [log.told("gate")]
        for ended in (None, at(5)):
            log.note("gate", "stalled", at(0), ended)
            told.append(log.told("gate"))
        assert len(set(told)) == 3
        assert json.loads(told[2])["gaps"][0]["ended_at"] == at(5).isoformat()
        assert log.told("gate") == told[2]


def test_a_log_begun_anew_is_another_log(tmp_path: Path) -> None:
    with GapLog(tmp_path / "one", now=Now()) as first, GapLog(tmp_path / "two", now=Now()) as second:
        assert first.log_id != second.log_id
    with GapLog(tmp_path / "one", now=Now()) as again:
        assert again.log_id == first.log_id


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        for second in (0, 10):
            log.note("gate", "stalled", at(second), at(second + 5))
    path = tmp_path / "gaps" / "gate.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        assert [one.number for one in log.newest("gate")] == [1]
        log.note("gate", "frozen", at(20), at(30))
    assert [(one.number, one.reason) for one in noted(tmp_path / "gaps")] == [(1, "stalled"), (2, "frozen")]


@pytest.mark.parametrize("line", [b"[1]", b"null", b"{}", b'{"number": true}', b"\xff\xfe", b"[" * 2000])
def test_rubbish_is_passed_over(tmp_path: Path, line: bytes) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        log.note("gate", "stalled", at(0), at(5))
    with (tmp_path / "gaps" / "gate.jsonl").open("ab") as file:
        file.write(line + b"\n")
    (tmp_path / "gaps" / "other.jsonl").write_bytes(line + b"\n")
    (tmp_path / "gaps" / "alive").write_bytes(line)
    (tmp_path / "gaps" / "log-id").write_bytes(line)
    assert [one.number for one in noted(tmp_path / "gaps")] == [1]


@pytest.mark.parametrize("camera_id", ["ворота", "..", ".", "alive", "k" * 128, "қ" * 128, "a:b@c-d.e"])
def test_every_camera_has_a_file(tmp_path: Path, camera_id: str) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        log.note(camera_id, "stalled", at(0), at(5))
    assert len(noted(tmp_path / "gaps", camera_id)) == 1
    assert {path.parent for path in tmp_path.rglob("*.jsonl")} == {tmp_path / "gaps"}


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    with GapLog(tmp_path / "gaps", now=Now()) as log:
        log.note("gate", "stalled", at(0), at(5))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "gaps").iterdir()}
    assert set(modes.values()) == {0o600}


def test_two_processes_do_not_share_a_log(tmp_path: Path) -> None:
    with (
        GapLog(tmp_path / "gaps", now=Now()),
        pytest.raises(GapLogError, match="another process keeps this log"),
    ):
        GapLog(tmp_path / "gaps", now=Now())


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GapLogError, match="gaps of the cameras cannot be kept"):
        GapLog(tmp_path / "file" / "gaps", now=Now())


CHILD = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.live.gaps import GapLog
log = GapLog(Path(sys.argv[1]))
for number in range(20):
    log.note("gate", "stalled", datetime(2026, 3, 1, 12, number, tzinfo=UTC), None)
    sys.stdout.write(f"{number + 1}\\n")
    sys.stdout.flush()
    sys.stdin.readline()
"""


def test_what_was_noted_survives_sigkill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path / "gaps")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(1, 8):
            assert child.stdout.readline() == f"{number}\n"
            if number < 7:
                child.stdin.write("\n")
                child.stdin.flush()
        os.kill(child.pid, signal.SIGKILL)
    with GapLog(tmp_path / "gaps") as log:
        assert [one.number for one in log.newest("gate")] == list(range(1, 8))
        assert all(one.ended_by_restart for one in log.newest("gate"))
