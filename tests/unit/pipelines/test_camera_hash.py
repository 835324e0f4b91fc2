"""What a worker's spool lost stands in the hash of each of its cameras."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.errors import SpoolError
from pipelines.spool import Spool
from tests.worker_bench import ANN, Bench


def test_what_found_no_room_is_told(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    bench = Bench(tmp_path, redis_server)
    bench.add_recording("gate", [ANN])
    bench.publish()
    with Spool(tmp_path / "data" / "spool" / "w1", limit_bytes=10) as full:
        for _ in range(3):
            with pytest.raises(SpoolError, match="full"):
                full.append("s/1", "x" * 60)
    assert bench.run().waiting == 0
    told = bench.state("gate")
    bench.close()
    assert (told["candidates_refused"], told["candidates_waiting"]) == ("3", "0")
