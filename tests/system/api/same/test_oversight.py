"""`tests.unit.api.test_oversight` on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.unit.api.test_oversight import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system
