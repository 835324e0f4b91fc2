"""The tests of the service on PostgreSQL: one cluster for all, an empty database for each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from api.store.open import open_database
from tests import seeds
from tests.system import postgres_cluster
from tests.unit.api.conftest import chance, clients, clock, seeded

__all__ = ["chance", "clients", "clock", "seeded"]

MIGRATED = "migrated"


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    with postgres_cluster.running() as url:
        yield url


@pytest.fixture(scope="session")
def make_database(cluster: str) -> Iterator[Callable[[bool], str]]:
    """Makes databases; with true, a copy of one that has been migrated, which is quicker than to migrate it."""
    engine = create_engine(cluster, isolation_level="AUTOCOMMIT")

    def made(*, migrated: bool) -> str:
        name = f"test_{secrets.token_hex(6)}"
        with engine.connect() as connection:
            known = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if migrated and connection.execute(known, {"name": MIGRATED}).first() is None:
                connection.execute(text(f"CREATE DATABASE {MIGRATED}"))
                open_database(named(MIGRATED)).close()
            template = f" TEMPLATE {MIGRATED}" if migrated else ""
            connection.execute(text(f"CREATE DATABASE {name}{template}"))
        return named(name)

    def named(name: str) -> str:
        return make_url(cluster).set(database=name).render_as_string(hide_password=False)

    yield lambda migrated: made(migrated=migrated)
    engine.dispose()


@pytest.fixture
def url(make_database: Callable[[bool], str]) -> str:
    """The URL of an empty database of this test's own."""
    return make_database(False)


@pytest.fixture(autouse=True)
def seeds_on_postgres(make_database: Callable[[bool], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every service that a test seeds keeps its records in PostgreSQL; the same folder, the same database."""
    urls: dict[Path, str] = {}

    def url_of(folder: Path) -> str:
        if folder not in urls:
            urls[folder] = make_database(True)
        return urls[folder]

    monkeypatch.setattr(seeds, "database_url", url_of)
