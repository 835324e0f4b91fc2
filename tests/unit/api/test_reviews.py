"""The operator's side over HTTP: queue, pictures, answers, and what is told afterwards."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from api.review.policies import ReviewPolicy
from api.store.models import CandidateRecord, JudgementRecord, LedgerEntry
from tests.api_client import Clients, FakeChance, FakeClock
from tests.seeds import SUBJECT_NAME, WATCHLIST_NAME, drawn_face

REVIEW_KEYS = {
    "review_id",
    "camera_id",
    "observed_at",
    "pts_seconds",
    "queued_at",
    "frame",
    "probe",
    "references",
    "clip",
    "frame_accounting",
}


def state_of(clients: Clients, candidate_id: str) -> str:
    with clients.seeded.services.database.read() as session:
        return session.get_one(CandidateRecord, candidate_id).state


def test_a_candidate_is_judged_by_two_and_confirmed_after_the_hold(clients: Clients) -> None:
    candidate_id = clients.seeded.take_in()
    first, second = clients.login("aigul"), clients.login("daniyar")
    for person in (first, second):
        review = person.queue()[0]
        assert person.answer(review["review_id"], "same_person").status_code == 201
        assert person.queue() == []
    assert state_of(clients, candidate_id) == "confirmed_held"
    assert clients.seeded.services.hold_clock.run_once() == 1
    assert state_of(clients, candidate_id) == "confirmed"


def test_a_review_has_exactly_the_agreed_keys(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    listed = person.queue()[0]
    assert set(listed) == REVIEW_KEYS
    assert set(listed["frame"]) == {"evidence_id", "width", "height", "face_xyxy"}
    assert set(listed["probe"]) == {"evidence_id", "width", "height", "face_size_px"}
    assert [set(item) for item in listed["references"]] == [{"evidence_id", "width", "height"}]
    assert person.get(f"/reviews/{listed['review_id']}").json() == listed


def test_pictures_are_jpegs_that_nothing_keeps(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    review = person.queue()[0]
    pictures = [review["frame"], review["probe"], *review["references"]]
    for picture in pictures:
        response = person.get(f"/evidence/{picture['evidence_id']}")
        assert response.status_code == 200
        assert response.headers["content-type"] == "image/jpeg"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert not {"etag", "last-modified"} & set(response.headers)
        assert response.content.startswith(b"\xff\xd8\xff")
        assert b"Exif" not in response.content


def test_the_reveal_comes_after_her_own_answer_and_tells_no_outcome_before_there_is_one(
    clients: Clients,
) -> None:
    clients.seeded.take_in()
    first, second = clients.login("aigul"), clients.login("daniyar")
    review_id = first.queue()[0]["review_id"]
    assert first.get(f"/reviews/{review_id}/reveal").status_code == 403
    first.answer(review_id, "same_person")
    told = first.get(f"/reviews/{review_id}/reveal").json()
    assert told == {
        "review_id": review_id,
        "name": SUBJECT_NAME,
        "watchlist": WATCHLIST_NAME,
        "similarity": 0.71,
        "threshold": 0.42,
        "outcome": None,
    }
    assert second.get(f"/reviews/{review_id}/reveal").status_code == 403
    second.answer(review_id, "different")
    assert first.get(f"/reviews/{review_id}/reveal").json()["outcome"] == "disagreement"


def test_the_answer_says_nothing_about_what_follows(clients: Clients, clock: FakeClock) -> None:
    clients.seeded.take_in()
    first, second = clients.login("aigul"), clients.login("daniyar")
    review_id = first.queue()[0]["review_id"]
    bodies = [person.answer(review_id, "same_person").json() for person in (first, second)]
    assert bodies[0] == bodies[1]
    assert set(bodies[0]) == {"review_id", "answer", "answered_at"}


@pytest.mark.parametrize(("draw", "state"), [(0.1, "one_answer"), (0.9, "rejected")])
def test_a_share_of_rejections_gets_a_second_judge(
    clients: Clients, chance: FakeChance, draw: float, state: str
) -> None:
    candidate_id = clients.seeded.take_in()
    chance.value = draw
    person = clients.login("aigul")
    person.answer(person.queue()[0]["review_id"], "different")
    assert state_of(clients, candidate_id) == state


def test_nobody_judges_what_has_ended(clients: Clients) -> None:
    clients.seeded.take_in()
    first, second = clients.login("aigul"), clients.login("daniyar")
    review_id = second.queue()[0]["review_id"]
    first.answer(review_id, "cannot_tell")
    assert second.queue() == []
    response = second.answer(review_id, "same_person")
    assert (response.status_code, response.json()["code"]) == (409, "review_closed")
    assert second.get(f"/reviews/{review_id}").status_code == 404


def test_unjudged_candidates_expire(clients: Clients, clock: FakeClock) -> None:
    candidate_id = clients.seeded.take_in()
    person = clients.login("aigul")
    review_id = person.queue()[0]["review_id"]
    clock.forward(seconds=ReviewPolicy().expire_after.total_seconds())
    assert person.queue() == []
    assert person.answer(review_id, "same_person").json()["code"] == "review_closed"
    assert clients.seeded.services.sweeper.run_once() == 1
    assert state_of(clients, candidate_id) == "expired"


def test_the_queue_is_paged_by_age(clients: Clients, clock: FakeClock) -> None:
    for track_id in range(1, 6):
        clients.seeded.take_in(track_id)
        if track_id != 3:  # two of the same moment: the id decides
            clock.forward(seconds=1)
    person = clients.login("aigul")
    everything = [item["review_id"] for item in person.queue()]
    paged: list[str] = []
    cursor = ""
    while True:
        page = person.get(f"/reviews?limit=2{cursor}").json()
        paged += [item["review_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == everything
    assert len(set(paged)) == 5


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=WzFd", "cursor=e30", "limit=0", "limit=101", "cursor=" + "W" * 200]
)
def test_bad_pages_are_refused(clients: Clients, query: str) -> None:
    response = clients.login("aigul").get(f"/reviews?{query}")
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param({"answer": "same_person"}, {}, 400, id="no key"),
        pytest.param({"answer": "same_person"}, {"Idempotency-Key": "short"}, 422, id="short key"),
        pytest.param({"answer": "certainly"}, {"Idempotency-Key": "k" * 20}, 422, id="no such answer"),
        pytest.param({"answer": "different", "x": 1}, {"Idempotency-Key": "k" * 20}, 422, id="unknown field"),
        pytest.param(
            {"answer": "different", "reason": "x" * 501}, {"Idempotency-Key": "k" * 20}, 422, id="long"
        ),
    ],
)
def test_bad_answers_are_refused(
    clients: Clients, body: dict[str, object], headers: dict[str, str], status: int
) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    path = f"/reviews/{person.queue()[0]['review_id']}/judgements"
    response = person.send("POST", path, json=body, headers=headers)
    assert response.status_code == status
    assert response.json()["status"] == status


def test_one_key_stands_for_one_request(clients: Clients) -> None:
    clients.seeded.take_in(1)
    clients.seeded.take_in(2)
    person = clients.login("aigul")
    one, other = (item["review_id"] for item in person.queue())
    key, body = "a-key-of-the-client", person.prepared(one, "different")
    before = person.post(f"/reviews/{one}/judgements", body, key=key)
    assert before.status_code == 201
    assert person.post(f"/reviews/{one}/judgements", body, key=key).json() == before.json()
    for review_id, other_body in ((one, body | {"answer": "same_person"}), (other, body)):
        response = person.post(f"/reviews/{review_id}/judgements", other_body, key=key)
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    with clients.seeded.services.database.read() as session:
        assert len(session.scalars(select(JudgementRecord)).all()) == 1


def test_two_people_may_use_the_same_key(clients: Clients) -> None:
    candidate_id = clients.seeded.take_in()
    key = "the-same-key-twice"
    for name in ("aigul", "daniyar"):
        person = clients.login(name)
        assert person.answer(person.queue()[0]["review_id"], "same_person", key=key).status_code == 201
    assert state_of(clients, candidate_id) == "confirmed_held"


def test_pictures_of_others_reviews_are_not_there(clients: Clients) -> None:
    clients.seeded.take_in()
    first, second = clients.login("aigul"), clients.login("daniyar")
    review = second.queue()[0]
    first.answer(review["review_id"], "cannot_tell")
    evidence = f"/evidence/{review['probe']['evidence_id']}"
    assert first.get(evidence).status_code == 200  # she answered it: her screen still shows it
    assert second.get(evidence).status_code == 404
    assert second.get("/evidence/evi_unknown").status_code == 404


def test_every_view_and_answer_is_in_the_ledger_without_names(clients: Clients) -> None:
    clients.seeded.take_in()
    person = clients.login("aigul")
    review = person.queue()[0]
    person.queue()  # listed again: not news
    person.get(f"/reviews/{review['review_id']}")
    person.get(f"/evidence/{review['probe']['evidence_id']}")
    person.answer(review["review_id"], "same_person")
    person.get(f"/reviews/{review['review_id']}/reveal")
    person.get("/candidates")
    with clients.seeded.services.database.read() as session:
        rows = session.scalars(select(LedgerEntry).order_by(LedgerEntry.sequence)).all()
    kinds = [row.kind for row in rows]
    since_login = kinds[kinds.index("logged_in") :]
    assert since_login == [
        "logged_in",
        "passkey_registered",
        "password_set",
        "reviews_listed",
        "review_viewed",
        "evidence_viewed",
        "judgement_begun",
        "judged",
        "revealed",
        "denied",
    ]
    text = " ".join(row.document for row in rows)
    for secret in (SUBJECT_NAME, "aigul", "akhmetov"):
        assert secret not in text
    assert json.loads(rows[-1].document)["detail"]["route"] == "GET /api/v1/candidates"


def test_nothing_of_a_subject_lies_in_clear(clients: Clients) -> None:
    clients.seeded.take_in()
    folder = clients.seeded.services.keys.folder.parent
    from vision.images import encode_jpeg

    portrait = encode_jpeg(drawn_face(1))
    for path in (folder / "data").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SUBJECT_NAME.encode() not in content, path.name
            assert portrait[200:400] not in content, path.name
