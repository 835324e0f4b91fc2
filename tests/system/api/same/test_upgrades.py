"""`tests.unit.api.store.test_upgrades` on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.api.store.test_upgrades import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system


@pytest.fixture  # type: ignore[no-redef]  # instead of SQLite's
def url(make_database: Callable[[bool], str]) -> str:
    return make_database(False)
