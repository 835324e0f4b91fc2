"""The service killed around answers, holds, the outbox, undo and retractions; whoever waits for a reply asks again."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import select

from api.review.cases import Role
from api.store.models import JudgementRecord, Receipt, Retraction
from bench.live.judging_audit import Audit, audited
from bench.live.judging_site import JudgingSite, Person

SEED = 20261130
HOLD_SECONDS = 0.4
SETTLE_SECONDS = 120.0
MOMENTS = ("judgement", "hold", "outbox", "undo", "retraction")
PEOPLE = {
    **{f"op-{number}": Role.OPERATOR for number in range(4)},
    "boss-1": Role.SUPERVISOR,
}
SERVICE = {"hold_seconds": HOLD_SECONDS, "second_judge_share": 0.0, "minimum_look_seconds": 0.0}
_POLL_SECONDS = 0.005
_ALIVE_SECONDS = 60.0


@dataclass(slots=True)
class Told:
    """What the service said it did, however often it was asked, and what is found afterwards.

    Attributes:
        kills: how often it was killed, by moment.
        answered: candidate and account of every answer it said it took.
        undone: candidate and account of every answer it said it took back.
        retracted: candidates it said it retracted.
        owed: candidates two people called the same person, and neither took it back.
        audit: records and stream held against each other.
    """

    kills: Counter[str] = field(default_factory=Counter)
    answered: set[tuple[str, str]] = field(default_factory=set)
    undone: set[tuple[str, str]] = field(default_factory=set)
    retracted: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)
    audit: Audit = field(default_factory=Audit)
    forgotten: int = 0
    confirmed_undone: int = 0
    unconfirmed: int = 0
    unretracted: int = 0


def killed(here: JudgingSite, kills: int, seed: int = SEED) -> Told:
    """Kills the service so often, and holds what it said against what it kept.

    Raises:
        TimeoutError: the service did not come back, or holds and outbox did not come to rest.
    """
    run = _Run(here, random.Random(seed))  # noqa: S311 - moments, no secrets
    for number in range(kills):
        run.one(MOMENTS[number % len(MOMENTS)])
    here.site.wait_for("all is sent", here.all_sent, SETTLE_SECONDS)
    _compare(here, run.told)
    run.told.audit = audited(here)
    return run.told


class _Run:
    def __init__(self, here: JudgingSite, chance: random.Random) -> None:
        self._here = here
        self._chance = chance
        self._operators = [here.people[name] for name in PEOPLE if name.startswith("op-")]
        self._boss = here.people["boss-1"]
        self.told = Told()

    def one(self, moment: str) -> None:
        """A candidate is judged, and the service killed at that moment."""
        candidate, review = self._here.bring_in()
        first, second = self._chance.sample(self._operators, 2)
        self._answer(first, candidate, review)
        if moment == "judgement":
            self._under_fire(lambda: self._answer(second, candidate, review), 0.03)
        else:
            self._answer(second, candidate, review)
        self.told.owed.add(candidate)
        if moment == "hold":
            self._under_fire(None, HOLD_SECONDS + 0.3)
        elif moment == "outbox":
            self._wait_until_confirmed(candidate)
            self._under_fire(None, 0.1)
        elif moment == "undo":
            time.sleep(self._chance.choice([0.0, 0.0, HOLD_SECONDS]))
            self._under_fire(lambda: self._undo(second, candidate, review), 0.15)
        elif moment == "retraction":
            self._wait_until_confirmed(candidate)
            self._under_fire(lambda: self._retract(candidate), 0.03)
        self.told.kills[moment] += 1

    def _under_fire(self, act: Callable[[], None] | None, within_seconds: float) -> None:
        """The service is killed while somebody waits for its reply; she asks again until she has one."""
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(act) if act else None
            time.sleep(self._chance.uniform(0.0, within_seconds))
            self._here.site.kill_service()
            self._here.site.start_service()
            if waiting:
                waiting.result()

    def _answer(self, who: Person, candidate: str, review: str) -> None:
        key = uuid.uuid4().hex
        self._insist(lambda: who.answer(review, "same_person", key), 201)
        self.told.answered.add((candidate, who.account_id))

    def _undo(self, who: Person, candidate: str, review: str) -> None:
        key = uuid.uuid4().hex
        done = self._insist(lambda: who.post(f"/reviews/{review}/undo", {}, key), 200)
        if done["result"] == "undone":
            self.told.undone.add((candidate, who.account_id))
            self.told.owed.discard(candidate)
        else:
            self.told.retracted.add(candidate)

    def _retract(self, candidate: str) -> None:
        key, body = uuid.uuid4().hex, {"reason_code": "technical_fault", "reason": "a rehearsal"}
        self._insist(lambda: self._boss.post(f"/candidates/{candidate}/retraction", body, key), 201)
        self.told.retracted.add(candidate)

    def _insist(self, ask: Callable[[], httpx.Response], status: int) -> dict[str, Any]:
        """The reply, however often it has to be asked for under the same key.

        Raises:
            RuntimeError: another reply than it must give.
        """
        deadline = time.monotonic() + _ALIVE_SECONDS
        while True:
            try:
                response = ask()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
                continue
            if response.status_code != status:
                raise RuntimeError(f"{response.status_code} instead of {status}: {response.text[:200]}")
            body: dict[str, Any] = response.json()
            return body

    def _wait_until_confirmed(self, candidate: str) -> None:
        deadline = time.monotonic() + _ALIVE_SECONDS
        while self._here.state(candidate) != "confirmed":
            if time.monotonic() > deadline:
                raise TimeoutError("a candidate two people called the same person is not confirmed")
            time.sleep(_POLL_SECONDS)


def _compare(here: JudgingSite, told: Told) -> None:
    with here.records.database.read() as session:
        judged = session.execute(select(JudgementRecord.candidate_id, JudgementRecord.account_id))
        kept = {(candidate, account) for candidate, account in judged}
        confirmed = set(session.scalars(select(Receipt.candidate_id)))
        retracted = set(session.scalars(select(Retraction.candidate_id)))
    told.forgotten = len(told.answered - kept)
    told.confirmed_undone = len({candidate for candidate, _ in told.undone} & confirmed)
    told.unconfirmed = len(told.owed - confirmed)
    told.unretracted = len(told.retracted - retracted)
