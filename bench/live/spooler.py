"""A worker reduced to what matters for delivery: it signs candidates, spools them and sends them, until it is killed.

Run as `python -m bench.live.spooler` with a job on standard input. What it has on disk it tells, line by line and at
once, in a file: `spooled N`, `refused N`, and `drained LOST` when nothing is left to send.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from pipelines.acl import worker_user
from pipelines.bus import CandidatePublisher
from pipelines.errors import BusError, SpoolError
from pipelines.events import Candidate, candidate_id
from pipelines.spool import Spool
from pipelines.streams import connect
from pipelines.worker_keys import WorkerKeys

SOURCE = "kills"
_RETRY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class SpoolerJob:
    """What a spooler does.

    Attributes:
        keys: folder of the worker's keys.
        spool: its folder.
        limit_bytes: what the spool holds.
        url: of Redis.
        pattern: a candidate, unsigned; each one sent differs in its number.
        told: file it tells in.
        first: number of the first candidate.
        count: how many it makes before it only sends.
        pause_seconds: at most so long between two.
        seed: of the pauses.
    """

    keys: str
    spool: str
    limit_bytes: int
    url: str
    pattern: str
    told: str
    first: int
    count: int
    pause_seconds: float
    seed: int

    def to_json(self) -> str:
        """As it goes to the process."""
        return json.dumps(asdict(self))


def numbered(pattern: Candidate, number: int) -> Candidate:
    """The candidate of that number: a track of its own, seen at as many seconds."""
    made = candidate_id(
        source=SOURCE,
        track_id=number,
        track_start_pts_seconds=float(number),
        subject_id=pattern.subject_id,
        deployment_id=pattern.deployment_id,
    )
    changes = {
        "candidate_id": made,
        "track_id": number,
        "track_start_pts_seconds": float(number),
        "pts_seconds": float(number),
    }
    return pattern.model_copy(update=changes)


def main() -> None:
    """Does the job on standard input."""
    job = SpoolerJob(**json.load(sys.stdin))
    keys = WorkerKeys.load(Path(job.keys))
    pattern = Candidate.model_validate_json(job.pattern)
    chance = random.Random(job.seed)  # noqa: S311 - pauses, no secrets
    parent = os.getppid()
    redis = connect(job.url, username=worker_user(keys.worker_id), password=keys.redis_password, retries=0)
    with Spool(Path(job.spool), limit_bytes=job.limit_bytes) as spool, Path(job.told).open("ab", 0) as told:
        publisher = CandidatePublisher(redis, spool, keys.worker_id, keys.candidates)
        for number in range(job.first, job.first + job.count):
            if os.getppid() != parent:  # whoever measures was killed
                return
            _publish(publisher, numbered(pattern, number), told)
            _flush(publisher)
            time.sleep(chance.uniform(0.0, job.pause_seconds))
        while publisher.waiting_count and os.getppid() == parent:
            _flush(publisher)
            time.sleep(_RETRY_SECONDS)
        told.write(b"drained %d\n" % spool.refused_total)


def _publish(publisher: CandidatePublisher, candidate: Candidate, told: IO[bytes]) -> None:
    try:
        publisher.publish(candidate)
    except SpoolError:
        told.write(b"refused %d\n" % candidate.track_id)
    else:
        told.write(b"spooled %d\n" % candidate.track_id)


def _flush(publisher: CandidatePublisher) -> None:
    try:
        publisher.flush()
    except BusError:
        return


if __name__ == "__main__":
    main()
