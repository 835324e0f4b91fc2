"""`tests.unit.api.backup.test_backup` on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.unit.api.backup.test_backup import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system
