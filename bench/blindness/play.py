"""Two operators at work over real HTTP: one is watched, the other is before her or after her by the toss of a coin.

What the watched one does never depends on the coin: she polls her list, opens a review a drawn time after she saw it first,
fetches every picture, opens it again, and answers. The other answers within that time, or after her.
"""

from __future__ import annotations

import heapq
import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.intake import IntakeRefusedError
from api.store.models import Account as AccountRow
from api.store.models import CandidateRecord, JudgementRecord, Review
from bench.blindness.client import Answered, Operator
from bench.blindness.site import Site, next_candidate

POLL_SECONDS: Final = 0.1
OWN_DELAY_SECONDS: Final = (1.2, 2.4)
OTHER_DELAY_SECONDS: Final = (0.1, 0.7)
CLIP_DELAY_SECONDS: Final = (0.3, 0.6)
LATENCY_SECONDS: Final = (0.4, 2.0)
MEAN_GAP_SECONDS: Final = 0.8
SETTLING_GAPS: Final = 20
"""At the beginning controls have not come into step with candidates yet."""
BEHIND_SECONDS: Final = 0.3
"""Nothing new comes while either of them is later than that with what is due. Where both cores are busy the other would
else come to his answers late, and a slow service would tell that she is first."""


@dataclass(slots=True)
class Watched:
    """Everything the watched operator's client got of one review, before her own answer.

    Attributes:
        listed: the review as the list had it first.
        listed_at: when that was, seconds since the epoch.
        position: in that list.
        length: of that list.
        before: the review above it in that list.
        changes: how often it looked different in later lists.
        listing: the response that was the list.
        opened: responses by what was asked for.
        opened_at: when she began to open it, seconds since the epoch.
    """

    listed: dict[str, Any]
    listed_at: float
    position: int
    length: int
    before: dict[str, Any] | None
    listing: Answered
    changes: int = 0
    opened: dict[str, Answered] = field(default_factory=dict)
    opened_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What she must not know of a review.

    Attributes:
        second: whether the other had answered before she opened it.
        control: whether the server made it up.
        first_list: whether its subject is on the first list.
        other_said_same: what the other had answered; None where she was first.
        subject_id: whom it shows.
    """

    second: bool
    control: bool
    first_list: bool
    other_said_same: bool | None
    subject_id: str


@dataclass(slots=True)
class _Schedule:
    """What is to be done when, on one thread."""

    due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    number: int = 0

    def at(self, moment: float, act: Callable[[], None]) -> None:
        self.number += 1
        heapq.heappush(self.due, (moment, self.number, act))

    def run_next(self) -> None:
        """What is due first, if anything is."""
        if self.late_seconds >= 0:
            heapq.heappop(self.due)[2]()

    @property
    def late_seconds(self) -> float:
        """How long what is due first has been; below zero where nothing is."""
        first = self.due[:1]  # a copy: other threads ask, too
        return time.monotonic() - first[0][0] if first else -math.inf


class Play:
    """The two of them, and candidates coming in."""

    def __init__(self, site: Site, address: str, wanted: int) -> None:
        """
        Args:
            site: what comes in.
            address: of the service.
            wanted: reviews the watched operator shall have opened.
        """
        self._site = site
        self._wanted = wanted
        self._random = random.Random(site.random.getrandbits(64))  # noqa: S311 - an experiment, no secret
        self._people = {
            name: Operator.signed_in(address, name, site.passwords[name]) for name in site.passwords
        }
        self._hers, self._others = _Schedule(), _Schedule()
        self._watched: dict[str, Watched] = {}
        self._done: list[str] = []
        self._stop = threading.Event()
        self._failures: list[Exception] = []

    def run(self) -> list[tuple[Watched, Truth]]:
        """What she saw and what was true, in the order in which she first saw it."""
        threads = [
            threading.Thread(target=self._guarded, args=(job,), daemon=True)
            for job in (self._arrivals, self._poll, self._other, self._observe)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for person in self._people.values():
            person.close()
        if self._failures:
            raise self._failures[0]
        return self._told()

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - whatever fails in a thread is told at the end
            self._failures.append(error)
            self._stop.set()

    def _arrivals(self) -> None:
        schedule, intake = _Schedule(), self._site.services.intake
        next_at = time.monotonic()
        while not self._stop.is_set():
            schedule.run_next()
            if time.monotonic() >= next_at and not self._behind:
                first, with_clip = next_candidate(self._site, self._random.uniform(*LATENCY_SECONDS))
                intake.accept(first)
                clip_at = time.monotonic() + self._random.uniform(*CLIP_DELAY_SECONDS)

                def bring(clip: Any = with_clip) -> None:
                    with suppress(IntakeRefusedError):
                        intake.accept(clip)

                schedule.at(clip_at, bring)
                next_at = time.monotonic() + self._random.expovariate(1 / MEAN_GAP_SECONDS)
            self._stop.wait(0.005)

    @property
    def _behind(self) -> bool:
        return max(self._hers.late_seconds, self._others.late_seconds) > BEHIND_SECONDS

    def _poll(self) -> None:
        person = self._people["observer"].another_window()
        settled = time.monotonic() + SETTLING_GAPS * MEAN_GAP_SECONDS
        while not self._stop.is_set():
            listing = person.get("/reviews?limit=100")
            now = time.time()
            items = httpx.Response(200, content=listing.body).json()["items"]
            for position, item in enumerate(items):
                known = self._watched.get(item["review_id"])
                if known is not None:
                    known.changes += known.listed != item
                    continue
                before = items[position - 1] if position else None
                seen = Watched(item, now, position, len(items), before, listing)
                self._watched[item["review_id"]] = seen
                self._plan(item["review_id"], kept=time.monotonic() > settled)
            self._stop.wait(POLL_SECONDS)
        person.close()

    def _plan(self, review_id: str, *, kept: bool) -> None:
        """Decides by chance who is first, and when each of them looks."""
        now = time.monotonic()
        other_first = self._random.random() < 0.5
        said = self._random.choice(("same_person", "different"))
        own_at = now + self._random.uniform(*OWN_DELAY_SECONDS)
        self._hers.at(own_at, lambda: self._open(review_id, said, other_first=other_first, kept=kept))
        if other_first:
            at = now + self._random.uniform(*OTHER_DELAY_SECONDS)
            self._others.at(at, lambda: self._answer_as_other(review_id, said))

    def _open(self, review_id: str, said: str, *, other_first: bool, kept: bool) -> None:
        person, seen = self._people["observer"], self._watched[review_id]
        seen.opened_at = time.time()
        seen.opened = person.look(review_id)
        if seen.opened["review"].status != httpx.codes.OK:
            return  # the other has closed it: she takes the next one
        if person.answer(review_id, self._random.choice(("same_person", "different"))) != httpx.codes.CREATED:
            return  # he has closed it while she looked: there is no telling who was first
        if not other_first:
            self._others.at(time.monotonic(), lambda: self._answer_as_other(review_id, said))
        if kept:
            self._done.append(review_id)
        if len(self._done) >= self._wanted:
            self._stop.set()

    def _answer_as_other(self, review_id: str, said: str) -> None:
        other = self._people["other"]
        if other.look(review_id)["review"].status == httpx.codes.OK:
            other.answer(review_id, said)

    def _other(self) -> None:
        self._work(self._others)

    def _observe(self) -> None:
        self._work(self._hers)

    def _work(self, schedule: _Schedule) -> None:
        while not self._stop.is_set():
            schedule.run_next()
            self._stop.wait(0.005)

    def _told(self) -> list[tuple[Watched, Truth]]:
        with self._site.services.database.read() as session:
            told = [
                (self._watched[one], _truth(session, self._site, one, self._watched[one]))
                for one in self._done
            ]
        return [(seen, truth) for seen, truth in told if truth is not None]


def _truth(session: Session, site: Site, review_id: str, seen: Watched) -> Truth | None:
    """None where the other answered just while she looked: then there is no telling who was first."""
    review = session.get_one(Review, review_id)
    row = session.get_one(CandidateRecord, review.candidate_id)
    answers = session.execute(
        select(AccountRow.username, JudgementRecord.answer, JudgementRecord.answered_at)
        .join(AccountRow, AccountRow.account_id == JudgementRecord.account_id)
        .where(JudgementRecord.candidate_id == row.candidate_id)
    ).all()
    by_name = {username: (answer, at) for username, answer, at in answers}
    own, other = by_name["observer"][1].timestamp(), by_name.get("other")
    if other is not None and seen.opened_at <= other[1].timestamp() <= own:
        return None
    second = other is not None and other[1].timestamp() < seen.opened_at
    return Truth(
        second=second,
        control=row.control_id is not None,
        first_list=row.deployment_id == site.deployments["first"],
        other_said_same=other[0] == "same_person" if other is not None and second else None,
        subject_id=row.subject_id,
    )
