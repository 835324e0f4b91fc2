"""Clips in reviews: both judges get the same or neither does, and no clip tells a control from a candidate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api.intake import Taken
from api.late_evidence import WAIT_SHARE, control_clip
from api.review.policies import ReviewPolicy
from api.store.models import (
    CandidateRecord,
    ControlItem,
    EvidenceRecord,
    LedgerEntry,
    PresentedEvidence,
    Review,
)
from pipelines.evidence_clip import Clip
from tests.api_client import Clients, FakeChance, FakeClock, Person
from tests.seeds import Seeded, add_control, seed

CLIP = Clip(b"\x1aE\xdf\xa3 redacted", "video/webm", 320, 240, 1.0, 9.5)
ORIGINAL = Clip(b"the camera's own", "video/mp4", 1920, 1080, 0.5, 10.0)
POLICY = ReviewPolicy(hold=timedelta(0), control_share=0.0, control_first=True, control_spread=timedelta(0))


class Sighted:
    """A candidate and the revision of it that carries its clips."""

    def __init__(self, seeded: Seeded, track_id: int = 1) -> None:
        self.seeded, self.track_id = seeded, track_id
        self.evidence = seeded.evidence(track_id)
        self.candidate_id = seeded.take_in(track_id, evidence=self.evidence)

    def clip_comes(self, revision: int = 2, *, clip: Clip = CLIP) -> Taken:
        store = self.seeded.services.evidence
        clips = (store.put_clip("clip_redacted", clip), store.put_clip("clip", ORIGINAL))
        return self.seeded.services.intake.accept(
            self.seeded.candidate(self.track_id, revision=revision, evidence=(*self.evidence, *clips))
        )


def review_of(person: Person) -> dict[str, Any]:
    (review,) = person.queue()
    return review


def addresses(seeded: Seeded) -> list[str]:
    """Of the pictures of the one review, in order."""
    with seeded.services.database.read() as session:
        return list(
            session.scalars(select(PresentedEvidence.evidence_id).order_by(PresentedEvidence.position))
        )


class TestBeforeAnybodyWasListedIt:
    def test_it_joins_a_review_that_is_the_same_otherwise(self, clients: Clients) -> None:
        sighted, person = Sighted(clients.seeded), clients.login("aigul")
        before = addresses(clients.seeded)
        assert sighted.clip_comes() is Taken.UPDATED
        after = review_of(person)
        assert addresses(clients.seeded) == [*before, after["clip"]["evidence_id"]]
        assert after["clip"] | {"evidence_id": ""} == {
            "evidence_id": "",
            "width": 320,
            "height": 240,
            "began_pts_seconds": 1.0,
            "duration_seconds": 9.5,
        }

    def test_it_plays(self, clients: Clients) -> None:
        sighted, person = Sighted(clients.seeded), clients.login("aigul")
        sighted.clip_comes()
        shown = person.get(f"/evidence/{review_of(person)['clip']['evidence_id']}")
        assert (shown.headers["content-type"], shown.content) == ("video/webm", CLIP.content)
        assert shown.headers["x-content-type-options"] == "nosniff"

    def test_a_further_revision_keeps_it(self, clients: Clients) -> None:
        sighted, person = Sighted(clients.seeded), clients.login("aigul")
        sighted.clip_comes()
        sighted.evidence = clients.seeded.evidence(8)
        sighted.clip_comes(3)
        assert review_of(person)["clip"]["duration_seconds"] == 9.5

    def test_the_original_is_never_shown(self, clients: Clients) -> None:
        sighted, person = Sighted(clients.seeded), clients.login("aigul")
        sighted.clip_comes()
        assert "1920" not in person.get(f"/reviews/{review_of(person)['review_id']}").text

    def test_both_judges_get_it(self, clients: Clients) -> None:
        sighted = Sighted(clients.seeded)
        sighted.clip_comes()
        first, second = clients.login("aigul"), clients.login("daniyar")
        review_id = review_of(first)["review_id"]
        seen = first.get(f"/reviews/{review_id}").content
        assert first.answer(review_id, "same_person").status_code == 201
        assert second.get(f"/reviews/{review_id}").content == seen
        assert b"duration_seconds" in seen


class TestOnceItWasListed:
    def test_neither_judge_gets_it_and_it_is_kept(self, clients: Clients) -> None:
        sighted = Sighted(clients.seeded)
        first, second = clients.login("aigul"), clients.login("daniyar")
        review_id = review_of(first)["review_id"]
        seen = first.get(f"/reviews/{review_id}").content
        assert sighted.clip_comes() is Taken.FROZEN
        assert first.get(f"/reviews/{review_id}").content == seen
        assert first.answer(review_id, "same_person").status_code == 201
        assert second.get(f"/reviews/{review_id}").content == seen
        with clients.seeded.services.database.read() as session:
            late = session.scalars(select(EvidenceRecord).where(EvidenceRecord.late)).all()
            row = session.scalars(select(CandidateRecord)).one()
            kinds = set(session.scalars(select(LedgerEntry.kind)))
        assert {record.kind for record in late} == {"clip", "clip_redacted"}
        assert row.revision == 1
        assert row.event is not None
        assert len(row.event["evidence"]) == 2
        assert "late_evidence_kept" in kinds

    def test_a_late_one_again_is_no_news(self, clients: Clients) -> None:
        sighted, person = Sighted(clients.seeded), clients.login("aigul")
        person.get(f"/reviews/{review_of(person)['review_id']}")
        sighted.clip_comes()
        with clients.seeded.services.database.read() as session:
            before = len(session.scalars(select(EvidenceRecord)).all())
        candidate = clients.seeded.candidate(revision=3, evidence=sighted.evidence)
        assert clients.seeded.services.intake.accept(candidate) is Taken.FROZEN
        with clients.seeded.services.database.read() as session:
            assert len(session.scalars(select(EvidenceRecord)).all()) == before


class TestControls:
    @pytest.fixture
    def mixed(self, tmp_path: Path, clock: FakeClock, chance: FakeChance) -> Iterator[Clients]:
        """A deployment whose controls have clips; its camera's took seven seconds before."""
        chance.value = 0.5
        seeded = seed(tmp_path, policy=POLICY, clock=clock, chance=chance)
        earlier = Sighted(seeded, 90)
        clock.forward(seconds=7)
        earlier.clip_comes()
        add_control(seeded, clip_redacted=CLIP)
        clock.forward(seconds=1)  # so that it is the first of the queue
        made = Clients(seeded)
        yield made
        made.close()

    def clips_in_queue(self, person: Person) -> list[bool]:
        return [review["clip"] is not None for review in person.queue()]

    def test_a_candidate_waits_for_its_clip_and_its_control_as_long(
        self, mixed: Clients, clock: FakeClock
    ) -> None:
        """Without a clip nobody could tell whether it was late, or somebody had opened the review before it came."""
        person = mixed.login("aigul")
        assert self.clips_in_queue(person) == [True]
        sighted = Sighted(mixed.seeded)
        clock.forward(seconds=6.9)
        assert self.clips_in_queue(person) == [True]
        clock.forward(seconds=0.1)
        sighted.clip_comes()
        assert self.clips_in_queue(person) == [True, True, True]
        shapes = [{name: type(value) for name, value in one["clip"].items()} for one in person.queue()]
        assert shapes[0] == shapes[1] == shapes[2]

    def test_it_does_not_wait_for_ever(self, mixed: Clients, clock: FakeClock) -> None:
        sighted, person = Sighted(mixed.seeded), mixed.login("aigul")
        clock.forward(seconds=7 * WAIT_SHARE + 0.1)
        assert sorted(self.clips_in_queue(person)) == [False, True, True]
        assert sighted.clip_comes() is Taken.FROZEN
        assert sorted(self.clips_in_queue(person)) == [False, True, True]

    def test_what_waits_for_its_clip_cannot_be_opened(self, mixed: Clients) -> None:
        person = mixed.login("aigul")
        sighted = Sighted(mixed.seeded)
        with mixed.seeded.services.database.read() as session:
            review = session.scalars(select(Review).where(Review.candidate_id == sighted.candidate_id)).one()
        assert person.get(f"/reviews/{review.review_id}").status_code == 404
        assert person.answer(review.review_id, "different").status_code == 404

    def test_a_control_lacks_its_clip_as_often_as_candidates_do(
        self, mixed: Clients, clock: FakeClock
    ) -> None:
        person = mixed.login("aigul")
        for track_id in (2, 3):
            Sighted(mixed.seeded, track_id)
            clock.forward(seconds=60)
        assert sorted(self.clips_in_queue(person)) == [False, False, True, True]
        add_control(mixed.seeded, face=6, clip_redacted=CLIP)
        for draw, shown in ((0.3, True), (0.4, False)):
            item, now = next(iter(_items(mixed.seeded))), clock.now
            with mixed.seeded.services.database.read() as session:
                clip = control_clip(session, item, now, draw)
            assert (clip is not None) is shown, "one of three had one"

    def test_where_a_control_has_none_nobody_is_shown_one(self, mixed: Clients) -> None:
        add_control(mixed.seeded, face=5)
        sighted = Sighted(mixed.seeded, 2)
        sighted.clip_comes()
        person = mixed.login("aigul")
        assert self.clips_in_queue(person)[1:] == [False, False]

    def test_where_the_camera_sends_none_a_control_has_none(
        self, tmp_path: Path, clock: FakeClock, chance: FakeChance
    ) -> None:
        seeded = seed(tmp_path, policy=POLICY, clock=clock, chance=chance)
        add_control(seeded, clip_redacted=CLIP)
        clients = Clients(seeded)
        Sighted(seeded)
        clock.forward(seconds=60)
        assert self.clips_in_queue(clients.login("aigul")) == [False, False]
        clients.close()


def _items(seeded: Seeded) -> list[ControlItem]:
    with seeded.services.database.read() as session:
        return list(session.scalars(select(ControlItem)))
