"""Made-up requests by nobody and by every role: no 5xx, and nothing the contract does not say. A short run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.desk import ReviewDesk
from api.errors import ConflictError
from api.review.cases import Role
from tests.fuzzing import Chance, Fuzzed, fuzz
from tests.matrix import NOBODY

pytestmark = pytest.mark.system

SHORT = Chance(2, "fuzzing", ids=("known",))


def run(folder: Path, *roles: str) -> list[Fuzzed]:
    return list(fuzz(folder, SHORT, roles or None))


def test_no_role_gets_a_5xx_or_what_is_not_documented(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert {one.who: one.failures for one in found} == dict.fromkeys((NOBODY, *Role), ())
    assert all(one.requests > 50 for one in found)


@pytest.mark.parametrize(
    ("error", "title"),
    [
        (ZeroDivisionError("a mistake"), "Server error"),
        (ConflictError("conflict", "no queue has this"), "Undocumented status code"),
    ],
)
def test_a_service_that_breaks_its_contract_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, title: str
) -> None:
    def fail(*_arguments: Any) -> None:
        raise error

    monkeypatch.setattr(ReviewDesk, "queue", fail)
    (found,) = run(tmp_path, Role.OPERATOR.value)
    assert [one for one in found.failures if one.startswith(f"{title}: ") and "GET /api/v1/reviews" in one]
