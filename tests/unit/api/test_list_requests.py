"""Entries over HTTP: asked for by one, read without keys, decided by another, and searched only then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from api.galleries import GalleryService
from api.reference_jobs import NOTICE
from api.store.models import ListRequest, RequestPicture, Subject
from tests.api_client import Clients, FakeClock
from tests.enrolment_bench import Shelf
from tests.fake_engine import paint
from tests.lists_bench import (
    PaintedReader,
    approve,
    clients_with_reader,
    entry_body,
    file_entry,
    kinds_since,
    picture,
    read_all,
)
from tests.seeds import Seeded
from vision.images import encode_png


@pytest.fixture
def clients(seeded: Seeded) -> Iterator[Clients]:
    made = clients_with_reader(seeded)
    yield made
    made.close()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def galleries(clients: Clients, shelf: Shelf, clock: FakeClock) -> GalleryService:
    services = clients.seeded.services
    return GalleryService(services.database, services.records, services.keys, clock, shelf)


def searched(galleries: GalleryService, shelf: Shelf) -> set[str]:
    """Whose templates the workers have."""
    galleries.run_once()
    return set(shelf.published[-1].subject_ids) if shelf.published else set()


def test_what_a_second_person_approves_is_searched_and_nothing_before(
    clients: Clients, galleries: GalleryService, shelf: Shelf
) -> None:
    supervisor, authoriser = clients.login("saule"), clients.login("nurlan")
    before = searched(galleries, shelf)
    body = entry_body(clients, [picture(5, 0), picture(5, 1)])
    asked = supervisor.post(f"/watchlists/{clients.seeded.watchlist_id}/entries", body).json()
    assert asked["state"] == "checking"
    early = approve(clients, authoriser, asked["request_id"])
    assert (early.status_code, early.json()["code"]) == (409, "not_decidable")
    read_all(clients)
    shown = authoriser.get(f"/requests/{asked['request_id']}").json()
    assert (shown["state"], shown["name"]) == ("open", "Aizhan Seitkali")
    assert [one["outcome"] for one in shown["pictures"]] == ["ok", "ok"]
    assert searched(galleries, shelf) == before
    face = authoriser.get(f"/requests/{asked['request_id']}/pictures/{shown['pictures'][0]['reference_id']}")
    assert face.headers["content-type"] == "image/jpeg"
    done = approve(clients, authoriser, asked["request_id"])
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert searched(galleries, shelf) == before | {asked["subject_id"]}
    entry = authoriser.get(f"/entries/{asked['subject_id']}").json()
    assert (entry["name"], entry["requested_by"], entry["authorised_by"]) == (
        "Aizhan Seitkali",
        "saule",
        "nurlan",
    )
    assert len(entry["references"]) == 2
    kinds = kinds_since(clients)
    order = ["entry_requested", "references_checked", "request_viewed", "request_approved", "entry_added"]
    newest = {kind: place for place, kind in enumerate(kinds)}
    assert [newest[kind] for kind in order] == sorted(newest[kind] for kind in order)


def test_a_first_gallery_is_made_for_an_approved_deployment(
    clients: Clients, galleries: GalleryService, shelf: Shelf
) -> None:
    """The seeded deployment never had one: nobody ran `aiqyn enrol` for it."""
    assert len(searched(galleries, shelf)) == 2
    assert shelf.published[0].version == 1


@pytest.mark.parametrize("username", ["aigul", "erlan", "nurlan", "root"])
def test_only_a_supervisor_asks(clients: Clients, username: str) -> None:
    body = entry_body(clients, [picture(5)])
    refused = clients.login(username).post(f"/watchlists/{clients.seeded.watchlist_id}/entries", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "role")
    assert "denied" in kinds_since(clients)


@pytest.mark.parametrize("username", ["aigul", "saule", "erlan", "root"])
def test_only_an_authoriser_decides(clients: Clients, username: str) -> None:
    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    person = clients.login(username)
    body = {"findings_seen": 0, "reason": "because"}
    assert person.post(f"/requests/{request_id}/approval", body).status_code == 403
    assert person.post(f"/requests/{request_id}/refusal", {"reason": "no"}).status_code == 403


def test_nobody_decides_her_own_request_whatever_role_she_gets(clients: Clients) -> None:
    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    with clients.seeded.services.database.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET role = 'authoriser' WHERE username = 'saule'"))
    person = clients.login("saule")
    refused = approve(clients, person, request_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_request")
    assert person.post(f"/requests/{request_id}/refusal", {"reason": "no"}).status_code == 403


def test_an_authoriser_named_for_it_decides_alone(clients: Clients) -> None:
    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    with clients.seeded.services.database.engine.begin() as connection:
        other = "(SELECT account_id FROM accounts WHERE username = 'erlan')"
        connection.execute(text(f"UPDATE list_requests SET addressed_to = {other}"))  # noqa: S608  # ours
    refused = approve(clients, clients.login("nurlan"), request_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "addressed_to_another")


def test_whoever_approves_has_seen_what_was_found(clients: Clients) -> None:
    supervisor, authoriser = clients.login("saule"), clients.login("nurlan")
    first = file_entry(clients, supervisor, [picture(5, 0)])
    second = file_entry(clients, supervisor, [picture(5, 1)], name="Somebody Else")
    shown = authoriser.get(f"/requests/{second}").json()
    (finding,) = shown["findings"]
    assert finding["kind"] in ("same_person", "look_alike")
    assert sorted(finding["names"]) == ["Aizhan Seitkali", "Somebody Else"], "one of them is only asked for"
    unseen = approve(clients, authoriser, second, findings_seen=0)
    assert (unseen.status_code, unseen.json()["code"]) == (409, "not_decidable")
    assert approve(clients, authoriser, second).status_code == 200
    assert approve(clients, authoriser, first).status_code == 200


def test_pictures_that_are_none_are_told_and_cannot_be_searched(clients: Clients) -> None:
    nobody = encode_png(paint([]))
    pictures = [nobody, b"no picture at all", picture(6)[:200], picture(6)]
    request_id = file_entry(clients, clients.login("saule"), pictures)
    authoriser = clients.login("nurlan")
    shown = authoriser.get(f"/requests/{request_id}").json()
    assert [one["outcome"] for one in shown["pictures"]] == ["no_face", "not_a_picture", "broken", "ok"]
    assert [one["has_portrait"] for one in shown["pictures"]] == [False, False, False, True]
    assert approve(clients, authoriser, request_id).status_code == 200
    entry = authoriser.get(f"/entries/{shown['subject_id']}").json()
    assert len(entry["references"]) == 1


def test_without_one_usable_picture_nobody_can_approve(clients: Clients) -> None:
    request_id = file_entry(clients, clients.login("saule"), [b"no picture at all"])
    refused = approve(clients, clients.login("nurlan"), request_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_decidable")


def test_somebody_elses_picture_among_them_is_refused(clients: Clients) -> None:
    pictures = [picture(5, 0), picture(5, 1), picture(5, 2), picture(9, 0)]
    request_id = file_entry(clients, clients.login("saule"), pictures)
    shown = clients.login("nurlan").get(f"/requests/{request_id}").json()
    assert [one["outcome"] for one in shown["pictures"]] == ["ok", "ok", "ok", "outlier"]
    assert [one["kind"] for one in shown["findings"]] == ["outlier"]


def test_a_refusal_destroys_what_was_sealed(clients: Clients) -> None:
    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    authoriser = clients.login("nurlan")
    subject_id = authoriser.get(f"/requests/{request_id}").json()["subject_id"]
    assert clients.seeded.services.keys.has_subject_key(subject_id)
    done = authoriser.post(f"/requests/{request_id}/refusal", {"reason": "no legal basis"})
    assert done.json()["state"] == "refused"
    assert not clients.seeded.services.keys.has_subject_key(subject_id)
    shown = authoriser.get(f"/requests/{request_id}").json()
    assert (shown["name"], shown["pictures"], shown["ended_reason"]) == (None, [], "no legal basis")
    again = approve(clients, authoriser, request_id)
    assert (again.status_code, again.json()["code"]) == (409, "not_decidable")


def test_a_withdrawal_is_the_requesters_alone(clients: Clients) -> None:
    saule = clients.login("saule")
    request_id = file_entry(clients, saule, [picture(5)])
    assert (
        clients.login("nurlan").post(f"/requests/{request_id}/withdrawal", {"reason": "r"}).status_code == 403
    )
    done = saule.post(f"/requests/{request_id}/withdrawal", {"reason": "found at home"})
    assert done.json()["state"] == "withdrawn"
    assert not clients.seeded.services.keys.has_subject_key(done.json()["subject_id"])


def test_a_request_nobody_decides_lapses(clients: Clients, clock: FakeClock) -> None:
    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    clock.forward(days=29)
    assert clients.seeded.services.lists.requests.lapse_once() == 0
    clock.forward(days=2)
    assert clients.seeded.services.lists.requests.lapse_once() == 1
    shown = clients.login("nurlan").get(f"/requests/{request_id}").json()
    assert (shown["state"], shown["name"]) == ("lapsed", None)


def test_the_same_request_twice_is_one(clients: Clients) -> None:
    person, body = clients.login("saule"), entry_body(clients, [picture(5)])
    path = f"/watchlists/{clients.seeded.watchlist_id}/entries"
    one, two = (person.post(path, body, key="the-same-key") for _ in range(2))
    assert one.json() == two.json()
    other = person.post(path, body | {"name": "Another"}, key="the-same-key")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    with clients.seeded.services.database.read() as session:
        assert session.query(ListRequest).count() == 1
        assert session.query(RequestPicture).count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "  "},
        {"legal_basis": ""},
        {"case_reference": " "},
        {"purpose": "\x00"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2026-03-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59+00:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"is_minor": True},
        {"minor_justification": "said of an adult"},
        {"pictures": []},
        {"pictures": [{"data_base64": "", "source": "s"}]},
        {"pictures": [{"data_base64": "AAAA", "source": " "}]},
        {"pictures": [{"data_base64": "***", "source": "s"}]},
        {"pictures": [{"data_base64": "AAAA", "source": "s"}] * 11},
    ],
)
def test_requests_that_break_a_rule(clients: Clients, changes: dict[str, Any]) -> None:
    body = entry_body(clients, [picture(5)]) | changes
    refused = clients.login("saule").post(f"/watchlists/{clients.seeded.watchlist_id}/entries", body)
    assert refused.status_code == 422, refused.text


def test_a_picture_larger_than_a_request_may_be(clients: Clients) -> None:
    body = entry_body(clients, [bytes(20 * 1024**2)])
    refused = clients.login("saule").post(f"/watchlists/{clients.seeded.watchlist_id}/entries", body)
    assert refused.status_code == 413


def test_names_and_pictures_lie_nowhere_in_clear(clients: Clients) -> None:
    body = entry_body(clients, [picture(5)])
    made = clients.login("saule").post(f"/watchlists/{clients.seeded.watchlist_id}/entries", body)
    assert made.status_code == 201
    wanted = [b"Aizhan", picture(5)[100:140]]
    for path in (clients.seeded.services.keys.folder.parent / "data").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(one in content for one in wanted), path.name


def test_a_reader_that_cannot_work_lets_requests_wait_and_says_so(seeded: Seeded) -> None:
    class Broken(PaintedReader):
        def read(self, data: bytes) -> Any:  # noqa: ARG002  # as the protocol has it
            from pipelines.errors import EnrolError

            raise EnrolError("no models here")

    clients = clients_with_reader(seeded, Broken())
    body = entry_body(clients, [picture(5)])
    clients.login("saule").post(f"/watchlists/{seeded.watchlist_id}/entries", body)
    services = clients.seeded.services
    assert services.lists.jobs.run_once() == 0
    assert services.notices() == [NOTICE], "open to anyone: it says no reason, which may name a path"
    clients.close()


def test_the_database_itself_takes_nothing_without_two_people(clients: Clients) -> None:
    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    engine = clients.seeded.services.database.engine
    attempts = {
        "UPDATE list_requests SET state = 'approved', ended_by = requested_by": "two_people",
        "UPDATE list_requests SET state = 'approved'": "two_people",
        "UPDATE subjects SET authorised_by_key = requested_by_key": "two people",
        f"UPDATE subjects SET request_id = '{request_id}'": "not approved",  # noqa: S608  # ours
        "UPDATE deployments SET requested_by_key = authorised_by_key": "two people",
        "DELETE FROM list_requests": "stays as it is",
    }
    for statement, reason in attempts.items():
        with pytest.raises(Exception, match=reason), engine.begin() as connection:
            connection.execute(text(statement))
    assert clients.login("nurlan").post(f"/requests/{request_id}/refusal", {"reason": "r"}).status_code == 200
    with pytest.raises(Exception, match="stays as it is"), engine.begin() as connection:
        connection.execute(text("UPDATE list_requests SET state = 'open'"))
    with clients.seeded.services.database.read() as session:
        assert session.query(Subject).count() == 2


def test_without_the_rule_the_database_still_refuses_one_person(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test of the rule can fail: with a build that lost it, only the database stands in the way."""
    from api import list_decisions

    request_id = file_entry(clients, clients.login("saule"), [picture(5)])
    with clients.seeded.services.database.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET role = 'authoriser' WHERE username = 'saule'"))
    monkeypatch.setattr(list_decisions, "check_approval", lambda *_: None)
    refused = approve(clients, clients.login("saule"), request_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    shown = clients.login("nurlan").get(f"/requests/{request_id}").json()
    assert shown["state"] == "open"
