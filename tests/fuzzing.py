"""schemathesis against a service that listens: made-up and broken requests, once for every role.

python -m tests.fuzzing [EXAMPLES [PHASES]] [--json]     prints what it found, and how much it asked
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from sqlalchemy import select

from aiqyn.demo.authenticator import SoftwareAuthenticator
from aiqyn.demo.operators import Account as FirstAccount
from aiqyn.demo.operators import sign_in
from api.app import create_app
from api.services import Services
from api.store.models import Account, PresentedEvidence, Review
from tests.api_client import API
from tests.matrix import NOBODY, PEOPLE
from tests.seeds import CAMERA, Seeded, seed

CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
"""No 5xx, and nothing but what the contract says: status, media type, shape."""

LEFT_OUT: Final = ("ready",)
"""Rightly says 503 where there is no bus."""

AT_LAST: Final = ("end_session", "logout")
"""They may end the login everything else is asked with: ids are learnt from answers."""

START_SECONDS: Final = 20.0
OWN: Final = "marat"
"""Whose account administrators may do with what they like."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How much is made up, and from where.

    Attributes:
        examples: made-up requests of each route.
        phases: of schemathesis: `coverage` breaks one thing at a time, `fuzzing` makes things up.
        number: what chance begins with; the same gives the same.
        ids: `made-up` ones, `known` ones of things there are; `at-last`: what may end the login.
    """

    examples: int
    phases: str = "coverage,fuzzing"
    number: int = 1
    ids: tuple[str, ...] = ("made-up", "known", "at-last")


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of one role.

    Attributes:
        who: the role, or nobody.
        requests: how many were sent.
        failures: what was wrong, each once, with its routes.
        statuses: answers by status.
    """

    who: str
    requests: int
    failures: tuple[str, ...]
    statuses: dict[int, int]


class Counting:
    """Wraps an application and counts its answers by status."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.statuses: Counter[int] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""

        async def counted(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.statuses[message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counted)


@contextmanager
def listening(services: Services) -> Iterator[tuple[str, Counting]]:
    """The address of a service that is reached over TCP, and its count of answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Counting(create_app(services))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def fuzz(
    folder: Path, chance: Chance, roles: Sequence[str] | None = None, **settings: Any
) -> Iterator[Fuzzed]:
    """Made-up requests to every route, by nobody and by every role; about things there are, too.

    Args:
        folder: empty.
        chance: how much.
        roles: which; all and nobody where None.
        settings: of the service.
    """
    seeded = seed(folder / "site", **settings)
    ids = {"made-up": {}, "known": _things(seeded), "at-last": {}}
    everybody = (NOBODY, *(role.value for role in PEOPLE))
    with listening(seeded.services) as (address, app):
        for who in everybody if roles is None else roles:
            headers = {} if who == NOBODY else _headers(address, seeded, who)
            app.statuses.clear()
            reports = [
                _run(folder / f"{who}-{name}", address, headers, ids[name], chance) for name in chance.ids
            ]
            yield _fuzzed(who, reports, app)


def _fuzzed(who: str, reports: Sequence[dict[str, Any]], app: Counting) -> Fuzzed:
    failures = {
        f"{found['title']}: {', '.join(found['operations'])}"
        for report in reports
        for found in report["failures"]
    }
    failures |= {f"error: {found}" for report in reports for found in report["errors"]}
    for report in reports:
        if report["operations"]["tested"] != report["operations"]["selected"]:
            failures.add(
                f"only {report['operations']['tested']} routes of {report['operations']['selected']}"
            )
    statuses = dict(sorted(app.statuses.items()))
    return Fuzzed(who, sum(statuses.values()), tuple(sorted(failures)), statuses)


def _things(seeded: Seeded) -> dict[str, str]:
    """Ids of what there is, by the name routes give them."""
    candidate_id = seeded.take_in(1)
    with seeded.services.database.read() as session:
        review_id = session.scalars(select(Review.review_id)).one()
        evidence_id = session.scalars(select(PresentedEvidence.evidence_id)).first()
        account_id = session.scalars(select(Account.account_id).where(Account.username == OWN)).one()
    return {
        "account_id": account_id,
        "camera_id": CAMERA,
        "camera_group_id": "some",
        "candidate_id": candidate_id,
        "evidence_id": str(evidence_id),
        "receipt_id": candidate_id,
        "review_id": review_id,
    }


def _headers(address: str, seeded: Seeded, role: str) -> dict[str, str]:
    username = {one.value: name for one, name in PEOPLE.items()}[role]
    one_time = seeded.one_time_passwords[username]
    authenticator = SoftwareAuthenticator(seeded.services.settings.party.origin)
    # From another place than what is made up comes from: there, so many made-up logins have failed that all have to wait.
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with httpx.Client(base_url=address, transport=elsewhere) as http:
        tokens = sign_in(http, FirstAccount(username, one_time), authenticator)
    return {"Authorization": tokens.header}


def _run(
    folder: Path, address: str, headers: dict[str, str], ids: dict[str, str], chance: Chance
) -> dict[str, Any]:
    folder.mkdir(parents=True)
    settings, report = folder / "schemathesis.toml", folder / "report.json"
    lines = ["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in ids.items())]
    settings.write_text("\n".join(lines) + "\n", "utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={settings}"]
    command += ["run", f"{address}{API}/openapi.json", f"--phases={chance.phases}"]
    command += [f"--max-examples={chance.examples}", f"--seed={chance.number}", "--warnings=off"]
    command += [f"--checks={','.join(CHECKS)}", "--suppress-health-check=all", "--continue-on-failure"]
    command += ["--generation-database=none", "--generation-with-security-parameters=false"]
    command += ["--no-shrink", "--no-color", f"--report-json-path={report}"]
    command += _choice(at_last=folder.name.endswith("at-last"))
    command += [f"--header={name}: {value}" for name, value in headers.items()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    (folder / "output.txt").write_text(done.stdout + done.stderr, "utf-8")
    if not report.is_file():
        raise RuntimeError(
            f"schemathesis ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return dict(json.loads(report.read_text("utf-8")))


def _choice(*, at_last: bool) -> list[str]:
    if at_last:
        return [f"--include-operation-id={name}" for name in AT_LAST]
    return [f"--exclude-operation-id={name}" for name in (*LEFT_OUT, *AT_LAST)]


def main(arguments: list[str]) -> None:
    """Fuzzes once and says what was found."""
    chosen = [argument for argument in arguments if argument != "--json"]
    as_json = chosen != arguments
    chance = Chance(int(chosen[0]) if chosen else 5, chosen[1] if len(chosen) > 1 else "fuzzing")
    with tempfile.TemporaryDirectory() as folder:
        for one in fuzz(Path(folder), chance):
            sys.stdout.write((json.dumps(asdict(one)) if as_json else str(one)) + "\n")
            sys.stdout.flush()
            if one.failures and not as_json:
                for output in sorted(Path(folder).glob(f"{one.who}-*/output.txt")):
                    sys.stdout.write(output.read_text("utf-8")[-8000:])


if __name__ == "__main__":
    main(sys.argv[1:])
