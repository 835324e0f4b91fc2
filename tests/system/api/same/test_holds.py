"""`tests.unit.api.test_holds` on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.unit.api.test_holds import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system
