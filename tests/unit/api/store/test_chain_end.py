"""`api.store.chain_end`: one chain, whoever appends, and as what everything does last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, update

from api.store import chain_end
from api.store.engine import Database
from api.store.models import LedgerHead
from api.store.models.base import table_of
from tests import chains


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'aiqyn.db'}"


@pytest.fixture
def databases(url: str) -> Iterator[tuple[Database, Database]]:
    with chains.two_processes(url) as made:
        yield made


def test_what_others_append_is_noticed(databases: tuple[Database, Database]) -> None:
    chains.assert_what_others_append_is_noticed(*databases)


def test_what_is_undone_leaves_nothing(databases: tuple[Database, Database]) -> None:
    chains.assert_what_is_undone_leaves_nothing(databases[0])


def test_many_of_every_kind_form_one_chain(databases: tuple[Database, Database]) -> None:
    chains.assert_many_of_every_kind_form_one_chain(*databases)


def test_a_place_known_early_is_the_one_it_gets(databases: tuple[Database, Database]) -> None:
    entry = chains.append_now(databases[0], "early")
    assert chains.entries_of(databases[0])[1] == entry


def test_a_build_that_trusts_what_it_knows_is_caught(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is moved only where it is what it was known to be; without that, a place is taken twice or left out."""
    trusting = update(table_of(LedgerHead)).values(
        sequence=bindparam("sequence"), entry_sha256=bindparam("entry_sha256")
    )
    monkeypatch.setattr(chain_end, "_MOVE", trusting)
    with pytest.raises(Exception, match=r"(?i)unique|missing, changed or out of place"):
        chains.assert_what_others_append_is_noticed(*databases)
