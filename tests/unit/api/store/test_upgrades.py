"""From every older version, with data, to the newest; and models and migrated schema are one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, func, inspect, select

from api.store.engine import Database, open_engine
from api.store.migrate import current_revision, migrate, newest_revision
from api.store.models import Base, CandidateRecord, Review
from tests import older_schema


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'old.db'}"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = open_engine(url)
    yield made
    made.dispose()


@pytest.mark.parametrize("version", older_schema.versions())
def test_data_of_an_older_version_is_all_there(engine: Engine, version: str) -> None:
    older_schema.bring_to(engine, version)
    before = older_schema.fill(engine)
    assert current_revision(engine) == version
    assert migrate(engine) == newest_revision()
    tables = MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        counts = {
            name: connection.execute(select(func.count()).select_from(tables.tables[name])).scalar_one()
            for name in before
        }
        assert counts.pop("evidence_records", 1) >= 1
        assert counts.pop("reference_templates", 1) >= 1
        assert counts == {name: 1 for name in before if name in counts}
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    with Database(engine).read() as session:
        candidate = session.scalars(select(CandidateRecord)).one()
        review = session.scalars(select(Review)).one()
    assert (candidate.queued_at, candidate.review_id) == (review.queued_at, review.review_id)
    assert review.queued_at == older_schema.NOON


def test_every_index_of_the_models_is_in_the_database_and_no_other(engine: Engine) -> None:
    """What alembic compares leaves out what a partial index covers."""
    migrate(engine)
    found = inspect(engine)
    for table in Base.metadata.sorted_tables:
        expected = {
            index.name: _covered(index.dialect_options[engine.dialect.name]["where"])
            for index in table.indexes
        }
        option = f"{engine.dialect.name}_where"
        indexes = {
            index["name"]: _covered(index.get("dialect_options", {}).get(option))
            for index in found.get_indexes(table.name)
            if not index.get("duplicates_constraint")
        }
        assert indexes == expected, table.name


def _covered(where: object) -> bool:
    """Whether it is partial; each database writes the condition in its own words."""
    return where is not None
