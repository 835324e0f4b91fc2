"""The HTTP contract is the snapshot beside this file; a change of it is made on purpose.

To renew it: `python -m tests.contract.test_openapi`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.api_client import Clients
from tests.contract.project import ROOT
from tests.seeds import seed

SNAPSHOT = Path(__file__).parent / "openapi.json"
OPEN_ROUTES = {
    *(f"/api/v1/auth/{way}" for way in ("ways", "login", "refresh", "oidc", "oidc/finish", "proxy")),
    "/health",
    "/ready",
    "/.well-known/jwks.json",
}
KEYED = {
    "/api/v1/passkeys",
    "/api/v1/reviews/{review_id}/judgements",
    "/api/v1/reviews/{review_id}/undo",
    "/api/v1/candidates/{candidate_id}/resolution",
    "/api/v1/overlays/import",
    "/api/v1/cameras",
    "/api/v1/shifts",
    "/api/v1/shifts/current/end",
    "/api/v1/candidates/{candidate_id}/holds",
    "/api/v1/candidates/{candidate_id}/holds/{hold_id}/lift",
    "/api/v1/watchlists",
    "/api/v1/watchlists/{watchlist_id}/entries",
    "/api/v1/entries/{subject_id}/renewal",
    "/api/v1/entries/{subject_id}/removal",
    "/api/v1/requests/{request_id}/approval",
    "/api/v1/requests/{request_id}/refusal",
    "/api/v1/requests/{request_id}/withdrawal",
    "/api/v1/imports/{import_id}/approval",
    "/api/v1/imports/{import_id}/refusal",
    "/api/v1/deployments",
    "/api/v1/deployments/{deployment_id}/revocation",
    "/api/v1/accounts",
    *(
        f"/api/v1/accounts/{{account_id}}/{what}"
        for what in ("approval", "role", "reactivation", "deactivation")
    ),
    "/api/v1/candidates/{candidate_id}/retraction",
    "/api/v1/candidates/{candidate_id}/outcomes",
    "/api/v1/complaints",
    "/api/v1/complaints/{complaint_id}/answer",
}


def current(folder: Path) -> dict[str, Any]:
    """The contract as the code has it, without the version of the release."""
    clients = Clients(seed(folder, usernames=()))
    document = clients.http.get("/api/v1/openapi.json").json()
    clients.close()
    document["info"]["version"] = "*"
    return dict(document)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return current(tmp_path_factory.mktemp("openapi"))


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_contract_is_the_snapshot(document: dict[str, Any]) -> None:
    assert document == json.loads(SNAPSHOT.read_text("utf-8"))


def test_every_route_stands_on_the_page_about_the_api(document: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    missing = [
        f"{method.upper()} {path}"
        for method, path in operations(document)
        if f"{method.upper()} {path.removeprefix('/api/v1')}" not in page
    ]
    assert missing == []


def test_every_route_but_the_open_ones_needs_a_token(document: dict[str, Any]) -> None:
    without = {path for (_, path), operation in operations(document).items() if "security" not in operation}
    assert without == OPEN_ROUTES


def test_errors_are_problems_and_nothing_else(document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        for status, response in operation["responses"].items():
            if status.startswith("4"):
                (media,) = response["content"]
                reference = response["content"][media]["schema"]["$ref"]
                assert (media, reference.rpartition("/")[2]) == ("application/problem+json", "Problem"), (
                    f"{method} {path} {status}"
                )


def test_writes_about_candidates_take_a_key(document: dict[str, Any]) -> None:
    keyed = {
        path
        for (method, path), operation in operations(document).items()
        if method == "post"
        and any(item["name"] == "Idempotency-Key" for item in operation.get("parameters", []))
    }
    assert keyed == KEYED


def test_nothing_in_the_contract_confirms(document: dict[str, Any]) -> None:
    assert not [path for path in document["paths"] if "confirm" in path]
    assert document["components"]["schemas"]["Resolution"]["enum"] == ["reject", "inconclusive", "rejudge"]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(current(Path(folder)), indent=2, sort_keys=True, ensure_ascii=False)
        SNAPSHOT.write_text(text + "\n", "utf-8")
