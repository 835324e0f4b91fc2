"""`tests.unit.api.test_blindness` on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.unit.api.test_blindness import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system
