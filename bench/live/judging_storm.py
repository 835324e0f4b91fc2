"""Hundreds of clients at once on one service: they judge, send again, take back, look, and try what they may not."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from api.review.cases import Role
from api.store.models import JudgementRecord, Review, ReviewClaim
from bench.live.judging_audit import Audit, audited
from bench.live.judging_site import JudgingSite, Person

SEED = 20261130
LOOK_SECONDS = 0.2
SETTLE_SECONDS = 120.0
TRY_AGAIN = 503
NO_REPLY = 599
"""Stands for a status where there was none."""
_ANSWERS = ("same_person",) * 7 + ("different",) * 2 + ("cannot_tell",)


@dataclass(frozen=True, slots=True)
class StormPlan:
    """What is done to the service.

    Attributes:
        clients: how many ask at once, each over a connection of its own.
        operators: accounts that judge; supervisors and an auditor come on top.
        candidates: how many there are at first; one more comes every tenth of a second.
        seconds: for how long.
        seed: of everything by chance.
    """

    clients: int = 200
    operators: int = 20
    candidates: int = 100
    seconds: float = 60.0
    seed: int = SEED

    def people(self) -> dict[str, Role]:
        """Who works there."""
        operators = {f"op-{number}": Role.OPERATOR for number in range(self.operators)}
        return operators | {"boss-1": Role.SUPERVISOR, "boss-2": Role.SUPERVISOR, "audit-1": Role.AUDITOR}


SERVICE = {
    "hold_seconds": 1.0,
    "second_judge_share": 0.5,
    "claim_seconds": 2.0,
    "minimum_look_seconds": LOOK_SECONDS,
    "expire_after_seconds": 600.0,
}
"""Settings under which much happens in little time."""


@dataclass(slots=True)
class StormSeen:
    """What clients heard, and what is found afterwards.

    Attributes:
        statuses: replies by act and status.
        hurried: answers in the records that came before their minimum look.
        audit: records and stream held against each other.
    """

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    hurried: int = 0
    audit: Audit = field(default_factory=Audit)

    def count(self, act: str, status: int) -> int:
        """How often an act had that status."""
        return self.statuses[(act, status)]

    @property
    def turned_away(self) -> int:
        """Replies that say to try again: 200 clients are more than SQLite's one writer may have time for."""
        return sum(times for (_, status), times in self.statuses.items() if status == TRY_AGAIN)

    @property
    def broken(self) -> int:
        """Replies that say that the service failed, and replies that never came."""
        return sum(
            times for (_, status), times in self.statuses.items() if status >= 500 and status != TRY_AGAIN
        )


def storm(here: JudgingSite, plan: StormPlan) -> StormSeen:
    """Lets the clients go, waits until all is sent, and looks.

    Raises:
        TimeoutError: holds or outbox did not come to rest.
    """
    seen = StormSeen()
    for _ in range(plan.candidates):
        here.bring_in()
    stop = threading.Event()
    names = sorted(here.people)
    clients = [
        _Client(here.people[names[place % len(names)]].another(), random.Random(plan.seed + place), seen)  # noqa: S311 - moments, no secrets
        for place in range(plan.clients)
    ]
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    until = time.monotonic() + plan.seconds
    while time.monotonic() < until:
        with suppress(OperationalError):  # SQLite's one writer was taken for too long; the next comes soon
            here.bring_in()
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    here.site.wait_for("all is sent", here.all_sent, SETTLE_SECONDS)
    seen.hurried = _hurried(here)
    seen.audit = audited(here)
    return seen


class _Client:
    """One client; what it does next is chance."""

    def __init__(self, person: Person, chance: random.Random, seen: StormSeen) -> None:
        self._person = person
        self._chance = chance
        self._seen = seen

    def run(self, stop: threading.Event) -> None:
        """Acts until it is stopped."""
        name = self._person.username
        judge, oversee = (self._judge, self._work_against_the_rules), (self._oversee,)
        acts: tuple[Callable[[], None], ...] = judge if name.startswith("op-") else oversee
        with self._person.http:
            while not stop.is_set():
                try:
                    self._chance.choices(acts, (19, 1)[: len(acts)])[0]()
                except httpx.TransportError:
                    self._seen.statuses[("no reply", NO_REPLY)] += 1

    def _judge(self) -> None:
        page = self._heard("queue", self._person.get("/reviews?limit=20"))
        if not page.get("items"):
            time.sleep(0.2)
            return
        review = self._chance.choice(page["items"])["review_id"]
        self._heard("open", self._person.get(f"/reviews/{review}"))
        time.sleep(self._chance.choice([0.0, LOOK_SECONDS, LOOK_SECONDS * 2]))
        answer, key = self._chance.choice(_ANSWERS), uuid.uuid4().hex
        self._heard("answer", self._person.answer(review, answer, key))
        if self._chance.random() < 0.2:  # as if the reply had been lost
            self._heard("answer again", self._person.answer(review, answer, key))
        if self._chance.random() < 0.3:
            self._heard("undo", self._person.post(f"/reviews/{review}/undo", {}))
        if self._chance.random() < 0.1:
            self._heard("reveal", self._person.get(f"/reviews/{review}/reveal"))

    def _oversee(self) -> None:
        state = self._chance.choice(["disagreement", "confirmed", "open"])
        page = self._heard("candidates", self._person.get(f"/candidates?limit=5&state={state}"))
        time.sleep(0.2)
        if not page.get("items"):
            return
        candidate = self._chance.choice(page["items"])["candidate_id"]
        if state == "disagreement":
            body = {"action": self._chance.choice(["reject", "inconclusive", "rejudge"]), "reason": "why"}
            self._heard("resolve", self._person.post(f"/candidates/{candidate}/resolution", body))
        elif state == "confirmed" and self._chance.random() < 0.2:
            body = {"reason_code": "technical_fault", "reason": "why"}
            self._heard("retract", self._person.post(f"/candidates/{candidate}/retraction", body))

    def _work_against_the_rules(self) -> None:
        self._heard("forbidden", self._person.get("/candidates"))
        body = {"action": "reject", "reason": "why"}
        self._heard("forbidden", self._person.post("/candidates/any/resolution", body))

    def _heard(self, act: str, response: Any) -> dict[str, Any]:
        self._seen.statuses[(act, response.status_code)] += 1
        body: dict[str, Any] = response.json()
        return body


def _hurried(here: JudgingSite) -> int:
    """Answers that came before whoever gave them had looked for long enough."""
    with here.records.database.read() as session:
        found = session.execute(
            select(JudgementRecord.answered_at, ReviewClaim.opened_at)
            .join(Review, Review.candidate_id == JudgementRecord.candidate_id)
            .outerjoin(
                ReviewClaim,
                (ReviewClaim.review_id == Review.review_id)
                & (ReviewClaim.account_id == JudgementRecord.account_id),
            )
        )
        looked: list[tuple[datetime, datetime | None]] = [(answered, opened) for answered, opened in found]
    look = timedelta(seconds=LOOK_SECONDS)
    return sum(opened is None or answered < opened + look for answered, opened in looked)
