"""Which role may send what: declared here once, walked on the running application, printed into the docs.

python -m tests.matrix          prints the table of `docs/accounts.md` from `RULES`
python -m tests.matrix missing  prints a line for each route that has no row here, from what a walk found
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi.routing import APIRoute

from api.review.cases import Role
from tests.api_client import API, Clients, Person
from tests.seeds import seed

NOBODY: Final = "no login"
PEOPLE: Final = {
    Role.OPERATOR: "aigul",
    Role.SUPERVISOR: "saule",
    Role.AUDITOR: "erlan",
    Role.AUTHORISER: "gulnar",
    Role.INTEGRATOR: "kassym",
    Role.ADMINISTRATOR: "root",
}
EVERYBODY: Final = frozenset({NOBODY, *(role.value for role in Role)})
LOGGED_IN: Final = EVERYBODY - {NOBODY}
OPERATOR: Final = frozenset({Role.OPERATOR.value})
SUPERVISOR: Final = frozenset({Role.SUPERVISOR.value})
OVERSEERS: Final = frozenset({Role.SUPERVISOR.value, Role.AUDITOR.value})
VIEWERS: Final = OPERATOR | OVERSEERS
ADMINISTRATOR: Final = frozenset({Role.ADMINISTRATOR.value})
APPROVERS: Final = ADMINISTRATOR | {Role.AUTHORISER.value}
READERS: Final = APPROVERS | {Role.AUDITOR.value}
AUTHORISER: Final = frozenset({Role.AUTHORISER.value})
LIST_ACTORS: Final = SUPERVISOR | AUTHORISER
LIST_READERS: Final = LIST_ACTORS | {Role.AUDITOR.value}
NOT_OPERATORS: Final = LOGGED_IN - OPERATOR

RULES: Final[Mapping[str, frozenset[str]]] = {
    "GET /.well-known/jwks.json": EVERYBODY,
    "GET /health": EVERYBODY,
    "GET /metrics": EVERYBODY,
    "GET /ready": EVERYBODY,
    "GET /auth/ways": EVERYBODY,
    "POST /auth/login": EVERYBODY,
    "POST /auth/oidc": EVERYBODY,
    "POST /auth/oidc/finish": EVERYBODY,
    "POST /auth/proxy": EVERYBODY,
    "POST /auth/refresh": EVERYBODY,
    "POST /auth/password": LOGGED_IN,
    "POST /auth/logout": LOGGED_IN,
    "GET /auth/sessions": LOGGED_IN,
    "DELETE /auth/sessions/{session_id}": LOGGED_IN,
    "GET /me": LOGGED_IN,
    "GET /accounts": READERS,
    "POST /accounts": ADMINISTRATOR,
    "GET /accounts/{account_id}": READERS,
    "POST /accounts/{account_id}/approval": APPROVERS,
    "POST /accounts/{account_id}/role": ADMINISTRATOR,
    "POST /accounts/{account_id}/reactivation": ADMINISTRATOR,
    "POST /accounts/{account_id}/deactivation": ADMINISTRATOR,
    "PUT /accounts/{account_id}/oidc-subject": ADMINISTRATOR,
    "DELETE /accounts/{account_id}/sessions": ADMINISTRATOR,
    "DELETE /accounts/{account_id}/waits": ADMINISTRATOR,
    "GET /accounts/{account_id}/rights": READERS,
    "PUT /accounts/{account_id}/rights": ADMINISTRATOR,
    "GET /camera-groups": READERS,
    "PUT /camera-groups/{camera_group_id}": ADMINISTRATOR,
    "DELETE /camera-groups/{camera_group_id}": ADMINISTRATOR,
    "POST /passkeys/options": LOGGED_IN,
    "POST /passkeys": LOGGED_IN,
    "GET /passkeys": LOGGED_IN,
    "GET /passkeys/public": OVERSEERS,
    "DELETE /passkeys/{passkey_id}": LOGGED_IN,
    "GET /reviews": OPERATOR,
    "GET /reviews/{review_id}": OPERATOR,
    "POST /reviews/{review_id}/judgements/options": OPERATOR,
    "POST /reviews/{review_id}/judgements": OPERATOR,
    "GET /reviews/{review_id}/reveal": OPERATOR,
    "GET /evidence/{evidence_id}": OPERATOR,
    "GET /candidates": OVERSEERS,
    "GET /candidates/{candidate_id}": OVERSEERS,
    "POST /candidates/{candidate_id}/resolution": SUPERVISOR,
    "GET /candidates/{candidate_id}/holds": OVERSEERS,
    "POST /candidates/{candidate_id}/holds": SUPERVISOR,
    "POST /candidates/{candidate_id}/holds/{hold_id}/lift": SUPERVISOR,
    "GET /receipts/{receipt_id}": OVERSEERS,
    "GET /ledger": OVERSEERS,
    "GET /cameras": LOGGED_IN,
    "GET /cameras/{camera_id}/gaps": LOGGED_IN,
    "GET /cameras/{camera_id}/frames": LOGGED_IN,
    "GET /cameras/{camera_id}/preview": VIEWERS,
    "GET /overlays": LOGGED_IN,
    "GET /overlays/export": LOGGED_IN,
    "POST /overlays/import": ADMINISTRATOR,
    "GET /overlays/{camera_id}/{kind}": LOGGED_IN,
    "PUT /overlays/{camera_id}/{kind}": ADMINISTRATOR,
    "GET /overlays/{camera_id}/{kind}/{version}": LOGGED_IN,
    "POST /reviews/{review_id}/undo": OPERATOR,
    "POST /shifts": OPERATOR,
    "GET /shifts": OVERSEERS,
    "GET /shifts/current": OPERATOR,
    "POST /shifts/current/end": OPERATOR,
    "GET /duty": OVERSEERS,
    "GET /controls/results": OVERSEERS,
    "GET /statistics": OVERSEERS,
    "GET /candidates/{candidate_id}/retraction": OVERSEERS,
    "POST /candidates/{candidate_id}/retraction": SUPERVISOR,
    "GET /candidates/{candidate_id}/outcomes": OVERSEERS,
    "POST /candidates/{candidate_id}/outcomes": SUPERVISOR,
    "GET /outcomes/awaited": OVERSEERS,
    "GET /complaints": OVERSEERS,
    "POST /complaints": SUPERVISOR,
    "GET /complaints/{complaint_id}": OVERSEERS,
    "POST /complaints/{complaint_id}/answer": SUPERVISOR,
    "GET /watchlists": LIST_READERS,
    "POST /watchlists": AUTHORISER,
    "GET /watchlists/{watchlist_id}": LIST_READERS,
    "PATCH /watchlists/{watchlist_id}": AUTHORISER,
    "GET /watchlists/{watchlist_id}/entries": LIST_READERS,
    "POST /watchlists/{watchlist_id}/entries": SUPERVISOR,
    "GET /entries/{subject_id}": LIST_READERS,
    "GET /entries/{subject_id}/references/{reference_id}": LIST_READERS,
    "POST /entries/{subject_id}/removal": LIST_ACTORS,
    "POST /entries/{subject_id}/renewal": SUPERVISOR,
    "GET /requests": LIST_READERS,
    "GET /requests/{request_id}": LIST_READERS,
    "GET /requests/{request_id}/pictures/{reference_id}": LIST_READERS,
    "POST /requests/{request_id}/approval": AUTHORISER,
    "POST /requests/{request_id}/refusal": AUTHORISER,
    "POST /requests/{request_id}/withdrawal": SUPERVISOR,
    "GET /imports/{import_id}": LIST_READERS,
    "POST /imports/{import_id}/approval": AUTHORISER,
    "POST /imports/{import_id}/refusal": AUTHORISER,
    "GET /deployments": LIST_READERS,
    "POST /deployments": SUPERVISOR,
    "GET /deployments/{deployment_id}": LIST_READERS,
    "POST /deployments/{deployment_id}/revocation": LIST_ACTORS,
    "POST /cameras": ADMINISTRATOR,
    "GET /cameras/settings": NOT_OPERATORS,
    "GET /cameras/{camera_id}/settings": NOT_OPERATORS,
    "PUT /cameras/{camera_id}": ADMINISTRATOR,
    "DELETE /cameras/{camera_id}": ADMINISTRATOR,
}
"""Route without `/api/v1` → who is let through to it. Whoever adds a route adds its row."""

_MADE_UP: Final = {"kind": "privacy_mask", "version": "1"}
_AT_LAST: Final = ("POST /auth/logout",)
_DENIED: Final = {401: "401", 403: "403"}
_CODES_OF_ROLES: Final = frozenset({"role"})


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the running application."""

    method: str
    path: str

    @property
    def name(self) -> str:
        """As rows name it."""
        return f"{self.method} {self.path.removeprefix(API)}"

    def address(self) -> str:
        """Its path with ids nobody has."""
        parts = self.path.split("/")
        return "/".join(
            _MADE_UP.get(part[1:-1], "made-up") if part.startswith("{") else part for part in parts
        )


def routes_of(clients: Clients) -> list[Route]:
    """Every route the application really has, whatever its contract says."""
    app: Any = clients.http.app
    found = [
        Route(method, route.path)
        for route in _leaves(app.routes)
        for method in sorted(set(route.methods or ()) - {"HEAD", "OPTIONS"})
    ]
    return sorted(found, key=lambda route: (route.name in _AT_LAST, route.name))


def _leaves(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):  # how FastAPI keeps a router that was included
            yield from _leaves(route.original_router.routes)


def cell(response: Any) -> str:
    """`yes` where a request got past the question who asks; else the status it was refused with."""
    if response.status_code == 403 and response.json()["code"] not in _CODES_OF_ROLES:
        return "yes"
    return _DENIED.get(response.status_code, "yes")


def walk(clients: Clients) -> dict[str, dict[str, str]]:
    """What each role got from each route, with an empty body and ids nobody has."""
    people = {role.value: clients.login(username) for role, username in PEOPLE.items()}
    found: dict[str, dict[str, str]] = {}
    for route in routes_of(clients):
        row = {NOBODY: cell(clients.http.request(route.method, route.address()))}
        row |= {role: cell(_asked(clients, person, route)) for role, person in people.items()}
        found[route.name] = row
    return found


def _asked(clients: Clients, person: Person, route: Route) -> Any:
    headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": f"walk-{person.username}"}
    return clients.http.request(route.method, route.address(), headers=headers)


def expected(name: str) -> dict[str, str]:
    """A row as `RULES` has it."""
    allowed = RULES[name]
    denied = {NOBODY: "401"}
    columns = (NOBODY, *(role.value for role in PEOPLE))
    return {who: "yes" if who in allowed else denied.get(who, "403") for who in columns}


def table() -> str:
    """The table for the docs."""
    columns = [NOBODY, *(role.value for role in PEOPLE)]
    lines = [f"| route | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in RULES:
        row = expected(name)
        lines.append(f"| `{name}` | {' | '.join(row[column] for column in columns)} |")
    return "\n".join(lines)


def missing(walked: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A line for `RULES` for each route without a row."""
    return [
        f'    "{name}": frozenset({sorted(who for who, got in row.items() if got == "yes")}),'
        for name, row in walked.items()
        if name not in RULES
    ]


def main(arguments: list[str]) -> None:
    """Prints the table, or what is missing of it."""
    if arguments != ["missing"]:
        sys.stdout.write(table() + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        clients = Clients(seed(Path(folder)))
        sys.stdout.write("\n".join(missing(walk(clients))) + "\n")
        clients.close()


if __name__ == "__main__":
    main(sys.argv[1:])
