"""The demo's two ways: with the page and people, or once, with scripted operators and a verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from redis import Redis

from aiqyn.demo.footage.truth import GroundTruth
from aiqyn.demo.likeness import PictureAlbum
from aiqyn.demo.operators import Account, Eyes, Given, ScriptedOperator, sign_in
from aiqyn.demo.setup import INTEGRATOR, Prepared
from aiqyn.demo.verdict import Confirmed, Outcome, missing, outcome_of
from aiqyn.embedded.stack import Child, EmbeddedStack
from aiqyn.errors import DemoError
from api.ledger.verify import load_keys, receipt_in_event, verify_stream_event
from pipelines.acl import integrator_user
from pipelines.streams import CONFIRMED, EVENT_FIELD

DECISION_TIMEOUT_SECONDS = 300.0
_POLL_SECONDS = 0.5
_WAITING_STATES = frozenset({"open", "one_answer", "confirmed_held"})

Tell = Callable[[str], None]
"""Told in a few words what the demo is at."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run with scripted operators; `problems` is empty when all was shown."""

    outcomes: tuple[Outcome, ...]
    confirmed: tuple[Confirmed, ...]
    answers: tuple[Given, ...]
    problems: tuple[str, ...]
    frame_accounting: dict[str, Any] | None
    elapsed_seconds: float


def run_once(prepared: Prepared, truth: GroundTruth, tell: Tell) -> Summary:
    """Footage in, two blind judgements, a verified receipt out; without a page.

    Args:
        prepared: the stack's folder, set up.
        truth: who is in the clip; the operators' eyes know it, the service does not.
        tell: progress.

    Raises:
        StackError: a part of the stack ended.
        DemoError: the candidates were not all decided in time.
    """
    started = time.monotonic()
    eyes = Eyes(truth, PictureAlbum.from_folder(prepared.references))
    stop = threading.Event()
    with EmbeddedStack(prepared.config, prepared.config_path, prepared.weights, [INTEGRATOR]) as stack:
        stack.serve()
        tell(f"service ready at {stack.address}")
        worker = stack.work()
        people = [ScriptedOperator(stack.address, account, eyes) for account in prepared.operators]
        with ThreadPoolExecutor(len(people)) as pool:
            shifts = [pool.submit(_shift, person, stop) for person in people]
            try:
                screen = _SupervisorScreen(stack.address, prepared.supervisor)
                outcomes = _wait_for_decisions(stack, worker, screen, shifts, tell)
            finally:
                stop.set()
        answers = tuple(given for person in people for given in person.answers)
        confirmed = read_confirmed(stack.redis.connect(integrator_user(INTEGRATOR)), stack.address)
    return Summary(
        outcomes=tuple(outcomes),
        confirmed=tuple(confirmed),
        answers=answers,
        problems=tuple(missing(truth, outcomes, confirmed, answers)),
        frame_accounting=screen.frame_accounting,
        elapsed_seconds=time.monotonic() - started,
    )


def read_confirmed(client: Redis, address: str) -> list[Confirmed]:
    """The confirmed stream as an integrator reads it: each receipt verified with the published keys.

    Args:
        client: an integrator's.
        address: of the service, for `/.well-known/jwks.json`.

    Raises:
        ReceiptError: an entry that does not verify.
    """
    keys = load_keys(httpx.get(f"{address}/.well-known/jwks.json", timeout=10).text)
    found = []
    with client:
        # redis-py declares the replies of all protocols at once; with protocol 2 this one is a list of pairs.
        reply = cast(
            "list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]", client.xread({CONFIRMED: "0"})
        )
    for _, entries in reply:
        for _, fields in entries:
            event = fields[EVENT_FIELD.encode()].decode()
            claims = verify_stream_event(event, keys, at=datetime.now(UTC)).claims
            judges = tuple(judgement["judge"] for judgement in claims["judgements"])
            found.append(Confirmed(claims["candidate"]["candidate_id"], receipt_in_event(event), judges))
    return found


class _SupervisorScreen:
    """The supervisor's list of candidates."""

    def __init__(self, address: str, account: Account) -> None:
        self._http = httpx.Client(base_url=address, timeout=30)
        sign_in(self._http, account)
        self.frame_accounting: dict[str, Any] | None = None

    def outcomes(self) -> list[Outcome]:
        """Every candidate as it stands."""
        rows: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            response = self._http.get("/api/v1/candidates", params=query)
            response.raise_for_status()
            page = response.json()
            rows += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        events = [row["event"] for row in rows if row["event"]]
        if events:
            newest = max(events, key=lambda event: event["frame_accounting"]["read"])
            self.frame_accounting = newest["frame_accounting"]
        return [outcome_of(row) for row in rows]


def _shift(person: ScriptedOperator, stop: threading.Event) -> None:
    try:
        person.sign_in()
        person.work(stop)
    finally:
        person.close()


def _wait_for_decisions(
    stack: EmbeddedStack,
    worker: Child,
    screen: _SupervisorScreen,
    shifts: Sequence[Future[None]],
    tell: Tell,
) -> list[Outcome]:
    """All candidates, once the footage is through and each of them is decided."""
    deadline, told, quiet = time.monotonic() + DECISION_TIMEOUT_SECONDS, "", 0
    while time.monotonic() < deadline:
        stack.check()
        for shift in shifts:
            if shift.done():
                shift.result()
                raise DemoError("a scripted operator left before the end")
        outcomes = screen.outcomes()
        waiting = sum(outcome.state in _WAITING_STATES for outcome in outcomes)
        words = f"{len(outcomes)} candidates, {waiting} waiting to be judged or held"
        if words != told:
            tell(words)
            told = words
        done = worker.process.poll() is not None and outcomes and not waiting
        # A control may enter the queue a moment later, and the outbox needs one more look.
        quiet = quiet + 1 if done else 0
        if quiet > 6:
            return outcomes
        time.sleep(_POLL_SECONDS)
    raise DemoError(f"not everything was decided within {DECISION_TIMEOUT_SECONDS:.0f} s: {told}")
