"""A PostgreSQL cluster of this test run's own; skips by name where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench import postgres


@contextmanager
def running() -> Iterator[str]:
    """The SQLAlchemy URL of a running cluster's empty database."""
    try:
        postgres.program("initdb")
    except postgres.NoPostgresError as error:
        pytest.skip(str(error))
    with postgres.running(durable=False) as url:
        yield url
