"""Complaints over HTTP: filed for a person, looked at again by others who cannot tell, answered by a date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, true
from sqlalchemy.exc import DBAPIError

from api.review.cases import Role
from api.review.policies import ReviewPolicy
from api.store import queue as queue_store
from api.store.models import LedgerEntry, LegalHold
from tests.api_client import Clients, FakeChance, FakeClock, Person
from tests.seeds import CAMERA, add_account, seed
from tests.unit.api.test_clockwork import judged_same

FRESH = ("marat", "zarina")
POLICY = ReviewPolicy(hold=timedelta(0), control_share=0.0, control_spread=timedelta(0))


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Clients]:
    seeded = seed(tmp_path, policy=POLICY, clock=clock, chance=chance)
    seeded.one_time_passwords["zarina"] = add_account(seeded.services, "zarina", Role.OPERATOR)
    seeded.one_time_passwords["boss"] = add_account(seeded.services, "boss", Role.SUPERVISOR)
    made = Clients(seeded)
    yield made
    made.close()


@pytest.fixture
def confirmed(clients: Clients) -> str:
    """The id of a candidate aigul and daniyar confirmed."""
    candidate_id = judged_same(clients)
    assert clients.seeded.services.hold_clock.run_once() == 1
    return candidate_id


def filed(person: Person, **about: Any) -> dict[str, Any]:
    response = person.post("/complaints", about)
    assert response.status_code == 201, response.text
    return dict(response.json())


def answered(person: Person, complaint: dict[str, Any], outcome: str, *retract: str) -> Any:
    body = {"outcome": outcome, "answer": "We have looked again.", "retract": list(retract)}
    return person.post(f"/complaints/{complaint['complaint_id']}/answer", body)


def looked_at_again(clients: Clients, *answers: str) -> None:
    """The re-examination is ordered, and fresh judges answer."""
    assert clients.seeded.services.after.reexaminer.run_once() == 1
    for username, answer in zip(FRESH, answers, strict=True):
        person = clients.login(username)
        (review,) = person.queue()
        assert person.answer(review["review_id"], answer).status_code == 201


def finding(person: Person, complaint: dict[str, Any]) -> tuple[str, str, bool]:
    shown = person.get(f"/complaints/{complaint['complaint_id']}").json()
    (candidate,) = shown["candidates"]
    return shown["state"], candidate["finding"], candidate["in_force"]


def test_doubt_of_fresh_judges_retracts_what_was_confirmed(clients: Clients, confirmed: str) -> None:
    saule = clients.login("saule")
    complaint = filed(saule, candidate_id=confirmed, reference="in-2026/118")
    assert answered(saule, complaint, "not_upheld").json()["code"] == "not_reexamined"
    looked_at_again(clients, "same_person", "cannot_tell")
    assert finding(saule, complaint) == ("under_review", "not_same", True)
    assert answered(saule, complaint, "not_upheld").json()["code"] == "must_be_upheld"
    done = answered(saule, complaint, "upheld")
    assert (done.status_code, done.json()["state"]) == (200, "answered")
    assert finding(saule, complaint) == ("answered", "not_same", False)
    retraction = saule.get(f"/candidates/{confirmed}/retraction").json()
    assert retraction["reason_code"] == "complaint_upheld"
    assert answered(saule, complaint, "upheld").json()["code"] == "already_answered"


def test_two_more_who_say_the_same_leave_it_in_force(clients: Clients, confirmed: str) -> None:
    erlan, saule = clients.login("erlan"), clients.login("saule")
    refused = erlan.post("/complaints", {"candidate_id": confirmed})
    assert (refused.status_code, refused.json()["code"]) == (403, "role")
    complaint = filed(saule, candidate_id=confirmed)
    looked_at_again(clients, "same_person", "same_person")
    assert answered(erlan, complaint, "not_upheld").json()["code"] == "role"
    assert answered(saule, complaint, "nothing_found").json()["code"] == "something_found"
    assert answered(saule, complaint, "not_upheld").status_code == 200
    assert finding(erlan, complaint) == ("answered", "same", True)
    with clients.seeded.services.database.read() as session:
        kinds = set(session.scalars(select(LedgerEntry.kind)))
    assert {"complaint_filed", "reexamination_ordered", "complaint_answered"} <= kinds


def test_judges_cannot_tell_it_from_any_other_and_the_first_ones_do_not_see_it(
    clients: Clients, confirmed: str
) -> None:
    filed(clients.login("saule"), candidate_id=confirmed)
    clients.seeded.services.after.reexaminer.run_once()
    for username in ("aigul", "daniyar"):
        assert clients.login(username).queue() == []
    clients.seeded.take_in(2)
    again, ordinary = clients.login("marat").queue()
    assert set(again) == set(ordinary)
    assert [len(again[name]) for name in ("review_id", "references")] == [
        len(ordinary[name]) for name in ("review_id", "references")
    ]
    assert (again["observed_at"], again["clip"]) == (ordinary["observed_at"], ordinary["clip"])


def test_a_first_judge_is_refused_even_where_the_list_forgets(
    clients: Clients, confirmed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed(clients.login("saule"), candidate_id=confirmed)
    clients.seeded.services.after.reexaminer.run_once()
    monkeypatch.setattr("api.store.queue.not_judged_before", lambda _: true())
    monkeypatch.setattr(queue_store, "_OPEN_FOR", queue_store.open_for_anybody())
    aigul = clients.login("aigul")
    (review,) = aigul.queue()
    assert aigul.answer(review["review_id"], "same_person").json()["code"] == "judged_before"
    monkeypatch.setattr("api.review.guards.check_may_judge", lambda *_: None)
    assert aigul.answer(review["review_id"], "same_person").status_code == 409  # the database refuses


def test_a_reexamination_gives_no_receipt_even_from_a_build_that_would(
    clients: Clients, clock: FakeClock, confirmed: str
) -> None:
    filed(clients.login("saule"), candidate_id=confirmed)
    looked_at_again(clients, "same_person", "same_person")
    clock.forward(hours=1)
    services = clients.seeded.services
    assert services.hold_clock.run_once() == 0
    statement = (
        "INSERT INTO receipts SELECT 'r', candidate_id, 'jws', ordered_at, ordered_at FROM reexaminations"
    )
    with pytest.raises(DBAPIError, match="two people"), services.database.write() as session:
        session.execute(text(statement))


def test_what_is_still_being_decided_is_looked_at_again_once_it_has_ended(clients: Clients) -> None:
    candidate_id = clients.seeded.take_in()
    saule = clients.login("saule")
    complaint = filed(saule, candidate_id=candidate_id)
    assert clients.seeded.services.after.reexaminer.run_once() == 0
    first = clients.login("aigul")
    assert first.answer(first.queue()[0]["review_id"], "different").status_code == 201
    looked_at_again(clients, "different", "different")
    assert finding(saule, complaint) == ("under_review", "not_same", False)
    assert answered(saule, complaint, "not_upheld").status_code == 200


def test_nobody_in_time_and_it_is_put_before_judges_again(
    clients: Clients, clock: FakeClock, confirmed: str
) -> None:
    saule = clients.login("saule")
    complaint = filed(saule, candidate_id=confirmed)
    services = clients.seeded.services
    assert services.after.reexaminer.run_once() == 1
    clock.forward(hours=1)
    assert services.sweeper.run_once() == 1
    assert services.after.reexaminer.run_once() == 0
    clock.forward(hours=4)
    looked_at_again(clients, "different", "different")
    assert finding(saule, complaint)[1] == "not_same"


def test_who_looked_again_at_one_may_look_again_at_another_and_not_twice_at_the_same(
    clients: Clients, confirmed: str
) -> None:
    saule = clients.login("saule")
    filed(saule, candidate_id=confirmed)
    looked_at_again(clients, "same_person", "same_person")
    other = judged_same(clients, 2)
    assert clients.seeded.services.hold_clock.run_once() == 1
    filed(saule, candidate_id=other)
    filed(saule, candidate_id=confirmed)  # a second complaint about the first
    assert clients.seeded.services.after.reexaminer.run_once() == 2
    for username in FRESH:
        assert len(clients.login(username).queue()) == 1


def test_by_place_and_time(clients: Clients, clock: FakeClock, confirmed: str) -> None:
    saule = clients.login("saule")
    now = clock()
    around = {
        "from": (now - timedelta(hours=1)).isoformat(),
        "to": (now + timedelta(hours=1)).isoformat(),
    }
    found = filed(saule, camera_id=CAMERA, **around)
    assert [item["candidate_id"] for item in found["candidates"]] == [confirmed]
    elsewhere = filed(saule, camera_id="yard", **around)
    assert elsewhere["candidates"] == []
    assert answered(saule, elsewhere, "nothing_found").status_code == 200
    (listed,) = saule.get("/complaints?state=open").json()["items"]
    assert listed["complaint_id"] == found["complaint_id"]
    assert all(item["from"] for item in saule.get("/complaints").json()["items"])


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"candidate_id": "c", "camera_id": CAMERA},
        {"camera_id": CAMERA, "from": "2026-03-01T12:00:00Z"},
        {"camera_id": CAMERA, "from": "2026-03-02T12:00:00Z", "to": "2026-03-01T12:00:00Z"},
        {"camera_id": CAMERA, "from": "2026-03-01T12:00:00Z", "to": "2026-05-01T12:00:00Z"},
        {"camera_id": CAMERA, "from": "2026-03-01T12:00:00", "to": "2026-03-01T13:00:00"},
    ],
)
def test_a_complaint_is_about_a_candidate_or_a_place_and_time(
    clients: Clients, about: dict[str, str]
) -> None:
    assert clients.login("saule").post("/complaints", about).status_code == 422


def test_nothing_it_is_about_is_deleted_until_it_is_answered(clients: Clients, confirmed: str) -> None:
    saule = clients.login("saule")
    complaint = filed(saule, candidate_id=confirmed)
    looked_at_again(clients, "same_person", "same_person")

    def holds() -> list[bool]:
        with clients.seeded.services.database.read() as session:
            return [hold.lifted_at is None for hold in session.scalars(select(LegalHold))]

    assert holds() == [True]
    answered(saule, complaint, "not_upheld")
    assert holds() == [False]


def test_who_had_a_part_in_it_does_not_answer(clients: Clients) -> None:
    candidate_id = clients.seeded.take_in()
    for name, answer in (("aigul", "same_person"), ("daniyar", "different")):
        person = clients.login(name)
        person.answer(person.queue()[0]["review_id"], answer)
    saule = clients.login("saule")
    body = {"action": "reject", "reason": "looked at both"}
    assert saule.post(f"/candidates/{candidate_id}/resolution", body).status_code == 200
    complaint = filed(saule, candidate_id=candidate_id)
    looked_at_again(clients, "different", "different")
    assert answered(saule, complaint, "not_upheld").json()["code"] == "responsible"
    assert answered(clients.login("boss"), complaint, "not_upheld").status_code == 200


def test_where_the_entry_is_gone_it_is_said_and_answered_all_the_same(
    clients: Clients, confirmed: str
) -> None:
    saule = clients.login("saule")
    complaint = filed(saule, candidate_id=confirmed)
    with clients.seeded.services.database.write() as session:
        session.execute(text("UPDATE subjects SET removed_at = created_at"))
    assert clients.seeded.services.after.reexaminer.run_once() == 0
    assert finding(saule, complaint)[1] == "impossible"
    assert answered(saule, complaint, "upheld").status_code == 200


def test_an_overdue_answer_is_told(clients: Clients, clock: FakeClock, confirmed: str) -> None:
    saule = clients.login("saule")
    complaint = filed(saule, candidate_id=confirmed)
    due = datetime.fromisoformat(complaint["due_at"]).astimezone(UTC)
    assert due - clock() == timedelta(days=15)
    clock.forward(days=17)
    watch = clients.seeded.services.after.watch
    watch.run_once()
    assert (watch.owed.complaints, watch.owed.overdue) == (1, 1)
    assert any("1 complaints are overdue, the oldest since 2 days" in one for one in watch.notices())


def test_operators_and_administrators_have_no_part_in_it(clients: Clients, confirmed: str) -> None:
    complaint = filed(clients.login("saule"), candidate_id=confirmed)
    for username in ("aigul", "root"):
        person = clients.login(username)
        assert person.get("/complaints").status_code == 403
        assert person.get(f"/complaints/{complaint['complaint_id']}").status_code == 403
        assert person.post("/complaints", {"candidate_id": confirmed}).status_code == 403
        assert answered(person, complaint, "upheld").status_code == 403


def test_of_controls_and_of_nothing_nobody_complains(clients: Clients) -> None:
    assert clients.login("saule").post("/complaints", {"candidate_id": "nothing"}).status_code == 404
