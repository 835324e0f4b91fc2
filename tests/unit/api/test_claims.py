"""Claims and the minimum look over HTTP: not everybody works on the same, and nobody is told who does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import true

from api.review import guards
from api.review.policies import ReviewPolicy
from api.store import queue as queue_store
from tests.api_client import Clients, FakeChance, FakeClock, Person
from tests.seeds import seed

POLICY = ReviewPolicy(
    hold=timedelta(seconds=10),
    control_share=0.0,
    claim_for=timedelta(seconds=60),
    minimum_look=timedelta(seconds=2),
)


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Clients]:
    made = Clients(seed(tmp_path, policy=POLICY, clock=clock, chance=chance))
    made.seeded.take_in()
    yield made
    made.close()


def people(clients: Clients) -> tuple[Person, Person, Person]:
    return clients.login("aigul"), clients.login("daniyar"), clients.login("marat")


def opened(person: Person) -> str:
    """The id of the one review in her queue, which she opens."""
    (review,) = person.queue()
    assert person.get(f"/reviews/{review['review_id']}").status_code == 200
    return str(review["review_id"])


def test_two_may_have_it_open_and_a_third_works_on_something_else(clients: Clients, clock: FakeClock) -> None:
    first, second, third = people(clients)
    review_id = opened(first)
    assert len(third.queue()) == 1
    opened(second)
    assert third.queue() == []
    assert third.get(f"/reviews/{review_id}").status_code == 404
    for person in (first, second):  # whoever has it open keeps it
        assert len(person.queue()) == 1
        assert person.get(f"/reviews/{review_id}").status_code == 200


def test_a_claim_runs_out(clients: Clients, clock: FakeClock) -> None:
    first, second, third = people(clients)
    review_id = opened(first)
    opened(second)
    clock.forward(seconds=61)
    assert opened(third) == review_id
    assert first.answer(review_id, "same_person").status_code == 201  # late, and still awaited


def test_an_answer_takes_the_place_of_its_claim(clients: Clients, clock: FakeClock) -> None:
    first, second, third = people(clients)
    review_id = opened(first)
    opened(second)
    clock.forward(seconds=5)
    assert first.answer(review_id, "same_person").status_code == 201
    assert third.queue() == []  # nothing changed in her list
    clock.forward(seconds=61)
    assert len(third.queue()) == 1  # the second one let hers run out
    opened(third)
    assert second.queue() == []


def test_an_answer_to_something_else_frees_nothing(clients: Clients, clock: FakeClock) -> None:
    first, second, third = people(clients)
    for person in (first, second):
        review_id = opened(person)
        clock.forward(seconds=2)
        assert person.answer(review_id, "same_person").status_code == 201
    clients.seeded.take_in(2)
    opened(first)
    opened(second)
    assert third.queue() == []


def test_whoever_opens_another_lets_go_of_the_one_before(clients: Clients, clock: FakeClock) -> None:
    first, second, third = people(clients)
    review_id = opened(first)
    opened(second)
    clients.seeded.take_in(2)
    other = next(item["review_id"] for item in first.queue() if item["review_id"] != review_id)
    assert len(third.queue()) == 1
    assert first.get(f"/reviews/{other}").status_code == 200
    assert len(third.queue()) == 2
    clock.forward(seconds=2)
    assert (
        first.answer(review_id, "same_person").status_code == 201
    )  # still hers to answer, while it is awaited


def test_a_claim_does_not_grow_by_looking_again(clients: Clients, clock: FakeClock) -> None:
    first, second, third = people(clients)
    review_id = opened(first)
    opened(second)
    clock.forward(seconds=50)
    assert first.get(f"/reviews/{review_id}").status_code == 200
    clock.forward(seconds=11)
    assert len(third.queue()) == 1


def test_what_is_shown_of_a_review_says_nothing_of_claims(clients: Clients, clock: FakeClock) -> None:
    first, second, _ = people(clients)
    before = second.queue()
    opened(first)
    assert second.queue() == before


@pytest.mark.parametrize("look", [0.0, 1.9])
def test_nobody_answers_what_she_cannot_have_looked_at(
    clients: Clients, clock: FakeClock, look: float
) -> None:
    person = clients.login("aigul")
    review_id = opened(person)
    clock.forward(seconds=look)
    refusal = person.answer(review_id, "different")
    assert (refusal.status_code, refusal.json()["code"]) == (409, "looked_too_short")
    assert 1 <= int(refusal.headers["retry-after"]) <= 2
    clock.forward(seconds=2 - look)
    assert person.answer(review_id, "different").status_code == 201


def test_nobody_answers_what_she_never_opened(clients: Clients, clock: FakeClock) -> None:
    person = clients.login("aigul")
    (review,) = person.queue()
    clock.forward(seconds=60)
    assert person.answer(review["review_id"], "different").json().get("code") == "looked_too_short"


def test_a_picture_is_a_look_too(clients: Clients, clock: FakeClock) -> None:
    person = clients.login("aigul")
    (review,) = person.queue()
    assert person.get(f"/evidence/{review['probe']['evidence_id']}").status_code == 200
    clock.forward(seconds=2)
    assert person.answer(review["review_id"], "different").status_code == 201


def test_the_look_is_as_long_for_the_second_judge(clients: Clients, clock: FakeClock) -> None:
    first, second, _ = people(clients)
    review_id = opened(first)
    clock.forward(seconds=2)
    assert first.answer(review_id, "same_person").status_code == 201
    opened(second)
    assert second.answer(review_id, "same_person").json()["code"] == "looked_too_short"
    clock.forward(seconds=2)
    assert second.answer(review_id, "same_person").status_code == 201


def test_a_build_that_does_not_ask_for_a_look_is_caught(
    clients: Clients, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "check_looked", lambda *_: None)
    with pytest.raises(AssertionError):
        test_nobody_answers_what_she_never_opened(clients, clock)


def test_a_build_without_claims_is_caught(
    clients: Clients, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_store, "has_room", lambda *_: true())
    monkeypatch.setattr(queue_store, "_OPEN_FOR", queue_store.open_for_anybody())
    with pytest.raises(AssertionError):
        test_two_may_have_it_open_and_a_third_works_on_something_else(clients, clock)
