"""When a finding is told, told again, and taken back; on made-up decisions and on painted people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.findings import Finding
from pipelines.revisions import RevisionRules, Telling, Tellings
from pipelines.session import CameraSession
from tests.fake_engine import FakeEmbedder, Painted, face_of, fake_engines, frame
from tests.unit.pipelines.session_play import ANN, EVERY_FRAME, LONG_LIST, STRANGER, Play, someone
from vision.identify.fusion import Decision
from vision.identify.gallery import Gallery
from vision.types import Float32, Image

FLOOR, THRESHOLD = 0.2, 0.4
"""A quarter of the way between them, 0.05, is material."""


def decision(similarity: float, *, single_look: bool = False, subject_id: str = "ann") -> Decision:
    return Decision(subject_id, similarity, THRESHOLD, single_look, 5, ())


@pytest.fixture
def told() -> Tellings:
    tellings = Tellings(RevisionRules(max_revisions=4), FLOOR)
    assert tellings.decided(decision(0.5), 0.5, 0.0) == Telling(decision(0.5), 1)
    return tellings


@pytest.mark.parametrize(
    ("similarity", "score", "pts_seconds", "expected"),
    [
        pytest.param(0.54, 0.5, 5.0, None, id="a little more similar"),
        pytest.param(0.56, 0.5, 5.0, (2, False), id="materially more"),
        pytest.param(0.44, 0.5, 5.0, (2, False), id="materially less, still enough"),
        pytest.param(0.56, 0.5, 0.9, None, id="too soon"),
        pytest.param(0.5, 0.59, 5.0, None, id="a little better picture"),
        pytest.param(0.5, 0.61, 5.0, (2, False), id="a better picture"),
        pytest.param(0.39, 0.9, 5.0, None, id="just below the threshold: what was said stands"),
        pytest.param(0.36, 0.5, 5.0, None, id="not clearly below"),
        pytest.param(0.34, 0.5, 5.0, (2, True), id="clearly below"),
        pytest.param(0.34, 0.5, 0.1, (2, True), id="clearly below, at once"),
    ],
)
def test_what_a_later_look_leads_to(
    told: Tellings, similarity: float, score: float, pts_seconds: float, expected: tuple[int, bool] | None
) -> None:
    telling = told.looked_again(decision(similarity), score, pts_seconds)
    assert (telling and (telling.revision, telling.withdrawn)) == expected


def test_fused_looks_take_the_place_of_one() -> None:
    tellings = Tellings(RevisionRules(), FLOOR)
    tellings.decided(decision(0.5, single_look=True), 0.5, 0.0)
    telling = tellings.looked_again(decision(0.5), 0.5, 1.0)
    assert telling is not None
    assert (telling.revision, telling.decision.single_look) == (2, False)


def test_a_withdrawn_one_comes_back_by_several_looks_and_not_by_one(told: Tellings) -> None:
    assert told.looked_again(decision(0.3), 0.5, 1.0) is not None
    assert told.looked_again(decision(0.6), 0.5, 9.0) is None
    assert told.decided(decision(0.9, single_look=True), 0.5, 9.0) is None
    again = told.decided(decision(0.45), 0.5, 9.0)
    assert again is not None
    assert (again.revision, again.withdrawn) == (3, False)


def test_tellings_are_bounded_and_the_last_word_may_be_a_withdrawal(told: Tellings) -> None:
    revisions = []
    for step in range(40):
        telling = told.looked_again(decision(0.5 + 0.1 * (step % 2)), 0.5, 2.0 * step)
        revisions += [telling.revision] if telling else []
    assert revisions == [2, 3, 4]
    last = told.looked_again(decision(0.1), 0.5, 100.0)
    assert last is not None
    assert (last.revision, last.withdrawn) == (5, True)
    assert told.decided(decision(0.9), 0.5, 101.0) is None
    assert told.looked_again(decision(0.1), 0.5, 102.0) is None


class TwoFaced(FakeEmbedder):
    """Looks like Ann at first; what comes after is more and more somebody unlisted, yet never another face."""

    def embed(self, image: Image, landmarks: Float32) -> Float32:  # noqa: ARG002 - the protocol's
        self.faces_embedded += len(landmarks)
        share = 0.75 if self.faces_embedded <= 3 else 0.2
        mixed = share * face_of(ANN) + np.sqrt(1 - share**2) * face_of(STRANGER)
        return np.tile(mixed / np.linalg.norm(mixed), (len(landmarks), 1)).astype(np.float32)


def test_a_track_that_turns_out_to_be_nobody_listed_is_taken_back_once() -> None:
    session = CameraSession(fake_engines(embedder=TwoFaced()), EVERY_FRAME)
    session.set_gallery(LONG_LIST)
    findings: list[Finding] = []
    for index in range(80):
        result = session.process(frame([someone(ANN)], index / 10, index))
        findings += result.findings if result else ()
    assert (findings[0].revision, findings[0].withdrawn) == (1, False)
    assert [finding.withdrawn for finding in findings[1:]].count(True) == 1
    last = findings[-1]
    assert last.withdrawn
    assert last.similarity < last.threshold
    assert [finding.revision for finding in findings] == list(range(1, len(findings) + 1))
    assert {(finding.track_id, finding.subject_id) for finding in findings} == {(1, "ann")}


def test_a_better_picture_revises_and_brings_the_others_along() -> None:
    play = Play(gallery=LONG_LIST)
    play.show(Painted(ANN, (100, 60, 130, 90)), times=15)
    for side in (40, 50, 60, 70):
        play.show(Painted(ANN, (100, 60, 100 + side, 60 + side)), times=12)
    first, last = play.findings[0], play.findings[-1]
    assert first.best_look.quality.face_size_px == pytest.approx(30)
    assert last.best_look.quality.face_size_px == pytest.approx(70)
    assert last.revision > 1
    assert last.more_looks
    for look in last.more_looks:
        assert look.frame.image.size < last.best_look.frame.image.size
        assert look.frame.image.base is None  # no view that would keep a whole frame alive
        x, y = look.landmarks[2].astype(int)
        assert look.frame.image[y, x, 0] == ANN


def test_at_most_one_revision_a_second() -> None:
    play = Play(gallery=LONG_LIST)
    for side in range(30, 90, 2):
        play.show(Painted(ANN, (100, 60, 100 + side, 60 + side)), times=2)
    times = [finding.pts_seconds for finding in play.findings]
    assert len(times) > 2
    assert min(np.diff(times)) >= 1.0 - 1e-9


def test_a_crowd_is_looked_at_in_turns_and_everybody_is_found() -> None:
    people = [
        Painted(10 * n + 5, (8 + 60 * (n % 5), 10 + 70 * (n // 5), 38 + 60 * (n % 5), 40 + 70 * (n // 5)))
        for n in range(15)
    ]
    gallery = Gallery(np.stack([face_of(one.person) for one in people]), [f"p{one.person}" for one in people])
    options = replace(EVERY_FRAME, faces=replace(EVERY_FRAME.faces, max_looks_per_frame=4))
    play = Play(options, gallery)
    play.show(*people)
    assert play.embedder.faces_embedded == 4
    play.show(*people, times=15)
    assert {finding.subject_id for finding in play.findings} == set(gallery.subjects)


class Keeping(FakeEmbedder):
    """Keeps the very arrays it gave away."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Float32] = []

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        self.given.append(super().embed(image, landmarks))
        return self.given[-1]


def test_what_the_embedder_gave_is_overwritten_at_once() -> None:
    embedder = Keeping()
    session = CameraSession(fake_engines(embedder=embedder), EVERY_FRAME)
    session.set_gallery(LONG_LIST)
    for index in range(6):
        session.process(frame([someone(STRANGER), someone(ANN, 220)], index / 10, index))
    assert len(embedder.given) == 6
    assert not any(rows.any() for rows in embedder.given)
