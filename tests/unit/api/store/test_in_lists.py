"""`api.store.in_lists`: few lengths, the same keys."""

from __future__ import annotations

import pytest

from api.store.in_lists import padded


@pytest.mark.parametrize(
    ("given", "length"), [(0, 0), (1, 1), (2, 2), (3, 4), (20, 32), (21, 32), (64, 64), (65, 128)]
)
def test_a_list_is_filled_up_with_its_last_key(given: int, length: int) -> None:
    keys = [f"r{number}" for number in range(given)]
    found = padded(keys)
    assert len(found) == length
    assert found[:given] == keys
    assert set(found) == set(keys)
