"""Before her answer an operator sees nothing that tells slot, name, list, score or control."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api import convert, desk
from api.awaited import AnswerGiven, shown_to_judges
from api.proofs import Shown
from api.review.policies import ReviewPolicy
from api.review.presentation import Presentation
from api.schemas import ReviewOut
from api.store.models import JudgementRecord, Review
from tests.api_client import Clients, FakeChance, FakeClock, Person
from tests.seeds import (
    DEPLOYMENT,
    OTHER_NAME,
    SUBJECT_NAME,
    WATCHLIST_NAME,
    add_control,
    seed,
)

POLICY = ReviewPolicy(hold=timedelta(0), control_share=0.0, control_first=True, control_spread=timedelta(0))


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[Clients]:
    """A real candidate and a control in one queue."""
    seeded = seed(tmp_path, policy=POLICY, clock=FakeClock(), chance=FakeChance())
    add_control(seeded)
    seeded.take_in()
    made = Clients(seeded)
    yield made
    made.close()


def everything_shown(person: Person) -> list[httpx.Response]:
    """All an operator's client gets before an answer: queue, each review, each picture."""
    shown = [person.get("/reviews")]
    for review in person.queue():
        shown.append(person.get(f"/reviews/{review['review_id']}"))
        pictures = (review["frame"], review["probe"], *review["references"])
        shown += [person.get(f"/evidence/{picture['evidence_id']}") for picture in pictures]
    return shown


def as_bytes(responses: list[httpx.Response]) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    return [(one.status_code, sorted(one.headers.items()), one.content) for one in responses]


def assert_slots_look_alike(clients: Clients) -> None:
    """The second judge, after the first said *same*, gets byte for byte what the first got before."""
    first, second = clients.login("aigul"), clients.login("daniyar")
    before = as_bytes(everything_shown(first))
    for review in first.queue():
        assert first.answer(review["review_id"], "same_person").status_code == 201
    assert as_bytes(everything_shown(second)) == before


def shape(value: Any) -> Any:
    """A JSON value's keys and types; of ids also how they begin and how long they are."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, str) and value[:4] in {"rev_", "evi_"}:
        return value[:4], len(value)
    return type(value).__name__


def assert_control_looks_real(clients: Clients) -> None:
    one, other = clients.login("aigul").queue()
    assert shape(one) == shape(other)
    for picture in ("frame", "probe"):
        assert (one[picture]["width"], one[picture]["height"]) == (
            other[picture]["width"],
            other[picture]["height"],
        )


def assert_nothing_tells(clients: Clients) -> None:
    seeded = clients.seeded
    telling = [
        SUBJECT_NAME,
        OTHER_NAME,
        WATCHLIST_NAME,
        seeded.watchlist_id,
        *seeded.subject_ids,
        DEPLOYMENT + '"',
        "0.71",
        "0.42",
        "0.31",
        "control",
        "similarity",
        "threshold",
        "score",
        "priority",
        "slot",
        "truth",
    ]
    for response in everything_shown(clients.login("aigul")):
        headers = "\n".join(f"{key}: {value}" for key, value in response.headers.items())
        text = headers.replace("cache-control", "") + response.text
        found = [word for word in telling if word.casefold() in text.casefold()]
        assert found == [], str(response.url)


def asked(person: Person, review_id: str) -> Any:
    """What tells one request to sign an answer from another: all but ids, hashes and what is random."""
    response = person.ask(review_id, {"answer": "same_person"})
    body = response.json()
    kinds = shape(body), shape(json.loads(body["statement"]))
    return response.status_code, sorted(response.headers.items()), len(response.content), kinds


def assert_options_look_alike(clients: Clients) -> None:
    """What has to be signed tells no slot, no control and nothing of another answer, by its size either."""
    draw = clients.seeded.services.desk._draw
    assert isinstance(draw, FakeChance)
    draw.value = 0.0  # a second judge is asked after every answer
    first, second = clients.login("aigul"), clients.login("daniyar")
    review_ids = [review["review_id"] for review in first.queue()]
    before = [asked(first, review_id) for review_id in review_ids]
    for review_id, answer in zip(review_ids, ("same_person", "different"), strict=True):
        assert first.answer(review_id, answer).status_code == 201
    after = [asked(second, review_id) for review_id in review_ids]
    assert all(one == before[0] for one in before + after)


def test_what_has_to_be_signed_tells_nothing(mixed: Clients) -> None:
    assert_options_look_alike(mixed)


def test_options_that_grow_with_the_slot_are_caught(mixed: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shown_to_judges

    def telling(session: Session, review: Review, given: AnswerGiven, now: datetime) -> Shown:
        query = select(JudgementRecord).where(JudgementRecord.candidate_id == review.candidate_id)
        return replace(real(session, review, given, now), reason="x" * len(session.scalars(query).all()))

    monkeypatch.setattr(desk, "shown_to_judges", telling)
    with pytest.raises(AssertionError):
        assert_options_look_alike(mixed)


def test_both_judges_get_the_same_bytes(mixed: Clients) -> None:
    assert_slots_look_alike(mixed)


def test_a_control_looks_like_any_candidate(mixed: Clients) -> None:
    assert_control_looks_real(mixed)


def test_nothing_is_told_before_an_answer(mixed: Clients) -> None:
    assert_nothing_tells(mixed)


def test_the_queue_is_ordered_by_age_alone(mixed: Clients) -> None:
    queued = [item["queued_at"] for item in mixed.login("aigul").queue()]
    assert queued == sorted(queued)


def leaky_review(shown: Presentation) -> ReviewOut:
    """A review whose camera tells the subject."""
    return convert.review_out(shown).model_copy(update={"camera_id": f"gate of {SUBJECT_NAME}"})


def test_a_name_in_a_review_is_caught(mixed: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routes.reviews.review_out", leaky_review)
    with pytest.raises(AssertionError):
        assert_nothing_tells(mixed)


def test_a_slot_in_a_review_is_caught(mixed: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that shows each judge her own time of arrival."""
    count = iter(range(10_000))

    def slotted(shown: Presentation) -> ReviewOut:
        return convert.review_out(shown).model_copy(update={"pts_seconds": float(next(count))})

    monkeypatch.setattr("api.routes.reviews.review_out", slotted)
    with pytest.raises(AssertionError):
        assert_slots_look_alike(mixed)


def test_a_control_without_accounting_is_caught(mixed: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    def telling(shown: Presentation) -> ReviewOut:
        review = convert.review_out(shown)
        is_control = shown.sighting.pts_seconds == 5.4
        return review.model_copy(update={"frame_accounting": None}) if is_control else review

    monkeypatch.setattr("api.routes.reviews.review_out", telling)
    with pytest.raises((AssertionError, ValueError)):
        assert_control_looks_real(mixed)


def test_controls_end_in_their_own_states_and_never_leave(mixed: Clients) -> None:
    people = [mixed.login("aigul"), mixed.login("daniyar")]
    for person in people:
        for review in person.queue():
            person.answer(review["review_id"], "different")
    states = {
        item["state"]: item["is_control"] for item in mixed.login("saule").get("/candidates").json()["items"]
    }
    assert states == {"rejected": False, "control_passed": True}


def test_a_control_confirmed_by_two_goes_nowhere(mixed: Clients) -> None:
    for name in ("aigul", "daniyar"):
        person = mixed.login(name)
        for review in person.queue():
            person.answer(review["review_id"], "same_person")
    assert mixed.seeded.services.hold_clock.run_once() == 1  # the real one
    items = mixed.login("saule").get("/candidates").json()["items"]
    assert {item["state"]: item["is_control"] for item in items} == {
        "confirmed": False,
        "control_failed": True,
    }
    control = next(item for item in items if item["is_control"])
    assert mixed.login("saule").get(f"/receipts/{control['candidate_id']}").status_code == 404


def test_supervisors_do_not_learn_answers_or_controls_while_judges_are_awaited(mixed: Clients) -> None:
    person = mixed.login("aigul")
    for review in person.queue():
        person.answer(review["review_id"], "same_person")
    for item in mixed.login("saule").get("/candidates").json()["items"]:
        assert (item["state"], item["judgements"], item["is_control"]) == ("one_answer", [], None)
        assert item["event"] is None


def test_first_answers_end_a_real_candidate_but_not_the_queue_of_its_control(mixed: Clients) -> None:
    """A control always gets its second judge, whatever the first said."""
    first, second = mixed.login("aigul"), mixed.login("daniyar")
    for review in first.queue():
        first.answer(review["review_id"], "cannot_tell")
    assert len(second.queue()) == 1
