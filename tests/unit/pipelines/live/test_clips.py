"""`pipelines.live.clips`: asked for when it is over, sealed when it comes, announced as a revision of the same candidate."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pipelines.config_evidence import ClipConfig
from pipelines.errors import EvidenceError
from pipelines.events import Candidate
from pipelines.evidence import EvidenceReader, EvidenceStore
from pipelines.findings import FaceSeen, FrameResult
from pipelines.live import clips
from pipelines.live.clip_memory import to_memory
from pipelines.live.clip_messages import ClipMade, ClipPart, ClipWanted
from pipelines.live.clips import ClipDesk, ClipKeeper
from pipelines.live.messages import MOST_BYTES, encode
from tests.event_builders import make_candidate
from vision.types import Frame

PRIVATE = X25519PrivateKey.generate()
BEFORE, AFTER = 2.0, 3.0
REDACTED, ORIGINAL = b"\x1aE\xdf\xa3 a redacted clip", b"an original clip"


class Bench:
    """A desk whose decoder is the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[ClipWanted] = []
        self.published: list[Candidate] = []
        self.store = EvidenceStore(str(folder), PRIVATE.public_key())
        self.desk = ClipDesk(self.asked.append, self.store, self._publish)
        keeper = self.desk.keeper("gate", ClipConfig(seconds_before=BEFORE, seconds_after=AFTER))
        assert keeper is not None
        self.keeper: ClipKeeper = keeper

    def _publish(self, candidate: Candidate) -> Candidate:
        self.published.append(candidate)
        return candidate

    def announce(self, **changes: object) -> Candidate:
        return self.keeper.announce(make_candidate(**changes), self._publish)  # type: ignore[arg-type]  # fields

    def answer(self, wanted: ClipWanted, **changes: object) -> None:
        parts = (part("clip_redacted", REDACTED), part("clip", ORIGINAL))
        made = ClipMade(wanted.camera_id, wanted.clip_id, parts)
        fields = {name: getattr(made, name) for name in ClipMade.__slots__} | changes
        self.desk.made(ClipMade(**fields), [to_memory(REDACTED), to_memory(ORIGINAL)])

    def sealed(self) -> int:
        return len(list(self.folder.rglob("*.sealed")))


def part(kind: str, content: bytes) -> ClipPart:
    media_type = "video/webm" if kind == "clip_redacted" else "video/mp4"
    return ClipPart(kind, media_type, 320, 240, 1.2, 5.0, len(content))  # type: ignore[arg-type]  # literals


def result(pts_seconds: float, *faces: FaceSeen) -> FrameResult:
    image = np.zeros((100, 200, 3), np.uint8)
    return FrameResult(Frame(image, pts_seconds, round(pts_seconds * 10)), faces)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class TestAsking:
    def test_once_and_only_when_its_end_has_passed(self, bench: Bench) -> None:
        bench.announce(pts_seconds=10.0)
        bench.keeper.passed(12.9)
        assert bench.asked == []
        bench.keeper.passed(13.0)
        bench.keeper.passed(20.0)
        (wanted,) = bench.asked
        assert (wanted.camera_id, wanted.began_pts_seconds, wanted.ended_pts_seconds) == ("gate", 8.0, 13.0)

    def test_with_the_path_of_its_own_track(self, bench: Bench) -> None:
        for step in range(60):
            pts_seconds = 6.0 + step / 5
            bench.keeper.saw(
                result(
                    pts_seconds,
                    FaceSeen((20.0, 10.0, 40.0, 30.0), 0.9, 1),
                    FaceSeen((45.0, 10.0, 60.0, 30.0), 0.9, 2),
                    FaceSeen((150.0, 70.0, 170.0, 90.0), 0.9, None),
                )
            )
            if step == 20:
                bench.announce(pts_seconds=pts_seconds, track_id=1)
            bench.keeper.passed(pts_seconds)
        (wanted,) = bench.asked
        assert {look.xyxy for look in wanted.looks} == {(0.1, 0.1, 0.2, 0.3)}
        assert {look.others_xyxy for look in wanted.looks} == {((0.225, 0.1, 0.3, 0.3),)}
        times = [look.pts_seconds for look in wanted.looks]
        assert min(times) >= wanted.began_pts_seconds - 1
        assert max(times) <= wanted.ended_pts_seconds + 1
        assert max(b - a for a, b in pairwise(times)) < 0.21

    def test_in_stillness_everybody_is_where_they_were(self, bench: Bench) -> None:
        bench.keeper.saw(result(10.0, FaceSeen((20.0, 10.0, 40.0, 30.0), 0.9, 1)))
        bench.announce(pts_seconds=10.0, track_id=1)
        for step in range(1, 40):
            bench.keeper.still(10.0 + step / 10)
            bench.keeper.passed(10.0 + step / 10)
        (wanted,) = bench.asked
        assert max(look.pts_seconds for look in wanted.looks) > 12.9

    def test_a_long_path_fits_a_message(self, bench: Bench) -> None:
        crowd = [FaceSeen((20.0 + n, 10.0, 40.0 + n, 30.0), 0.9, n) for n in range(1, 12)]
        for step in range(100):
            bench.keeper.saw(result(8.0 + step / 25, *crowd))
        bench.announce(pts_seconds=8.5, track_id=1)
        bench.keeper.passed(99.0)
        assert len(encode(bench.asked[0])) < MOST_BYTES / 2

    def test_nothing_for_one_that_was_taken_back(self, bench: Bench) -> None:
        bench.announce(pts_seconds=10.0)
        bench.announce(pts_seconds=10.0, revision=2, withdrawn=True, evidence=())
        bench.keeper.passed(99.0)
        assert bench.asked == []

    def test_a_camera_that_ends_early(self, bench: Bench) -> None:
        bench.announce(pts_seconds=10.0)
        bench.keeper.ended()
        assert len(bench.asked) == 1

    def test_none_where_none_is_wanted(self, bench: Bench) -> None:
        assert bench.desk.keeper("gate", ClipConfig(seconds_before=0, seconds_after=0)) is None

    def test_paths_do_not_grow_for_ever(self, bench: Bench) -> None:
        for step in range(2000):
            bench.keeper.saw(result(step / 5, FaceSeen((20.0, 10.0, 40.0, 30.0), 0.9, step // 10 + 1)))
        assert len(bench.keeper._paths) < 12
        assert sum(map(len, bench.keeper._paths.values())) < 60


class TestAnnouncing:
    def due(self, bench: Bench) -> ClipWanted:
        bench.announce(pts_seconds=10.0)
        bench.keeper.passed(13.0)
        return bench.asked[0]

    def test_the_same_candidate_with_more_evidence(self, bench: Bench) -> None:
        bench.answer(self.due(bench))
        first, second = bench.published
        assert second.revision == 2
        assert second.evidence[: len(first.evidence)] == first.evidence
        redacted, original = second.evidence[len(first.evidence) :]
        assert (redacted.kind, redacted.media_type) == ("clip_redacted", "video/webm")
        assert (original.kind, original.media_type) == ("clip", "video/mp4")
        assert (original.began_pts_seconds, original.duration_seconds) == (1.2, 5.0)
        changed = {"revision": 1, "evidence": first.evidence}
        assert second.model_copy(update=changed) == first

    def test_sealed_so_that_the_worker_cannot_read_it(self, bench: Bench) -> None:
        bench.answer(self.due(bench))
        redacted, original = bench.published[1].evidence[-2:]
        assert EvidenceReader(str(bench.folder), PRIVATE).read(redacted) == REDACTED
        assert EvidenceReader(str(bench.folder), PRIVATE).read(original) == ORIGINAL
        with pytest.raises(EvidenceError, match="another key"):
            EvidenceReader(str(bench.folder), X25519PrivateKey.generate()).read(original)
        with pytest.raises(EvidenceError, match="another place"):
            EvidenceReader(str(bench.folder), PRIVATE).read(
                original.model_copy(update={"kind": "clip_redacted"})
            )
        assert not any(REDACTED in path.read_bytes() for path in bench.folder.rglob("*.sealed"))

    def test_revisions_go_on_from_there(self, bench: Bench) -> None:
        wanted = self.due(bench)
        bench.announce(revision=2, similarity=0.8)
        bench.answer(wanted)
        bench.announce(revision=3, similarity=0.9)
        assert [one.revision for one in bench.published] == [1, 2, 3, 4]
        assert [one.similarity for one in bench.published] == [0.71, 0.8, 0.8, 0.9]
        assert [one.kind for one in bench.published[3].evidence] == ["probe", "clip_redacted", "clip"]

    def test_a_later_withdrawal_is_newer_than_the_clip(self, bench: Bench) -> None:
        bench.answer(self.due(bench))
        taken_back = bench.announce(revision=2, withdrawn=True, evidence=())
        assert (taken_back.revision, taken_back.evidence) == (3, ())

    def test_a_clip_that_comes_too_late_is_not_even_sealed(self, bench: Bench) -> None:
        wanted = self.due(bench)
        bench.announce(revision=2, withdrawn=True, evidence=())
        bench.answer(wanted)
        assert bench.sealed() == 0
        assert len(bench.published) == 2

    @pytest.mark.parametrize(
        "changes",
        [
            {"clip_id": uuid.uuid4().hex},
            {"camera_id": "yard"},
            {"problem": "nothing of that time is held", "parts": ()},
            {"parts": (part("clip_redacted", REDACTED),)},
            {"parts": (part("clip_redacted", REDACTED), part("clip", b"other size"))},
        ],
    )
    def test_what_does_not_fit_is_passed_over_and_its_memory_closed(
        self, bench: Bench, changes: dict[str, object]
    ) -> None:
        wanted = self.due(bench)
        before = open_descriptors()
        bench.answer(wanted, **changes)
        assert len(bench.published) == 1
        assert open_descriptors() == before

    def test_once_the_worker_ends_nothing_is_announced(self, bench: Bench) -> None:
        wanted = self.due(bench)
        before = open_descriptors()
        bench.desk.close()
        bench.answer(wanted)
        assert len(bench.published) == 1
        assert bench.sealed() == 0
        assert open_descriptors() == before

    def test_the_same_answer_twice_is_one(self, bench: Bench) -> None:
        wanted = self.due(bench)
        bench.answer(wanted)
        bench.answer(wanted)
        assert len(bench.published) == 2

    def test_a_store_that_is_full_loses_the_clip_and_nothing_else(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise EvidenceError("no room")

        wanted = self.due(bench)
        monkeypatch.setattr(bench.store, "put_clip", full)
        bench.answer(wanted)
        assert bench.announce(revision=2).revision == 2

    def test_candidates_followed_are_bounded(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clips, "MAX_FOLLOWED", 5)
        for track_id in range(1, 20):
            bench.announce(track_id=track_id)
        assert len(bench.keeper._followed) == 5


def test_a_desk_without_a_decoder_goes_on(tmp_path: Path) -> None:
    def nobody(_: ClipWanted) -> None:
        raise BrokenPipeError

    publish: Callable[[Candidate], Candidate] = lambda candidate: candidate  # noqa: E731
    desk = ClipDesk(nobody, EvidenceStore(str(tmp_path), PRIVATE.public_key()), publish)
    keeper = desk.keeper("gate", ClipConfig())
    assert keeper is not None
    keeper.announce(make_candidate(), publish)
    keeper.passed(99.0)
