"""`api.store.in_lists`: the same as `IN`, in one value. PostgreSQL's: `tests/system/api/test_postgres.py`."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, MetaData, String, Table, create_engine, insert, select

from api.store.in_lists import one_of

KEYS = ["a", "A", "b", "'; DROP TABLE kept; --", '["a"]', "ä", "x" * 5_000, ""]
TABLE = Table("kept", MetaData(), Column("card", String(), primary_key=True))
FOUND = select(TABLE.c.card).where(one_of(TABLE.c.card, "keys"))


@pytest.mark.parametrize(
    "wanted", [[], ["a"], ["a", "a"], ["nobody"], KEYS, KEYS[:5], KEYS[5:], [f"r{n}" for n in range(900)]]
)
def test_what_is_among_the_keys_is_found(wanted: list[str]) -> None:
    engine = create_engine("sqlite://")
    TABLE.metadata.create_all(engine)
    with engine.connect() as connection:
        connection.execute(insert(TABLE), [{"card": key} for key in KEYS])
        found = set(connection.scalars(FOUND, {"keys": wanted}))
    assert found == set(KEYS) & set(wanted)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sqlite://", "kept.card IN (SELECT value FROM json_each(?))"),
        ("postgresql+psycopg://", "kept.card = ANY (%(keys)s::VARCHAR[])"),
    ],
)
def test_it_is_one_value_whatever_its_length(url: str, text: str) -> None:
    assert str(FOUND.compile(create_engine(url))).endswith(f"WHERE {text}")
