"""Any sequence of calls on a real desk over a real database: people, retries, races, changes of role, clock jumps.

The sequences keep their own account of what was taken and hold the records against it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from api.accounts import Principal
from api.desk import AnswerGiven
from api.errors import ApiError
from api.ledger.verify import load_keys, verify_receipt
from api.proofs import JudgementProof
from api.replays import WriteRequest
from api.review.cases import Answer, Resolution, Role, State
from api.review.policies import ReviewPolicy
from api.review.redress import RetractionCode
from api.review.scopes import WHOLE
from api.services import Services
from api.store.models import (
    Account,
    CandidateRecord,
    LoginSession,
    Receipt,
    Review,
    Subject,
)
from tests.api_client import FakeChance, FakeClock
from tests.passkey_holder import PasskeyHolder
from tests.seeds import Seeded, seed

POLICY = ReviewPolicy(
    hold=timedelta(seconds=10),
    control_share=0.0,
    second_judge_share=0.5,
    claim_for=timedelta(seconds=60),
    minimum_look=timedelta(seconds=1),
)
RESPONSIBLE = "marat"
"""An operator who requested the entry: she may judge for everybody else's, and not for this one."""

PEOPLE = {
    "aigul": Role.OPERATOR,
    "daniyar": Role.OPERATOR,
    "zarina": Role.OPERATOR,
    "marat": Role.OPERATOR,
    "saule": Role.SUPERVISOR,
    "erlan": Role.AUDITOR,
}
WHO = st.sampled_from(list(PEOPLE))
SESSION = st.integers(0, 1)
REFUSED = (ApiError, IntegrityError)
"""The database's own refusal is a 409 at the edge."""

ANSWER = st.sampled_from([Answer.SAME_PERSON, Answer.SAME_PERSON, *Answer])
DRAW = st.sampled_from([0.0, 0.99])
SETTINGS = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SETTINGS, max_examples=60, stateful_step_count=40)


@dataclass
class Bench:
    """A service to be called in any order.

    Attributes:
        sessions: ids of logins, by user name.
        tracks: of the candidates so far.
        holders: everybody's authenticators.
        proofs: what was signed, by the key of its request.
    """

    seeded: Seeded
    clock: FakeClock
    chance: FakeChance
    started: datetime
    accounts: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    tracks: int = 0
    holders: dict[str, PasskeyHolder] = field(default_factory=dict)
    proofs: dict[str, JudgementProof] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        """Of the application."""
        return self.seeded.services

    def principal(self, username: str, session: int) -> Principal:
        """Who asks, with the role the account has now."""
        with self.services.database.read() as records:
            account = records.get_one(Account, self.accounts[username])
        session_id, device = self.sessions[username][session], f"browser of {username}"
        return Principal(
            account.account_id, username, Role(account.role), session_id, False, WHOLE, device_id=device
        )

    def proof(self, who: Principal, review_id: str, given: AnswerGiven, key: str) -> JudgementProof:
        """Her assertion for one request, made once; none where she may not even sign."""
        if key not in self.proofs:
            try:
                self.proofs[key] = self.holders[who.username].proof(who, review_id, given)
            except REFUSED:
                return JudgementProof(None, who.device_id)
        return self.proofs[key]

    def set_role(self, username: str, role: Role) -> None:
        """Gives an account another role."""
        with self.services.database.write() as records:
            records.execute(
                update(Account).where(Account.account_id == self.accounts[username]).values(role=role.value)
            )

    def fresh_candidate(self) -> str:
        """The id of a candidate that just came in; the clock stands where it stood at first."""
        self.clock.now = self.started
        self.tracks += 1
        for name, role in PEOPLE.items():
            self.set_role(name, role)
        return self.seeded.take_in(self.tracks)


@contextmanager
def bench(folder: Path, **options: Any) -> Iterator[Bench]:
    """A service in a folder; `options` go to its settings."""
    clock, chance = FakeClock(), FakeChance()
    seeded = seed(folder, policy=POLICY, clock=clock, chance=chance, **options)
    made = Bench(seeded, clock, chance, clock.now)
    try:
        seeded.services.accounts.add("zarina", Role.OPERATOR)
        with seeded.services.database.write() as records:
            records.execute(update(Subject).values(requested_by_key=RESPONSIBLE))
            for account in records.scalars(select(Account)):
                logins = [_login(account, number, clock.now) for number in (0, 1)]
                records.add_all(logins)
                made.accounts[account.username] = account.account_id
                made.sessions[account.username] = (logins[0].session_id, logins[1].session_id)
        for username in made.accounts:
            made.holders[username] = PasskeyHolder.of(seeded.services)
            principal = replace(made.principal(username, 0), must_change_password=True)
            made.holders[username].register(principal)
        yield made
    finally:
        seeded.services.close()


def _login(account: Account, number: int, now: datetime) -> LoginSession:
    return LoginSession(
        session_id=f"ses_{account.account_id}_{number}"[:64],
        account_id=account.account_id,
        token_sha256=uuid.uuid4().hex,
        created_at=now,
        expires_at=now + timedelta(days=1),
        ends_at=now + timedelta(days=1),
        how="password",
        device_id=f"browser of {account.username}",
    )


def give_answer(made: Bench, who: Principal, review_id: str, given: AnswerGiven, key: str) -> None:
    """Her answer, as the route gives it to the desk; raises ApiError where it is refused."""
    body = {"answer": given.answer.value}
    request = WriteRequest.of(who.account_id, key, f"POST /reviews/{review_id}/judgements", body)
    proof = made.proof(who, review_id, given, key)
    made.services.desk.judge(who, review_id, given, proof, request)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that was taken, as the sequence remembers it."""

    who: str
    session: str
    answer: Answer
    round: int


def sequences(made: Bench) -> type[RuleBasedStateMachine]:
    """The sequences over a bench; each begins with a fresh candidate."""

    class DeskSequences(_Sequences):
        bench = made

    return DeskSequences


class _Sequences(RuleBasedStateMachine):
    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.round = 0
        self.standing: list[Said] = []
        self.undone: set[str] = set()
        self.told: set[str] = set()
        self.looked: dict[str, datetime] = {}

    @initialize()
    def begin(self) -> None:
        self.candidate_id = self.bench.fresh_candidate()
        with self.bench.services.database.read() as records:
            query = select(Review.review_id).where(Review.candidate_id == self.candidate_id)
            self.review_id = records.scalars(query).one()

    @rule(who=WHO, session=SESSION, answer=ANSWER, draw=DRAW, twice=st.booleans())
    def answer(self, who: str, session: int, answer: Answer, draw: float, twice: bool) -> None:
        """After a look, and sent again in case nobody heard it."""
        self._looks(who, session)
        self.bench.clock.forward(seconds=1)
        self._answers_and_notes(who, session, answer, draw, times=1 + twice)

    @rule(who=WHO, session=SESSION, answer=ANSWER, draw=DRAW)
    def answer_blindly(self, who: str, session: int, answer: Answer, draw: float) -> None:
        """Without a look of her own just now."""
        self._answers_and_notes(who, session, answer, draw, times=1)

    @rule(first=WHO, second=WHO, answer=ANSWER)
    def answer_at_once(self, first: str, second: str, answer: Answer) -> None:
        self._looks(first, 0)
        self._looks(second, 1)
        self.bench.clock.forward(seconds=1)
        self.bench.chance.value = 0.0
        acts = [
            lambda: self._answers(first, 0, answer, uuid.uuid4().hex),
            lambda: self._answers(second, 1, answer, uuid.uuid4().hex),
        ]
        for (who, session), taken in zip(((first, 0), (second, 1)), _at_once(acts), strict=True):
            if taken:
                self._note(who, session, answer)

    @rule(who=WHO, session=SESSION)
    def take_back(self, who: str, session: int) -> None:
        if self._takes_back(who, session):
            self._forget(who)

    @rule(who=WHO)
    def take_back_at_the_end_of_the_hold(self, who: str) -> None:
        acts = [lambda: self._takes_back(who, 0), lambda: bool(self.bench.services.hold_clock.run_once())]
        if _at_once(acts)[0]:
            self._forget(who)

    @rule(who=WHO, action=st.sampled_from([Resolution.REJUDGE, *Resolution, "see", "retract"]))
    def oversee(self, who: str, action: str) -> None:
        principal, services = self._who(who, 0), self.bench.services
        about = (principal, self.candidate_id)
        if action == "retract":
            code = RetractionCode.MISTAKEN_IDENTITY
            self._taken(services.after.retractions.retract, *about, code, "why", self._request(principal))
        elif action == "see":
            if self._taken(services.oversight.candidate, *about):
                self.told.add(who)
        elif self._taken(
            services.oversight.resolve, *about, Resolution(action), "why", self._request(principal)
        ):
            self.told.add(who)
            self.round += action == Resolution.REJUDGE

    @rule(who=WHO, session=SESSION)
    def see_what_she_judged(self, who: str, session: int) -> None:
        if self._taken(self.bench.services.desk.reveal, self._who(who, session), self.review_id):
            self.told.add(who)

    @rule(who=WHO, role=st.sampled_from(list(Role)))
    def change_role(self, who: str, role: Role) -> None:
        self.bench.set_role(who, role)

    @rule(seconds=st.sampled_from([-3600, -11, 0, 1, 9, 11, 70, 1800, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.bench.clock.forward(seconds=seconds)
        self.bench.services.hold_clock.run_once()
        self.bench.services.sweeper.run_once()

    @invariant()
    def two_people_apart_said_the_same_and_stand_by_it(self) -> None:
        if not hasattr(self, "candidate_id"):
            return
        with self.bench.services.database.read() as records:
            row = records.get_one(CandidateRecord, self.candidate_id)
            receipt = records.scalars(
                select(Receipt).where(Receipt.candidate_id == self.candidate_id)
            ).one_or_none()
        if receipt is None and State(row.state) not in {State.CONFIRMED, State.CONFIRMED_HELD}:
            return
        current = [said for said in self.standing if said.round == self.round]
        assert [said.answer for said in current] == [Answer.SAME_PERSON] * 2
        assert len({said.who for said in current}) == len({said.session for said in current}) == 2
        if receipt is not None:
            keys = load_keys(self.bench.services.keys.receipts_key().public_pem().decode())
            judges = verify_receipt(receipt.jws, keys, at=receipt.issued_at).claims["judgements"]
            assert {one["judge"] for one in judges} == {self.bench.accounts[said.who] for said in current}

    def _looks(self, who: str, session: int) -> None:
        if self._taken(self.bench.services.desk.review, self._who(who, session), self.review_id):
            self.looked.setdefault(who, self.bench.clock.now)

    def _answers_and_notes(self, who: str, session: int, answer: Answer, draw: float, *, times: int) -> None:
        self.bench.chance.value = draw
        key = uuid.uuid4().hex
        taken = {self._answers(who, session, answer, key) for _ in range(times)}
        assert len(taken) == 1, "the same request again had another result"
        if taken == {True}:
            self._note(who, session, answer)

    def _note(self, who: str, session: int, answer: Answer) -> None:
        """Everything that must have been so when an answer was taken."""
        principal = self._who(who, session)
        assert principal.role is Role.OPERATOR, "an answer by somebody who is no operator"
        assert who != RESPONSIBLE, "an answer by somebody who asked for the entry"
        assert who not in self.told, "an answer by somebody who was told whose it is"
        assert who not in {said.who for said in self.standing} | self.undone, "a second answer"
        looked = self.looked.get(who)
        assert looked is not None, "an answer without a look"
        assert self.bench.clock.now >= looked + POLICY.minimum_look, "an answer after too short a look"
        self.standing.append(Said(who, principal.session_id, answer, self.round))

    def _forget(self, who: str) -> None:
        self.undone.add(who)
        self.standing = [said for said in self.standing if (said.who, said.round) != (who, self.round)]

    def _answers(self, who: str, session: int, answer: Answer, key: str) -> bool:
        principal = self._who(who, session)
        given = AnswerGiven(answer)
        return self._taken(give_answer, self.bench, principal, self.review_id, given, key)

    def _takes_back(self, who: str, session: int) -> bool:
        """Whether her answer counts no more; a retraction leaves it where it is, and the receipt void."""
        principal = self._who(who, session)
        try:
            done = self.bench.services.after.undo.take_back(
                principal, self.review_id, None, self._request(principal)
            )
        except REFUSED:
            return False
        return bool(done["result"] == "undone")

    def _request(self, principal: Principal) -> WriteRequest:
        return WriteRequest.of(principal.account_id, uuid.uuid4().hex, "POST /", {})

    def _who(self, who: str, session: int) -> Principal:
        return self.bench.principal(who, session)

    def _taken(self, act: Callable[..., object], *arguments: Any) -> bool:
        try:
            act(*arguments)
        except REFUSED:
            return False
        return True


def _at_once(acts: list[Callable[[], bool]]) -> list[bool]:
    gate = threading.Barrier(len(acts))

    def go(act: Callable[[], bool]) -> bool:
        gate.wait(10)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(go, acts))
