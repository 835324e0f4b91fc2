"""What a judgement is proved with: every way in which a proof can fail, one row each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from aiqyn.demo.authenticator import USER_PRESENT, USER_VERIFIED, SoftwareAuthenticator, challenge_of
from api.desk import AnswerGiven
from api.errors import ForbiddenError
from api.proofs import LIFETIME, JudgementProof
from api.replays import WriteRequest
from api.review.cases import Answer
from api.review.statement import statement_digest
from api.store.asking import Asking
from api.store.models import JudgementRecord, LedgerEntry
from tests import unproved
from tests.api_client import Clients, FakeClock, Person, register
from tests.passkey_holder import PasskeyHolder

SAME = "same_person"


class Try:
    """One attempt to get an answer in, with a moment to spoil it at."""

    def __init__(self, clients: Clients) -> None:
        clients.seeded.take_in()
        self.clients = clients
        self.person = clients.login("aigul")
        self.review_id = str(self.person.queue()[0]["review_id"])
        self.asked: dict[str, Any] = self.person.ask(self.review_id, {"answer": SAME}).json()

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.asked["options"])

    def send(self, assertion: dict[str, Any] | None, *, by: Person | None = None) -> tuple[int, str]:
        body = {"answer": SAME, "assertion": assertion}
        response = (by or self.person).post(f"/reviews/{self.review_id}/judgements", body)
        return response.status_code, response.json().get("code", "")

    def signed(self) -> dict[str, Any]:
        return self.person.authenticator.get(self.options)


def no_assertion(one: Try) -> tuple[int, str]:
    return one.send(None)


def another_persons_key(one: Try) -> tuple[int, str]:
    other = one.clients.login("daniyar").authenticator
    (credential_id,) = other._keys
    return one.send(other.sign(credential_id, "localhost", one.options["challenge"]))


def a_key_nobody_registered(one: Try) -> tuple[int, str]:
    stranger = SoftwareAuthenticator(one.person.authenticator.origin)
    made = stranger.create({"rp": {"id": "localhost"}, "challenge": "x"})
    return one.send(stranger.sign(made["id"], "localhost", one.options["challenge"]))


def her_credential_and_another_key(one: Try) -> tuple[int, str]:
    stranger = SoftwareAuthenticator(one.person.authenticator.origin, count=50)
    made = stranger.create({"rp": {"id": "localhost"}, "challenge": "x"})
    assertion = stranger.sign(made["id"], "localhost", one.options["challenge"])
    return one.send(assertion | {"id": one.options["allowCredentials"][0]["id"]})


def used_before(one: Try) -> tuple[int, str]:
    """The very same assertion for the very same answer, once her first one has been taken."""
    one.clients.seeded.take_in(2)
    assertion = one.signed()
    assert one.send(assertion)[0] == 201
    one.review_id = str(one.person.queue()[0]["review_id"])
    return one.send(assertion)


def in_another_login(one: Try) -> tuple[int, str]:
    return one.send(one.signed(), by=one.clients.login("aigul"))


def too_late(one: Try) -> tuple[int, str]:
    assertion = one.signed()
    clock = one.clients.seeded.services.desk._clock
    assert isinstance(clock, FakeClock)
    clock.forward(seconds=LIFETIME.total_seconds())
    return one.send(assertion)


def asked_anew_since(one: Try) -> tuple[int, str]:
    one.person.ask(one.review_id, {"answer": SAME})
    return one.send(one.signed())


def never_asked(one: Try) -> tuple[int, str]:
    return one.send(one.person.authenticator.get(one.options | {"challenge": challenge_of("made up")}))


def another_answer(one: Try) -> tuple[int, str]:
    one.asked = one.person.ask(one.review_id, {"answer": "different"}).json()
    return one.send(one.signed())


def another_reason(one: Try) -> tuple[int, str]:
    one.asked = one.person.ask(one.review_id, {"answer": SAME, "reason": "the ears"}).json()
    return one.send(one.signed())


def another_review(one: Try) -> tuple[int, str]:
    one.clients.seeded.take_in(2)
    one.review_id = next(
        str(item["review_id"]) for item in one.person.queue() if item["review_id"] != one.review_id
    )
    return one.send(one.signed())


def another_page(one: Try) -> tuple[int, str]:
    one.person.authenticator.origin = "https://aiqyn.example"
    return one.send(one.signed())


def another_site(one: Try) -> tuple[int, str]:
    return one.send(one.person.authenticator.get(one.options | {"rpId": "aiqyn.example"}))


def nobody_recognised(one: Try) -> tuple[int, str]:
    one.person.authenticator.flags = USER_PRESENT
    return one.send(one.signed())


def nobody_there(one: Try) -> tuple[int, str]:
    one.person.authenticator.flags = USER_VERIFIED
    return one.send(one.signed())


def a_count_that_goes_back(one: Try) -> tuple[int, str]:
    """A copy of her passkey, made before its last use."""
    one.clients.seeded.take_in(2)
    copied = one.person.authenticator.count
    assert one.send(one.signed())[0] == 201
    one.person.authenticator.count = copied
    one.review_id = str(one.person.queue()[0]["review_id"])
    one.asked = one.person.ask(one.review_id, {"answer": SAME}).json()
    return one.send(one.signed())


def a_removed_passkey(one: Try) -> tuple[int, str]:
    kept = one.person.get("/passkeys").json()["items"]
    assert register(one.person, "spare").status_code == 201
    assertion = one.signed()
    assert one.person.send("DELETE", f"/passkeys/{kept[0]['passkey_id']}").status_code == 204
    return one.send(assertion)


def another_browser(one: Try) -> tuple[int, str]:
    one.person.device = "A" * 43
    return one.send(one.signed())


def no_browser(one: Try) -> tuple[int, str]:
    one.person.device = "not a mark"
    return one.send(one.signed())


def a_spoilt_signature(one: Try) -> tuple[int, str]:
    assertion = one.signed()
    assertion["response"]["signature"] = assertion["response"]["signature"][:-4] + "AAAA"
    return one.send(assertion)


def client_data_nobody_can_read(one: Try) -> tuple[int, str]:
    assertion = one.signed()
    assertion["response"]["clientDataJSON"] = "W1tbW1tb"
    return one.send(assertion)


REFUSED: list[tuple[Callable[[Try], tuple[int, str]], int, str]] = [
    (no_assertion, 403, "passkey_required"),
    (another_persons_key, 403, "passkey_unknown"),
    (a_key_nobody_registered, 403, "passkey_unknown"),
    (her_credential_and_another_key, 403, "assertion_invalid"),
    (used_before, 409, "challenge_over"),
    (in_another_login, 409, "challenge_over"),
    (too_late, 409, "challenge_over"),
    (asked_anew_since, 409, "challenge_over"),
    (never_asked, 409, "challenge_over"),
    (another_answer, 403, "other_statement"),
    (another_reason, 403, "other_statement"),
    (another_review, 403, "other_statement"),
    (another_page, 403, "assertion_invalid"),
    (another_site, 403, "assertion_invalid"),
    (nobody_recognised, 403, "assertion_invalid"),
    (nobody_there, 403, "assertion_invalid"),
    (a_count_that_goes_back, 403, "sign_count_back"),
    (a_removed_passkey, 403, "passkey_unknown"),
    (another_browser, 403, "device_changed"),
    (no_browser, 403, "device_changed"),
    (a_spoilt_signature, 403, "assertion_invalid"),
    (client_data_nobody_can_read, 403, "assertion_invalid"),
]


def assert_refused(
    clients: Clients, attempt: Callable[[Try], tuple[int, str]], status: int, code: str
) -> None:
    """The attempt is refused, so is in the ledger, and leaves no answer behind."""
    one = Try(clients)
    assert attempt(one) == (status, code)
    with clients.seeded.services.database.read() as session:
        denials = session.scalars(select(LedgerEntry.document).where(LedgerEntry.kind == "denied")).all()
        answered = [
            json.loads(str(statement))["review_id"]
            for statement in session.scalars(select(JudgementRecord.statement))
        ]
    assert code in denials[-1]
    assert one.review_id not in answered


@pytest.mark.parametrize(("attempt", "status", "code"), REFUSED)
def test_what_proves_nothing_is_refused(
    clients: Clients, attempt: Callable[[Try], tuple[int, str]], status: int, code: str
) -> None:
    assert_refused(clients, attempt, status, code)


@pytest.mark.parametrize(
    ("attempt", "break_guard"),
    [
        (no_assertion, unproved.nothing_is_asked_for),
        (another_persons_key, unproved.anybodys_passkey_will_do),
        (too_late, unproved.signed_any_number_of_times),
        (in_another_login, unproved.signed_any_number_of_times),
        (another_answer, unproved.any_statement_will_do),
        (another_reason, unproved.any_statement_will_do),
        (another_review, unproved.any_statement_will_do),
        (a_count_that_goes_back, unproved.any_count_will_do),
        (another_browser, unproved.any_browser_will_do),
        (another_page, unproved.any_page_will_do),
        (nobody_recognised, unproved.any_page_will_do),
    ],
)
def test_a_build_without_the_step_is_caught(
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
    attempt: Callable[[Try], tuple[int, str]],
    break_guard: Callable[[pytest.MonkeyPatch], None],
) -> None:
    break_guard(monkeypatch)
    refusals = {item[0]: item[1:] for item in REFUSED}
    with pytest.raises((AssertionError, IntegrityError)):
        assert_refused(clients, attempt, *refusals[attempt])


def test_what_is_signed_is_what_is_answered(clients: Clients) -> None:
    one = Try(clients)
    said = json.loads(one.asked["statement"])
    assert one.options["challenge"] == challenge_of(one.asked["statement"])
    assert one.options["userVerification"] == "required"
    assert (said["schema"], said["answer"], said["reason"]) == ("aiqyn.judgement/1", SAME, None)
    assert (said["review_id"], said["rp_id"]) == (one.review_id, "localhost")
    assert one.send(one.signed()) == (201, "")
    with clients.seeded.services.database.read() as session:
        (row,) = session.scalars(select(JudgementRecord))
    assert row.statement == one.asked["statement"]
    assert row.statement_sha256 == statement_digest(one.asked["statement"]).hex()
    assert row.assertion is not None
    assert set(row.assertion) == {"credential_id", "authenticator_data", "client_data_json", "signature"}


def test_both_judges_sign_the_same_presentation(clients: Clients) -> None:
    one = Try(clients)
    other = clients.login("daniyar").ask(one.review_id, {"answer": "cannot_tell"}).json()
    digests = {json.loads(asked["statement"])["presentation_sha256"] for asked in (one.asked, other)}
    assert len(digests) == 1
    assert set(one.asked) == set(other)


def test_a_review_answered_in_a_browser_is_not_shown_in_it_to_another(clients: Clients) -> None:
    one = Try(clients)
    assert one.send(one.signed()) == (201, "")
    guest, at_home = clients.login("daniyar", device=one.person.device), clients.login("daniyar")
    assert guest.device == one.person.device
    assert guest.queue() == []
    assert guest.get(f"/reviews/{one.review_id}").status_code == 404
    refused = guest.answer(one.review_id, SAME)
    assert (refused.status_code, refused.json()["code"]) == (403, "same_device")
    assert at_home.device != one.person.device
    assert [item["review_id"] for item in at_home.queue()] == [one.review_id]
    assert at_home.answer(one.review_id, SAME).status_code == 201


def test_a_queue_that_forgets_the_browser_is_caught(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Asking.bound
    monkeypatch.setattr(Asking, "bound", lambda self, now: real(self, now) | {"device_id": None})
    with pytest.raises(AssertionError):
        test_a_review_answered_in_a_browser_is_not_shown_in_it_to_another(clients)


def test_the_desk_itself_takes_no_answer_without_its_proof(clients: Clients) -> None:
    """Below the routes, too, there is no way in without."""
    one, services = Try(clients), clients.seeded.services
    principal = services.logins.authenticate(one.person.token)
    holder = PasskeyHolder(services, one.person.authenticator)
    given = AnswerGiven(Answer.SAME_PERSON, reason="the ears")
    request = WriteRequest.of(principal.account_id, "a-request", "judge", {})
    with pytest.raises(ForbiddenError, match="with the assertion of a passkey"):
        services.desk.judge(
            principal, one.review_id, given, JudgementProof(None, principal.device_id), request
        )
    proof = holder.proof(principal, one.review_id, given)
    with pytest.raises(ForbiddenError, match="another answer"):
        services.desk.judge(principal, one.review_id, replace(given, reason=None), proof, request)
    assert services.desk.judge(principal, one.review_id, given, proof, request)["answer"] == "same_person"


def test_an_answer_taken_back_keeps_its_proof(clients: Clients) -> None:
    one = Try(clients)
    assert one.send(one.signed()) == (201, "")
    assert one.person.post(f"/reviews/{one.review_id}/undo", {}).json()["result"] == "undone"
    with clients.seeded.services.database.read() as session:
        (row,) = session.scalars(select(JudgementRecord))
    assert row.assertion is not None
    assert row.statement == one.asked["statement"]


PROOF_COLUMNS = ("authenticator", "device_id", "statement", "statement_sha256", "assertion")


def assert_no_judgement_without(clients: Clients, column: str) -> None:
    """Whoever could write into the tables still could not copy an answer without what proves it."""
    one = Try(clients)
    copied = ("candidate_id", "account_id", "session_id", "round", "answer", "reason", "answered_at")
    chosen = ", ".join((*copied, *("NULL" if name == column else name for name in PROOF_COLUMNS)))
    columns = ", ".join(("judgement_id", *copied, *PROOF_COLUMNS))
    forged = f"INSERT INTO judgements ({columns}) SELECT 'forged', {chosen} FROM judgements"  # noqa: S608
    assert one.send(one.signed()) == (201, "")
    with (
        pytest.raises(DBAPIError, match="a judgement needs an assertion"),
        clients.seeded.services.database.engine.begin() as connection,
    ):
        connection.execute(text(forged))


@pytest.mark.parametrize("column", PROOF_COLUMNS)
def test_the_database_takes_no_judgement_without_its_proof(clients: Clients, column: str) -> None:
    assert_no_judgement_without(clients, column)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE passkeys SET public_key = credential_id",
        "UPDATE passkeys SET account_id = 'x'",
        "DELETE FROM passkeys",
        "UPDATE passkeys SET revoked_at = NULL",
    ],
)
def test_passkeys_stay_what_they_were(clients: Clients, statement: str) -> None:
    one = Try(clients)
    clients.seeded.services.accounts.reset("aigul")
    with (
        pytest.raises(Exception, match="the key of a passkey is never changed"),
        clients.seeded.services.database.engine.begin() as connection,
    ):
        connection.execute(text(statement + " WHERE revoked_at IS NOT NULL"))
    assert one.review_id
