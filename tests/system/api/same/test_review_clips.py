"""`tests.unit.api.test_review_clips` on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.unit.api.test_review_clips import *  # noqa: F403  # the same tests, whichever there are

pytestmark = pytest.mark.system
