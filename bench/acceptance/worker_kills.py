"""The rest of line 2 of issue 3: whole workers, with cameras and models, killed while they find people.

Redis, service, supervisor, matching process and decoder are those of the embedded stack, on a camera that shows the
demo's footage over and over. Which process is killed is chance; they are found through /proc, as somebody with `kill`
would find them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from aiqyn.demo.footage import render
from aiqyn.demo.operators import Account, sign_in
from aiqyn.demo.setup import CAMERA, Material, Prepared, prepare
from aiqyn.embedded.stack import EmbeddedStack
from api.late_evidence import LONGEST_WAIT
from bench.acceptance.lines import Figure, at_least, equals
from bench.live.looped import looped
from bench.live.site import rtsp_server
from pipelines import streams
from pipelines.acl import worker_user
from pipelines.config import load_config
from weights.catalog import load_catalog
from weights.store import WeightStore

KILLS = 20
SEED = 20261122
FOOTAGE_SECONDS = 1200.0
RUNNING_SECONDS = 90.0
FINDING_SECONDS = 120.0
AFTER_SECONDS = (0.0, 1.5)
DRAIN_SECONDS = 120.0
_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.01


@dataclass(slots=True)
class Found:
    """What came of it.

    Attributes:
        killed: which process was killed how often, by the last part of its command line.
        spooled: ids of candidates seen in the worker's spool or in the stream.
        listed: how often the service lists each candidate.
        waiting: of them, how many wait for a judge.
        reviews: how often each review is in the operator's queue.
    """

    killed: Counter[str] = field(default_factory=Counter)
    spooled: set[str] = field(default_factory=set)
    listed: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    reviews: Counter[str] = field(default_factory=Counter)


def measure(kills: int = KILLS, seed: int = SEED) -> Iterator[Figure]:
    """The figures: every candidate a worker had on disk is listed once, and once in the operator's queue."""
    with tempfile.TemporaryDirectory(prefix="aiqyn-") as folder:
        found = _run(Path(folder), kills, random.Random(seed))  # noqa: S311 - moments, no secrets
    killed = ", ".join(f"{name} {times}" for name, times in sorted(found.killed.items()))
    yield equals(f"processes killed ({killed})", found.killed.total(), kills)
    yield at_least("candidates seen on the worker's disk or in the stream", len(found.spooled), 1)
    yield equals("of them not with the service", len(found.spooled - set(found.listed)), 0)
    yield equals("with the service and never spooled", len(set(found.listed) - found.spooled), 0)
    yield equals("listed more than once", sum(times > 1 for times in found.listed.values()), 0)
    yield equals("reviews in the operator's queue", found.reviews.total(), found.waiting)
    yield equals("reviews there more than once", sum(times > 1 for times in found.reviews.values()), 0)


def _run(folder: Path, kills: int, chance: random.Random) -> Found:
    weights = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    footage = render(weights, folder / "footage", lambda _, __: None)
    video = looped(footage.video, folder / "camera.mp4", seconds=FOOTAGE_SECONDS)
    found = Found()
    with ExitStack() as parts:
        # A camera: the decoder of a recording, killed, is not replaced, as what it gave cannot be given twice.
        _, port = parts.enter_context(rtsp_server([video]))
        # Without the sample's control: every candidate is one that was spooled.
        material = Material(f"rtsp://127.0.0.1:{port}/0", footage.references)
        prepared = prepare(folder / "site", material, weights, hold_seconds=10.0)
        stack = parts.enter_context(EmbeddedStack(prepared.config, prepared.config_path, prepared.weights))
        stack.serve()
        run = _Killing(stack, prepared, found)
        with _spool_watched(prepared, found):
            try:
                for _ in range(kills):
                    run.kill_one(chance)
                run.drain()
            finally:
                run.end()
        found.spooled |= _in_stream(stack)
        time.sleep(LONGEST_WAIT.total_seconds())  # a review comes with its clip, or after that
        _look(stack, prepared, found)
    return found


class _Killing:
    """One worker over and over."""

    def __init__(self, stack: EmbeddedStack, prepared: Prepared, found: Found) -> None:
        self._stack = stack
        self._prepared = prepared
        self._found = found
        self._log = (prepared.config.paths.data_dir / "logs" / "killed.log").open("ab")
        self._work: subprocess.Popen[bytes] | None = None

    def kill_one(self, chance: random.Random) -> None:
        """Waits until the worker has said something new, then kills one of its processes at a moment of chance."""
        self._start()
        _wait("the worker searches", self._running, RUNNING_SECONDS)
        before = self._said()
        _wait("the worker finds somebody", lambda: self._said() > before, FINDING_SECONDS)
        time.sleep(chance.uniform(*AFTER_SECONDS))
        if self._work is None:
            raise TimeoutError("aiqyn work was not started")
        root = self._work.pid
        victims = process_tree(root)
        pid = chance.choice(sorted(victims))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._found.killed[victims[pid]] += 1
        if pid == root:
            self._work.wait()
            rest = set(victims) - {pid}
            _wait("its children end with it", lambda: not any(_alive(one) for one in rest), RUNNING_SECONDS)
            self._work = None

    def drain(self) -> None:
        """Ends the worker as a service manager does, after all it has on disk is with the service."""
        self._start()
        spool = self._prepared.config.paths.data_dir / "spool" / self._prepared.config.worker.id
        _wait("the worker searches", self._running, RUNNING_SECONDS)
        if self._work is not None:
            self._work.send_signal(signal.SIGTERM)
            self._work.wait(DRAIN_SECONDS)
            self._work = None
        _wait("the spool is empty", lambda: not list(spool.glob("*.json")), DRAIN_SECONDS)
        _wait("all is taken in", self._all_taken, DRAIN_SECONDS)

    def end(self) -> None:
        """Ends what runs."""
        if self._work is not None:
            self._work.kill()
            self._work.wait()
        self._log.close()

    def _start(self) -> None:
        if self._work is not None and self._work.poll() is None:
            return
        user = worker_user(self._prepared.config.worker.id)
        environment = {
            **os.environ,
            "AIQYN_REDIS__URL": self._stack.redis.url,
            "AIQYN_REDIS__USERNAME": user,
            "AIQYN_REDIS_PASSWORD": self._stack.redis.password(user),
        }
        command = [sys.executable, "-m", "aiqyn", "work", "--config", str(self._prepared.config_path)]
        self._work = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=environment)

    def _running(self) -> bool:
        with self._stack.redis.connect() as client:
            fields: Any = client.hgetall(streams.camera_key(CAMERA))
        if self._work is None or self._work.poll() is not None:
            raise TimeoutError("aiqyn work ended by itself")
        fresh = time.time() - _written_at(fields) < 3.0
        return fresh and fields.get(b"phase") == b"running" and len(process_tree(self._work.pid)) > 1

    def _said(self) -> int:
        """Candidates and revisions in the stream."""
        with self._stack.redis.connect() as client:
            return int(client.xlen(streams.CANDIDATES))

    def _all_taken(self) -> bool:
        with self._stack.redis.connect() as client:
            groups: Any = client.xinfo_groups(streams.CANDIDATES)
            last: Any = client.xrevrange(streams.CANDIDATES, count=1)
        return not last or (not groups[0]["pending"] and groups[0]["last-delivered-id"] == last[0][0])


def process_tree(pid: int) -> dict[int, str]:
    """A process and all below it, by id: what each is, from its command line."""
    parents = dict(_parents())
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {one: name for one in found if (name := _name(one))}


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The name in brackets may hold blanks and brackets itself.
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])


def _name(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        modules = [word for word in words if word.startswith(("pipelines.", "aiqyn"))]
        return modules[-1] if modules else ""
    return ""


def _alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _written_at(fields: dict[bytes, bytes]) -> float:
    """Unix seconds of a camera's hash; 0 where there is none."""
    told = fields.get(b"updated_at", b"").decode()
    return datetime.fromisoformat(told).timestamp() if told else 0.0


def _wait(what: str, holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _spool_watched(prepared: Prepared, found: Found) -> Iterator[None]:
    """Notes every candidate that lies in the worker's spool, as soon as it lies there."""
    spool = prepared.config.paths.data_dir / "spool" / prepared.config.worker.id
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_WATCH_SECONDS):
            for path in spool.glob("*.json"):
                with suppress(OSError, ValueError):  # sent and gone meanwhile
                    entry = json.loads(path.read_bytes())
                    found.spooled.add(json.loads(entry["event"])["candidate_id"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _in_stream(stack: EmbeddedStack) -> set[str]:
    with stack.redis.connect() as client:
        entries: Any = client.xrange(streams.CANDIDATES)
    return {json.loads(fields[b"event"])["candidate_id"] for _, fields in entries}


def _look(stack: EmbeddedStack, prepared: Prepared, found: Found) -> None:
    """What supervisor and operator see."""
    candidates = list(_pages(stack.address, prepared.supervisor, "/api/v1/candidates"))
    found.listed = Counter(one["candidate_id"] for one in candidates)
    found.waiting = sum(one["state"] == "open" for one in candidates)
    reviews = _pages(stack.address, prepared.operators[0], "/api/v1/reviews")
    found.reviews = Counter(one["review_id"] for one in reviews)


def _pages(address: str, account: Account, path: str) -> Iterator[dict[str, Any]]:
    with httpx.Client(base_url=address, timeout=30) as client:
        sign_in(client, account)
        cursor: str | None = None
        while True:
            response = client.get(path, params={"limit": "100"} | ({"cursor": cursor} if cursor else {}))
            response.raise_for_status()
            page = response.json()
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def main() -> None:
    """Measures by itself; the figures as JSON."""
    for figure in measure():
        sys.stdout.write(json.dumps([figure.name, figure.value, figure.target, figure.passed]) + "\n")


if __name__ == "__main__":
    main()
