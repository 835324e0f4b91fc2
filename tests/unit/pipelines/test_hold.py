"""While nothing moves nobody is looked at: who was seen last is kept as he was, who was not is forgotten in time."""

from __future__ import annotations

import pytest

from pipelines.session import MOST_HELD_SECONDS, SessionOptions
from tests.fake_engine import Painted, square
from tests.unit.pipelines.session_play import ANN, EVERY_FRAME, LONG_LIST, OTHER, STRANGER, Play, someone
from vision.polygons import Polygon

FORGET_SECONDS = EVERY_FRAME.faces.forget_after_seconds


class HeldPlay(Play):
    """A session whose frames may be held, ten a second."""

    def hold(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.session.hold(self.index / 10)
            self.index += 1


def test_a_track_outlives_stillness_under_its_number() -> None:
    play = HeldPlay(objects=True)
    body = Painted(STRANGER, square(100, 60), body_xyxy=(80, 50, 200, 230))
    before = play.show(body, times=5)
    play.hold(30)
    assert play.session.track_count == 1
    after = play.show(body)
    assert before is not None
    assert after is not None
    assert [face.track_id for face in after.faces] == [face.track_id for face in before.faces] == [1]
    assert [seen.track_id for seen in after.objects] == [seen.track_id for seen in before.objects] == [1]
    assert play.ended == []


def test_held_frames_are_not_counted_and_time_goes_by() -> None:
    play = HeldPlay()
    play.show(someone(ANN), times=5)
    play.hold(10)
    accounting = play.session.accounting()
    assert (accounting.read, accounting.inferred, accounting.gated) == (5, 5, 0)
    assert play.session.media_seconds == pytest.approx(10.4)


def test_who_left_before_it_became_still_is_forgotten_within_a_second() -> None:
    play = HeldPlay()
    play.show(someone(STRANGER), times=5)
    left = play.index / 10
    play.show(times=2)  # the gate looks once more where somebody left
    play.hold(FORGET_SECONDS + 0.2)
    assert play.session.track_count == 0
    (summary,) = play.ended
    assert play.index / 10 - left < 1 + 0.3
    assert summary.end_pts_seconds == pytest.approx(0.4)


def test_a_look_that_does_not_show_a_held_track_ends_it_within_a_second() -> None:
    play = HeldPlay()
    play.show(someone(STRANGER), times=5)
    play.hold(20)
    assert play.session.track_count == 1
    looked = play.index / 10
    play.show()
    play.hold(1.0)
    assert play.session.track_count == 0
    assert play.index / 10 - looked < 1.15  # the look itself, and a second
    (summary,) = play.ended
    assert summary.end_pts_seconds == pytest.approx(
        0.4
    )  # it says when it was seen, not how long it was believed


def test_a_look_that_shows_it_keeps_it_for_the_next_stillness() -> None:
    play = HeldPlay()
    for _ in range(4):
        play.show(someone(STRANGER))
        play.hold(15)
    assert play.session.track_count == 1
    assert play.ended == []


def test_of_two_only_the_one_that_was_seen_last_is_held() -> None:
    play = HeldPlay()
    play.show(someone(STRANGER), someone(OTHER, 210), times=5)
    play.show(someone(OTHER, 210))
    play.hold(5)
    assert play.session.track_count == 1
    result = play.show(someone(OTHER, 210))
    assert result is not None
    assert [face.track_id for face in result.faces] == [2]


def test_nobody_is_held_for_longer_than_a_minute_without_a_look() -> None:
    play = HeldPlay()
    play.show(someone(STRANGER), times=5)
    play.hold(MOST_HELD_SECONDS + 0.5)
    assert play.session.track_count == 0
    assert len(play.ended) == 1


def test_looks_before_and_after_stillness_are_one_tracks() -> None:
    play = HeldPlay(gallery=LONG_LIST)
    play.show(someone(ANN), times=2)
    play.hold(10)
    play.show(someone(ANN), times=2)
    (finding,) = play.findings
    assert (finding.subject_id, finding.frames_fused, finding.track_id) == ("ann", 3, 1)
    assert finding.track_start_pts_seconds == 0.0


def test_a_clock_that_starts_over_while_still_ends_everybody() -> None:
    play = HeldPlay()
    play.index = 1000
    play.show(someone(STRANGER), times=5)
    play.session.hold(3.0)
    assert play.session.track_count == 0


def test_holding_an_empty_session_is_nothing() -> None:
    play = HeldPlay()
    play.hold(3)
    assert play.session.accounting().read == 0
    assert play.show(someone(ANN)) is not None


LEFT = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))


def test_what_lies_under_a_detection_mask_is_dropped_and_counted() -> None:
    play = Play(SessionOptions(inference_fps=None), objects=True)
    masked = Painted(STRANGER, square(40, 60), body_xyxy=(20, 50, 140, 230))
    free = Painted(OTHER, square(210, 60), body_xyxy=(190, 50, 310, 230))
    play.session.set_detection_masks([LEFT])
    result = play.show(masked, free, times=3)
    assert result is not None
    assert [face.xyxy[0] for face in result.faces] == [210]
    assert [seen.xyxy[0] for seen in result.objects] == [190]
    assert play.session.masked_detections == 6
    assert play.session.track_count == 1
    play.session.set_detection_masks([])
    result = play.show(masked, free)
    assert result is not None
    assert len(result.faces) == 2
