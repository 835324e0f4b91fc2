"""`tests.unit.api.store.test_plans` on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.unit.api.store.test_plans import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system
