"""Every route × every role of the running application, held to the table in the docs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import deps
from api.review.cases import Role
from tests.api_client import Clients
from tests.contract.project import ROOT
from tests.contract.test_openapi import SNAPSHOT, operations
from tests.matrix import PEOPLE, RULES, expected, missing, table, walk
from tests.seeds import seed


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    address = ("127.0.0.1", 50000)  # of this machine: metrics are for it
    clients = Clients(seed(tmp_path_factory.mktemp("matrix")), address=address)
    yield walk(clients)
    clients.close()


def test_every_role_is_walked() -> None:
    assert set(PEOPLE) == set(Role)


def test_every_route_has_a_row_and_every_row_a_route(walked: dict[str, dict[str, str]]) -> None:
    assert missing(walked) == [], "add these lines to RULES in tests/matrix.py"
    assert sorted(RULES) == sorted(walked)


def test_every_role_gets_what_its_row_says(walked: dict[str, dict[str, str]]) -> None:
    assert {name: row for name, row in walked.items() if row != expected(name)} == {}


def test_the_docs_have_the_same_table() -> None:
    page = (ROOT / "docs" / "accounts.md").read_text("utf-8")
    (found,) = re.findall(r"^\| route \|.*?(?=\n\n|\Z)", page, re.DOTALL | re.MULTILINE)
    assert found.rstrip() == table(), "python -m tests.matrix prints it"


def test_every_route_stands_in_the_contract(walked: dict[str, dict[str, str]]) -> None:
    documented = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for method, path in operations(json.loads(SNAPSHOT.read_text("utf-8")))
    }
    assert documented == set(walked)


def test_no_role_judges_but_operators_and_auditors_change_nothing(walked: dict[str, dict[str, str]]) -> None:
    own = re.compile(r" /(auth|me|passkeys)\b")
    changing = [name for name in walked if not name.startswith("GET ") and not own.search(name)]
    assert changing
    assert {name for name in changing if walked[name]["auditor"] == "yes"} == set()
    judging = [role for role, got in walked["POST /reviews/{review_id}/judgements"].items() if got == "yes"]
    assert judging == ["operator"]


@pytest.mark.system  # takes its time
def test_a_route_that_forgets_to_ask_who_is_there_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deps, "check_role", lambda _principal, _roles: None)
    clients = Clients(seed(tmp_path), address=("127.0.0.1", 50000))
    try:
        broken = walk(clients)
    finally:
        clients.close()
    assert [name for name, row in broken.items() if row != expected(name)]
