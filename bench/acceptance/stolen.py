"""Line 7 of issue 3: what a stolen worker's keys folder and Redis password do not give, on Redis 6.2, 7 and Valkey."""

from __future__ import annotations

from collections.abc import Iterator

from bench.acceptance.lines import Figure
from bench.acceptance.tests_run import tests_pass

EVERY_SERVER = ("-m", "system or not system")


def measure() -> Iterator[Figure]:
    """The figures of the line."""
    yield from tests_pass(
        "evidence, other galleries, the confirmed stream, forged galleries, candidates and confirmations",
        *EVERY_SERVER,
        "tests/e2e/test_stolen_worker.py",
    )
    yield from tests_pass(
        "what a worker's or integrator's Redis password opens, act by act",
        *EVERY_SERVER,
        "tests/e2e/test_redis_credentials.py",
    )
    yield from tests_pass(
        "the shipped ACL files are made of the rules tested, and every kind of server was there",
        *EVERY_SERVER,
        "tests/unit/pipelines/test_acl.py",
        "tests/system/pipelines/test_bus_restart.py",
    )
