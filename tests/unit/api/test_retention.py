"""Evidence ends by kind, age and outcome; verdicts that are awaited, confirmed ones and holds win over it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from api.holds import HoldTerms
from api.replays import WriteRequest
from api.retention import BATCH, KINDS, RetentionPolicy, RetentionSweeper, policy_of
from api.review.cases import Role, State
from api.review.scopes import WHOLE
from api.store.evidence import EvidenceRepository
from api.store.models import Account, CandidateRecord, EvidenceRecord, LedgerEntry
from pipelines.config_evidence import RetentionConfig
from pipelines.errors import EvidenceAwayError, EvidenceError
from pipelines.evidence_access import StoreAccess
from pipelines.evidence_blobs import SHELVES, Blob
from pipelines.evidence_clip import Clip
from pipelines.evidence_place import open_place
from tests.api_client import FakeChance, FakeClock
from tests.s3_server import BUCKET, KEY_ID, SECRET_KEY, S3Server
from tests.seeds import Seeded, add_control, drawn_face, drawn_frame, seed

POLICY = RetentionPolicy(
    by_kind={
        "frame": timedelta(days=10),
        "frame_redacted": timedelta(days=30),
        "probe": timedelta(days=40),
        "clip": timedelta(days=5),
        "clip_redacted": timedelta(days=30),
    },
    unconfirmed=timedelta(days=20),
    confirmed=None,
    grace=timedelta(days=7),
)
CLIP = Clip(b"a clip", "video/webm", 320, 240, 1.0, 5.0)


@pytest.fixture
def seeded(tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Seeded]:
    made = seed(tmp_path, clock=clock, chance=chance, retention=POLICY, usernames=("saule", "erlan"))
    yield made
    made.services.close()


def candidate(seeded: Seeded, track_id: int = 1, state: State = State.REJECTED) -> str:
    """One with every kind of evidence, in a state of its own."""
    store = seeded.services.evidence
    evidence = (
        store.put("frame_redacted", drawn_frame(track_id)),
        store.put("probe", drawn_face(track_id)),
        store.put("frame", drawn_frame(track_id)),
        store.put_clip("clip_redacted", CLIP),
        store.put_clip("clip", CLIP),
    )
    candidate_id = seeded.take_in(track_id, evidence=evidence)
    end(seeded, candidate_id, state)
    return candidate_id


def end(seeded: Seeded, candidate_id: str, state: State) -> None:
    with seeded.services.database.write() as session:
        session.execute(
            update(CandidateRecord)
            .where(CandidateRecord.candidate_id == candidate_id)
            .values(state=state.value)
        )


def sweep(seeded: Seeded) -> int:
    """Every shelf once on which something lies; empty ones would only take time."""
    sweeper = seeded.services.retention
    gone = 0
    for shelf in sorted({blob.ref[:2] for blob in all_blobs(seeded)} | {"00"}):
        sweeper._next_shelf = SHELVES.index(shelf)
        gone += sweeper.run_once()
    return gone


def left(seeded: Seeded, candidate_id: str) -> set[str]:
    """Kinds of which the blob is there; what the records say must be the same."""
    with seeded.services.database.read() as session:
        records = EvidenceRepository(session).of_candidate(candidate_id)
    there = {blob.ref for shelf in SHELVES for blob in seeded.services.evidence.place.blobs(shelf)}
    assert {record.kind for record in records if record.deleted_at is None} == {
        record.kind for record in records if record.ref in there
    }
    return {record.kind for record in records if record.ref in there}


def notes(seeded: Seeded, kind: str) -> list[dict[str, Any]]:
    with seeded.services.database.read() as session:
        rows = session.scalars(select(LedgerEntry).where(LedgerEntry.kind == kind))
        return [json.loads(row.document) for row in rows]


def supervisor(seeded: Seeded) -> Any:
    with seeded.services.database.read() as session:
        account = session.scalars(select(Account).where(Account.username == "saule")).one()
    return type("P", (), {"account_id": account.account_id, "role": Role.SUPERVISOR, "scope": WHOLE})()


def test_a_round_that_finds_nothing_waits_for_no_writer(seeded: Seeded) -> None:
    candidate(seeded)
    round_ = threading.Thread(target=seeded.services.retention.run_once, daemon=True)
    with seeded.services.database.write():
        round_.start()
        round_.join(10)
        assert not round_.is_alive()


def request_of(principal: Any) -> WriteRequest:
    return WriteRequest.of(principal.account_id, os.urandom(8).hex(), "hold", {})


def hold(seeded: Seeded, candidate_id: str, **terms: Any) -> str:
    who = supervisor(seeded)
    ordered = HoldTerms("case 2026-17", **terms)
    done = seeded.services.holds.set_hold(who, candidate_id, ordered, request_of(who))
    return str(done["hold_id"])


def lift(seeded: Seeded, candidate_id: str, hold_id: str) -> None:
    who = supervisor(seeded)
    seeded.services.holds.lift_hold(who, candidate_id, hold_id, "case closed", request_of(who))


class TestPolicy:
    @pytest.mark.parametrize(
        "state", [State.OPEN, State.ONE_ANSWER, State.CONFIRMED_HELD, State.DISAGREEMENT]
    )
    def test_while_somebody_is_awaited_nothing_goes(self, state: State) -> None:
        assert all(POLICY.after(kind, state) is None for kind in KINDS)

    @pytest.mark.parametrize(
        ("kind", "days"), [("clip", 5), ("frame", 10), ("frame_redacted", 20), ("probe", 20)]
    )
    def test_the_shorter_of_kind_and_outcome(self, kind: str, days: int) -> None:
        for state in (State.REJECTED, State.EXPIRED, State.INCONCLUSIVE, State.WITHDRAWN):
            assert POLICY.after(kind, state) == timedelta(days=days)

    def test_a_confirmed_one_stays_unless_told(self) -> None:
        assert POLICY.after("clip", State.CONFIRMED) is None
        told = policy_of(RetentionConfig(confirmed_days=400))
        assert told.after("clip", State.CONFIRMED) == timedelta(days=400)

    def test_controls_and_unknown_kinds_stay(self) -> None:
        assert POLICY.after("clip", State.CONTROL_PASSED) is None
        assert RetentionPolicy().after("clip", State.REJECTED) is None


class TestByAge:
    def test_kind_by_kind(self, seeded: Seeded, clock: FakeClock) -> None:
        candidate_id = candidate(seeded)
        for days, expected in (
            (4, set(KINDS)),
            (2, set(KINDS) - {"clip"}),
            (5, set(KINDS) - {"clip", "frame"}),
            (10, set()),
        ):
            clock.forward(days=days)
            sweep(seeded)
            assert left(seeded, candidate_id) == expected

    def test_what_is_awaited_or_confirmed_outlasts_it(self, seeded: Seeded, clock: FakeClock) -> None:
        states = (State.OPEN, State.DISAGREEMENT, State.CONFIRMED, State.REJECTED)
        ids = [candidate(seeded, track_id, state) for track_id, state in enumerate(states, 1)]
        clock.forward(days=3000)
        sweep(seeded)
        assert [bool(left(seeded, candidate_id)) for candidate_id in ids] == [True, True, True, False]

    def test_it_says_how_many_and_which_and_not_what(self, seeded: Seeded, clock: FakeClock) -> None:
        candidate_id = candidate(seeded)
        clock.forward(days=30)
        sweep(seeded)
        (note,) = notes(seeded, "evidence_deleted")
        with seeded.services.database.read() as session:
            records = EvidenceRepository(session).of_candidate(candidate_id)
        hashes = sorted(str(record.item["sha256_sealed"]) for record in records)
        assert note["detail"]["sha256"] == hashes
        assert note["detail"]["kinds"] == dict.fromkeys(KINDS, 1)
        assert candidate_id not in json.dumps(note)

    def test_a_picture_two_candidates_share_goes_with_the_last(
        self, seeded: Seeded, clock: FakeClock
    ) -> None:
        evidence = seeded.evidence(1)
        one, other = (seeded.take_in(track_id, evidence=evidence) for track_id in (1, 2))
        end(seeded, one, State.REJECTED)
        clock.forward(days=30)
        sweep(seeded)
        assert seeded.services.evidence.read(evidence[0])
        end(seeded, other, State.REJECTED)
        sweep(seeded)
        with pytest.raises(EvidenceError, match="missing"):
            seeded.services.evidence.read(evidence[0])

    def test_more_than_a_batch(self, seeded: Seeded, clock: FakeClock) -> None:
        ids = [candidate(seeded, track_id) for track_id in range(1, 2 + BATCH // 5)]
        clock.forward(days=30)
        sweep(seeded)
        assert not any(left(seeded, candidate_id) for candidate_id in ids)
        assert all(len(note["detail"]["sha256"]) <= BATCH for note in notes(seeded, "evidence_deleted"))

    def test_a_store_that_is_away_loses_no_deletion(
        self, seeded: Seeded, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        candidate_id = candidate(seeded)
        place = seeded.services.evidence.place
        clock.forward(days=30)
        with monkeypatch.context() as away:
            away.setattr(place, "delete", _away)
            with pytest.raises(EvidenceAwayError):
                seeded.services.retention.run_once()
        sweep(seeded)
        assert left(seeded, candidate_id) == set()


def _away(ref: str) -> bool:
    raise EvidenceAwayError(ref)


class TestHolds:
    def test_held_evidence_is_never_deleted(self, seeded: Seeded, clock: FakeClock) -> None:
        held, other = candidate(seeded, 1), candidate(seeded, 2)
        hold(seeded, held)
        clock.forward(days=36_000)
        sweep(seeded)
        sweep(seeded)
        assert left(seeded, held) == set(KINDS)
        assert left(seeded, other) == set()

    def test_until_it_ends_by_itself(self, seeded: Seeded, clock: FakeClock) -> None:
        held = candidate(seeded)
        hold(seeded, held, until=clock.now + timedelta(days=100))
        clock.forward(days=99)
        sweep(seeded)
        assert left(seeded, held) == set(KINDS)
        clock.forward(days=2)
        sweep(seeded)
        assert left(seeded, held) == set()

    def test_until_it_is_lifted(self, seeded: Seeded, clock: FakeClock) -> None:
        held = candidate(seeded)
        hold_id = hold(seeded, held)
        clock.forward(days=300)
        sweep(seeded)
        assert left(seeded, held) == set(KINDS)
        lift(seeded, held, hold_id)
        sweep(seeded)
        assert left(seeded, held) == set()

    def test_a_second_hold_counts_when_the_first_has_ended(self, seeded: Seeded, clock: FakeClock) -> None:
        held = candidate(seeded)
        hold(seeded, held, until=clock.now + timedelta(days=1))
        hold(seeded, held)
        clock.forward(days=300)
        sweep(seeded)
        assert left(seeded, held) == set(KINDS)

    def test_a_sweeper_that_forgets_holds_is_caught(
        self, seeded: Seeded, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The guard of these tests."""
        held = candidate(seeded)
        hold(seeded, held)
        clock.forward(days=30)
        monkeypatch.setattr("api.store.evidence._in_force", lambda _: [EvidenceRecord.ref == "none"])
        sweep(seeded)
        assert left(seeded, held) == set()


class TestNamedByNobody:
    def test_after_its_time_of_grace(self, seeded: Seeded, clock: FakeClock) -> None:
        """What a worker sealed for a candidate that never came."""
        stray = seeded.services.evidence.put("probe", drawn_face(9))
        kept = candidate(seeded, state=State.OPEN)
        clock.forward(days=6.9)
        sweep(seeded)
        assert seeded.services.evidence.read(stray)
        clock.forward(days=0.2)
        sweep(seeded)
        with pytest.raises(EvidenceError, match="missing"):
            seeded.services.evidence.read(stray)
        assert left(seeded, kept) == set(KINDS)
        told = [note["detail"] for note in notes(seeded, "unnamed_evidence_deleted")]
        assert stray.sha256_sealed in [sha256 for one in told for sha256 in one["sha256"]]
        assert all(one["blobs"] == len(one["sha256"]) for one in told)


def test_a_round_takes_no_more_than_a_batch(seeded: Seeded, clock: FakeClock) -> None:
    place = seeded.services.evidence.place
    for number in range(BATCH + 20):
        place.write(f"aa/aa{number:062x}.sealed", b"sealed")
    clock.forward(days=8)
    sweeper = seeded.services.retention
    sweeper._next_shelf = 0xAA
    assert sweeper.run_once() == BATCH
    assert sweeper.run_once() == 20
    assert sweeper._next_shelf == 0xAB


def test_a_round_goes_from_shelf_to_shelf(seeded: Seeded) -> None:
    for _ in range(len(SHELVES) + 3):
        assert seeded.services.retention.run_once() == 0
    assert seeded.services.retention._next_shelf == 3


class TestNamedBySomebody:
    def test_controls_keep_theirs(self, seeded: Seeded, clock: FakeClock) -> None:
        before = len(all_blobs(seeded))
        add_control(seeded, clip_redacted=CLIP)
        clock.forward(days=5000)
        sweep(seeded)
        assert len(all_blobs(seeded)) == before + 3

    def test_superseded_pictures_of_a_revision_stay_with_their_candidate(
        self, seeded: Seeded, clock: FakeClock
    ) -> None:
        seeded.take_in()
        seeded.services.intake.accept(seeded.candidate(revision=2, face=7))
        clock.forward(days=100)
        sweep(seeded)
        assert len(all_blobs(seeded)) == 4


def all_blobs(seeded: Seeded) -> list[Blob]:
    return [blob for shelf in SHELVES for blob in seeded.services.evidence.place.blobs(shelf)]


def test_in_s3_alike(seeded: Seeded, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIQYN_EVIDENCE_KEY_ID", KEY_ID)
    monkeypatch.setenv("AIQYN_EVIDENCE_SECRET_KEY", SECRET_KEY)
    server = S3Server()
    try:
        place = open_place(
            f"s3://{BUCKET}", StoreAccess(endpoint_url=server.endpoint_url, region="us-east-1")
        )
        evidence = seeded.evidence(1)
        for item in evidence:
            place.write(item.ref, b"sealed")
        stray = "aa/" + "a" * 64 + ".sealed"
        place.write(stray, b"a stray")
        held = seeded.take_in(1, evidence=evidence)
        end(seeded, held, State.REJECTED)
        hold(seeded, held)
        shelf = type("Cabinet", (), {"place": place})()
        sweeper = RetentionSweeper(seeded.services.database, shelf, POLICY, clock)
        clock.forward(days=30)
        for number in sorted({int(item.ref[:2], 16) for item in evidence} | {0xAA}):
            sweeper._next_shelf = number
            sweeper.run_once()
        assert stray not in [blob.ref for blob in place.blobs("aa")]
        assert all(place.read(item.ref) == b"sealed" for item in evidence)
    finally:
        server.stop()
