"""Tracks re-joined after a break: by motion and face while the template exists, later by motion alone."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from pipelines.face_tracks import FaceTracks
from pipelines.findings import Finding, TrackSummary
from pipelines.session import CameraSession
from tests.fake_engine import FakeEmbedder, fake_engines, frame
from tests.unit.pipelines.session_play import ANN, BEA, EVERY_FRAME, LONG_LIST, STRANGER, someone
from vision.identify.fusion import TrackFusion
from vision.track.ocsort import OcSort, OcSortOptions


def forgetful_tracker() -> OcSort:
    """Loses a track at the second frame without it."""
    return OcSort(OcSortOptions(start_confidence=0.5, confirm_hits=1, max_lost_seconds=0.15))


class Watched:
    """A session whose tracker forgets at once, so that what re-joins is ours."""

    def __init__(self) -> None:
        engines = replace(fake_engines(embedder=FakeEmbedder()), new_face_tracker=forgetful_tracker)
        self.ended: list[TrackSummary] = []
        self.session = CameraSession(engines, EVERY_FRAME, self.ended.append)
        self.session.set_gallery(LONG_LIST)
        self.findings: list[Finding] = []
        self.index = 0

    def show(self, person: int | None, times: int, x: int = 100) -> list[int | None]:
        ids: list[int | None] = []
        for _ in range(times):
            people = [] if person is None else [someone(person, x)]
            result = self.session.process(frame(people, self.index / 10, self.index))
            self.index += 1
            assert result is not None
            self.findings += result.findings
            ids += [face.track_id for face in result.faces]
        return ids


def live_templates() -> int:
    gc.collect()
    return sum(f._sum is not None for f in gc.get_objects() if isinstance(f, TrackFusion))


def test_the_same_face_in_the_same_place_goes_on_as_the_same_track() -> None:
    watched = Watched()
    assert set(watched.show(ANN, 6)) == {1}
    watched.show(None, 4)
    assert set(watched.show(ANN, 6)) == {1}
    assert watched.ended == []
    assert {(f.track_id, f.track_start_pts_seconds) for f in watched.findings} == {(1, 0.0)}
    assert [f.revision for f in watched.findings] == list(range(1, len(watched.findings) + 1))
    assert watched.session.track_count == live_templates() == 1


def test_another_face_in_the_same_place_does_not() -> None:
    watched = Watched()
    watched.show(STRANGER, 6)
    watched.show(None, 4)
    assert set(watched.show(BEA, 6)) == {2}
    watched.show(None, 12)
    assert [(s.track_id, s.continues_track_id) for s in watched.ended] == [(1, None), (2, None)]


def test_the_same_face_somewhere_else_does_not() -> None:
    watched = Watched()
    watched.show(STRANGER, 6, x=10)
    watched.show(None, 2)
    assert set(watched.show(STRANGER, 6, x=270)) == {2}


def test_after_its_template_is_gone_only_motion_says_so_and_ids_stay_apart() -> None:
    watched = Watched()
    watched.show(STRANGER, 6)
    watched.show(None, 10)
    assert [s.track_id for s in watched.ended] == [1]
    assert live_templates() == 0
    assert set(watched.show(STRANGER, 6)) == {2}
    watched.session.end_tracks()
    assert [(s.track_id, s.continues_track_id) for s in watched.ended] == [(1, None), (2, 1)]


def test_a_scene_cut_ends_all_lineage() -> None:
    watched = Watched()
    watched.show(STRANGER, 6)
    watched.session.end_tracks()
    watched.show(STRANGER, 3)
    watched.session.end_tracks()
    assert watched.ended[-1].continues_track_id is None


def test_joining_without_the_face_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of these tests: were motion enough, another face would go on under the first one's name."""
    monkeypatch.setattr(TrackFusion, "agrees", lambda _self, _look: True)
    with pytest.raises(AssertionError):
        test_another_face_in_the_same_place_does_not()


def test_boxes_of_those_gone_are_not_kept_for_ever() -> None:
    watched = Watched()
    for _ in range(60):
        watched.show(STRANGER, 1)
        watched.show(None, 10)
    watched.show(None, 60)
    tracks: FaceTracks = watched.session._faces
    assert len(tracks._lineage._numbers) < 40
