"""Line 2 of issue 3: whatever is killed, each candidate that was spooled reaches the operator, exactly once.

Redis, `aiqyn serve` and its operator's queue are real. The worker is reduced to what it promises (`bench.live.spooler`:
real signing, the real spool, the real publisher), so that it can be killed hundreds of candidates long; whole workers
with cameras and models are killed by `bench.acceptance.worker_kills`.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aiqyn.embedded.redis_server import RedisServer
from bench.acceptance.lines import Figure, at_least, at_most, equals
from bench.acceptance.programs import usual_server
from bench.live.kills_site import WORKER, KillsSite, kills_site
from bench.live.spooler import SpoolerJob

SEED = 20261122
ENDLESS = 1_000_000
NO_NUMBER = 0


@dataclass(frozen=True, slots=True)
class KillPlan:
    """What is done to the site.

    Attributes:
        worker_kills: how often the worker is killed, spread over all that follows.
        outage_seconds: how long Redis is away while the spool holds.
        intake_kills: how often the service dies between commit and acknowledgement, and as often right after one.
        service_kills: how often it is killed at any moment.
        overflow: events that must find no room while Redis is away for longer.
        limit_bytes: what the spool holds.
        pause_seconds: at most so long between two candidates.
        seed: of every moment.
    """

    worker_kills: int = 20
    outage_seconds: float = 60.0
    intake_kills: int = 3
    service_kills: int = 3
    overflow: int = 50
    limit_bytes: int = 4 * 1024 * 1024
    pause_seconds: float = 0.2
    seed: int = SEED


@dataclass(slots=True)
class Account:
    """What came of it.

    Attributes:
        spooled: numbers of candidates the worker had on disk.
        refused: numbers of those that found no room.
        unsure: numbers a killed worker may have had on disk without saying so.
        worker_kills, service_kills: how often each was killed.
        intake_kills: how often the service died around an acknowledgement: `before` it or `after`.
        lost_total: what the spool counted as refused.
        told_refusing: how often the log says that the spool began to refuse.
        shown: how often the operator was shown each number.
        sent: numbers in the stream, in order.
    """

    spooled: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    worker_kills: int = 0
    service_kills: int = 0
    intake_kills: Counter[str] = field(default_factory=Counter)
    lost_total: int = 0
    told_refusing: int = 0
    shown: dict[int, int] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)


def measure(plan: KillPlan | None = None, server: RedisServer | None = None) -> Iterator[Figure]:
    """The figures of the line.

    Args:
        plan: what is done; as long as the issue says where None.
        server: the program of Redis; the one the embedded stack would use where None.
    """
    plan = plan or KillPlan()
    with tempfile.TemporaryDirectory(prefix="aiqyn-") as folder:
        account = run(Path(folder), plan, server or usual_server())
    yield from figures(plan, account)


def figures(plan: KillPlan, account: Account) -> Iterator[Figure]:
    """What an account shows."""
    shown = account.shown
    yield at_least("times the worker was killed", account.worker_kills, plan.worker_kills)
    for moment, words in (("before", "between commit and ack"), ("after", "right after an ack")):
        yield equals(f"times the service died {words}", account.intake_kills[moment], plan.intake_kills)
    yield equals("times the service was killed at any moment", account.service_kills, plan.service_kills)
    yield at_least("candidates spooled", len(account.spooled), 10 * plan.worker_kills)
    yield equals("spooled and not shown to the operator", len(account.spooled - set(shown)), 0)
    yield equals("shown more than once", sum(times > 1 for times in shown.values()), 0)
    stray = set(shown) - account.spooled - account.unsure
    yield equals("shown and never spooled", len(stray), 0)
    repeated = len(account.sent) - len(set(account.sent))
    yield Figure("sent more than once, and counted once", repeated, "told", passed=True)
    yield equals("first arrivals out of order", out_of_order(account.sent), 0)
    yield at_least("events that found no room", len(account.refused), plan.overflow)
    uncounted = len(account.refused) - account.lost_total
    yield equals("of them not counted by the spool", max(0, uncounted), 0)
    yield at_most("counted and not refused, by kills in between", max(0, -uncounted), account.worker_kills)
    yield at_least("times the log says that the spool began to refuse", account.told_refusing, 1)


def out_of_order(sent: list[int]) -> int:
    """How many numbers came for the first time after a later one had come."""
    highest, late = 0, 0
    seen: set[int] = set()
    for number in sent:
        late += number not in seen and number < highest
        seen.add(number)
        highest = max(highest, number)
    return late


def run(folder: Path, plan: KillPlan, server: RedisServer) -> Account:
    """Does what the plan says.

    Raises:
        TimeoutError: a part did not come back.
    """
    with kills_site(folder, server) as site:
        return _Run(site, plan).all()


class _Run:
    """One run over a site."""

    def __init__(self, site: KillsSite, plan: KillPlan) -> None:
        self._site = site
        self._plan = plan
        self._chance = random.Random(plan.seed)  # noqa: S311 - moments, no secrets
        self._told = site.folder / "told"
        self._log = (site.folder / "worker.log").open("ab")
        self._worker: subprocess.Popen[bytes] | None = None
        self._account = Account()

    def all(self) -> Account:
        """Every phase in turn."""
        try:
            self._start_worker()
            kills = self._plan.worker_kills
            self._kill_workers(kills // 4)
            for _ in range(self._plan.service_kills):
                self._kill_service()
            self._outage(kills // 4)
            self._overflow(kills // 4)
            for _ in range(self._plan.intake_kills):
                self._kill_intake("before")
                self._kill_intake("after")
            self._kill_workers(kills - 3 * (kills // 4))
            self._finish()
        finally:
            self._end_worker()
            self._log.close()
        return self._account

    def _kill_workers(self, times: int) -> None:
        for _ in range(times):
            self._kill_worker()

    def _kill_worker(self) -> None:
        """After it has told something new, at a moment of chance."""
        before = self._lines()
        self._site.wait_for("the worker spools", lambda: self._lines() > before + 1, 60)
        time.sleep(self._chance.uniform(0.0, 2 * self._plan.pause_seconds))
        self._end_worker()
        self._account.worker_kills += 1
        self._start_worker()

    def _kill_service(self) -> None:
        self._site.kill_service()
        self._account.service_kills += 1
        time.sleep(self._chance.uniform(0.0, 1.0))
        self._site.start_service()
        time.sleep(self._chance.uniform(0.0, 1.0))

    def _kill_intake(self, moment: str) -> None:
        """The service is down; another intake in its name takes one candidate in, and dies."""
        self._site.kill_service()
        command = [sys.executable, "-m", "bench.live.dying_intake", str(self._site.config_path), moment]
        done = subprocess.run(
            command,
            env=self._site.environment(),
            stdout=self._log,
            stderr=self._log,
            check=False,
            timeout=120,
        )
        self._account.intake_kills[moment] += done.returncode == -signal.SIGKILL
        self._site.start_service()

    def _outage(self, kills: int) -> None:
        """Redis away for a while in which the spool holds; the worker is killed meanwhile, too."""
        until = time.monotonic() + self._plan.outage_seconds
        self._site.kill_redis()
        self._kill_workers(kills)
        time.sleep(max(0.0, until - time.monotonic()))
        self._site.start_redis()

    def _overflow(self, kills: int) -> None:
        """Redis away for longer than the spool holds: the rest of it is filled up at once."""
        self._site.kill_redis()
        self._end_worker()
        self._start_worker(hurried=True)
        wanted = self._plan.overflow
        self._site.wait_for("the spool is full", lambda: len(self._numbers("refused")) >= wanted, 300)
        self._kill_workers(kills)
        self._site.start_redis()

    def _finish(self) -> None:
        """Nothing new any more; all that waits goes out and is taken in."""
        self._end_worker()
        self._start_worker(count=0)
        self._site.wait_for("the spool is empty", lambda: bool(self._numbers("drained")), 300)
        self._site.wait_for("all is taken in", self._site.all_taken, 300)
        self._account.spooled = set(self._numbers("spooled"))
        self._account.refused = set(self._numbers("refused"))
        self._account.lost_total = self._numbers("drained")[-1]
        self._account.shown = {int(pts): times for pts, times in self._site.shown().items()}
        self._account.sent = [int(pts) for pts in self._site.sent()]
        self._account.told_refusing = self._told_events("spool_refuses")

    def _start_worker(self, *, count: int = ENDLESS, hurried: bool = False) -> None:
        site, plan = self._site, self._plan
        job = SpoolerJob(
            keys=str(site.keys.folder / "workers" / WORKER),
            spool=str(site.folder / "spool"),
            limit_bytes=plan.limit_bytes,
            url=site.url,
            pattern=site.pattern.model_dump_json(),
            told=str(self._told),
            first=self._last_number() + 2,
            count=count,
            pause_seconds=0.0 if hurried else plan.pause_seconds,
            seed=self._chance.randrange(2**31),
        )
        command = [sys.executable, "-m", "bench.live.spooler"]
        self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log)
        if self._worker.stdin is not None:
            with self._worker.stdin as given:
                given.write(job.to_json().encode())

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            self._worker = None
            self._account.unsure.add(self._last_number() + 1)

    def _numbers(self, word: str) -> list[int]:
        lines = self._told.read_text("utf-8").splitlines() if self._told.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(f"{word} ")]

    def _last_number(self) -> int:
        return max(self._numbers("spooled") + self._numbers("refused"), default=NO_NUMBER)

    def _lines(self) -> int:
        return len(self._numbers("spooled")) + len(self._numbers("refused"))

    def _told_events(self, name: str) -> int:
        lines = Path(self._log.name).read_text("utf-8").splitlines()
        return sum(name in line for line in lines)


def main() -> None:
    """Measures the line by itself; the figures as JSON."""
    for figure in measure():
        sys.stdout.write(json.dumps([figure.name, figure.value, figure.target, figure.passed]) + "\n")


if __name__ == "__main__":
    main()
