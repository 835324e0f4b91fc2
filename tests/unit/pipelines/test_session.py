"""One camera, frame by frame, on painted people: findings, cuts, swaps, counting and forgetting."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from pipelines.face_tracks import FaceTrackOptions
from pipelines.findings import FaceSeen
from pipelines.session import CameraSession, SessionOptions
from tests.fake_engine import (
    DIMENSION,
    FakeEmbedder,
    Painted,
    face_of,
    fake_engines,
    frame,
    square,
)
from tests.unit.pipelines.session_play import (
    ANN,
    BEA,
    EVERY_FRAME,
    LIST,
    LONG_LIST,
    OTHER,
    STRANGER,
    Play,
    someone,
)
from vision.errors import GalleryError, ModelError
from vision.identify.fusion import TrackFusion
from vision.identify.gallery import Gallery
from vision.types import Float32, Image


class FailingEmbedder(FakeEmbedder):
    """A device that is gone."""

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        """Fails."""
        raise ModelError(f"no device for {len(landmarks)} faces of a picture of {image.shape}")


def test_a_frame_the_models_failed_on_is_counted() -> None:
    with CameraSession(fake_engines(embedder=FailingEmbedder()), EVERY_FRAME) as session:
        session.set_gallery(LIST)
        with pytest.raises(ModelError):
            _until_it_fails(session)
        accounting = session.accounting()
    assert accounting.dropped == {"inference_failed": 1}
    assert accounting.read == accounting.inferred + 1


def _until_it_fails(session: CameraSession) -> None:
    for index in range(5):
        session.process(frame([someone(ANN)], index / 10, index))


def test_a_listed_face_is_found_after_three_looks_and_once() -> None:
    play = Play(gallery=LONG_LIST)
    play.show(someone(ANN), times=2)
    assert play.findings == []
    play.show(someone(ANN), times=20)
    (finding,) = play.findings
    assert (finding.subject_id, finding.frames_fused, finding.single_look) == ("ann", 3, False)
    assert (finding.track_id, finding.track_start_pts_seconds, finding.pts_seconds) == (1, 0.0, 0.2)
    assert finding.similarity >= finding.threshold
    assert finding.expected_false_alerts_per_1000_faces == 1.0
    assert finding.calibration == "made-up"
    assert len(finding.alternatives) == 5
    assert finding.revision == 1


def test_one_very_good_look_is_found_at_once_and_says_so() -> None:
    play = Play()
    play.show(someone(ANN))
    (finding,) = play.findings
    assert (finding.single_look, finding.frames_fused) == (True, 1)
    assert finding.expected_false_alerts_per_1000_faces == pytest.approx(0.1)


def test_a_stranger_is_nobody() -> None:
    play = Play()
    play.show(someone(STRANGER), times=30)
    assert play.findings == []


def test_poor_looks_decide_nothing_and_are_not_even_embedded() -> None:
    play = Play()
    play.show(someone(ANN, blurred=True), times=10)
    assert play.findings == []
    assert play.embedder.faces_embedded == 0


def test_the_best_look_is_the_evidence() -> None:
    play = Play(gallery=LONG_LIST)
    for side in (40, 60, 50):
        play.show(Painted(ANN, (100, 60, 100 + side, 60 + side)))
    (finding,) = play.findings
    assert finding.best_look.frame_index == 1
    assert finding.best_look.pts_seconds == 0.1
    assert finding.best_look.xyxy == (100.0, 60.0, 160.0, 120.0)
    assert finding.best_look.landmarks.shape == (5, 2)
    assert finding.best_look.quality.face_size_px == pytest.approx(60)


def test_the_persons_box_goes_with_the_face() -> None:
    play = Play(objects=True)
    body = (90, 50, 170, 220)
    play.show(Painted(ANN, square(110, 60), body_xyxy=body), times=3)
    assert play.findings[0].person_xyxy == pytest.approx(body, abs=1)


def test_two_people_at_once_are_two_tracks() -> None:
    play = Play()
    result = play.show(someone(ANN, 30), someone(BEA, 200), times=5)
    assert {f.subject_id: f.track_id for f in play.findings}.keys() == {"ann", "bea"}
    assert result is not None
    assert {face.track_id for face in result.faces} == {1, 2}


def test_a_walker_whose_face_boxes_never_touch_is_one_track() -> None:
    play = Play()
    for i in range(6):
        result = play.show(someone(ANN, 20 + 44 * i))
        assert result is not None
        assert [face.track_id for face in result.faces] == [1]


def test_a_scene_cut_begins_new_tracks() -> None:
    play = Play()
    play.show(someone(STRANGER), times=4, scene=1)
    result = play.show(someone(OTHER), scene=2)
    assert result is not None
    assert result.scene_cut
    assert [face.track_id for face in result.faces] == [2]
    assert [summary.track_id for summary in play.ended] == [1]


def test_a_track_that_changes_hands_is_split_and_both_are_found() -> None:
    play = Play()
    play.show(someone(ANN), times=5)
    play.show(someone(BEA), times=5)
    assert [(f.track_id, f.subject_id) for f in play.findings] == [(1, "ann"), (2, "bea")]
    later = play.findings[1]
    assert later.track_start_pts_seconds == 0.5
    assert later.best_look.frame_index >= 5
    (first,) = play.ended
    assert (first.track_id, first.end_pts_seconds) == (1, 0.5)
    assert first.resembled.subject_ids[0] == "ann"
    result = play.show(someone(BEA))
    assert result is not None
    assert [face.track_id for face in result.faces] == [2]


def test_faces_are_counted_once_each_where_a_list_is_searched() -> None:
    play = Play()
    play.show(someone(ANN, 30), someone(STRANGER, 200), times=20)
    assert play.session.faces_searched == 2
    play.show(someone(BEA, 30), times=20)  # took over the track
    assert play.session.faces_searched == 3
    play.session.set_gallery(LONG_LIST)  # compared with another list, it is the same face
    play.show(someone(BEA, 30), times=20)
    assert play.session.faces_searched == 3
    play.wait(5.0)
    play.show(someone(BEA, 30), times=2)
    assert play.session.faces_searched == 4


@pytest.mark.parametrize(("gallery", "blurred"), [(None, False), (LIST, True)])
def test_faces_held_against_no_list_are_not_counted(gallery: Gallery | None, blurred: bool) -> None:
    play = Play(gallery=gallery)
    play.show(someone(ANN, blurred=blurred), times=20)
    assert play.session.faces_searched == 0


def test_after_ten_looks_a_settled_track_is_only_checked_now_and_then() -> None:
    play = Play()
    play.show(someone(STRANGER), times=40)
    assert 10 < play.embedder.faces_embedded < 20


def test_without_a_list_no_template_is_computed() -> None:
    for gallery in (None, Gallery.empty(DIMENSION)):
        play = Play(gallery=gallery)
        result = play.show(someone(ANN), times=5)
        assert result is not None
        assert isinstance(result.faces[0], FaceSeen)
        assert play.embedder.faces_embedded == 0
        assert play.session.operating_point is None


def test_a_new_list_finds_who_is_already_in_view_and_the_old_names_are_gone() -> None:
    play = Play(gallery=Gallery(face_of(BEA)[np.newaxis], ["bea"]))
    play.show(someone(ANN), times=12)
    assert play.findings == []
    play.session.set_gallery(Gallery(face_of(ANN)[np.newaxis], ["ann"]))
    play.session.end_tracks()
    assert play.ended[0].resembled.subject_ids == ()
    play.show(someone(ANN), times=12)
    assert [f.subject_id for f in play.findings] == ["ann"]


def test_a_list_swapped_in_mid_track_is_searched_at_the_next_look() -> None:
    play = Play(gallery=Gallery(face_of(BEA)[np.newaxis], ["bea"]))
    play.show(someone(ANN), times=12)
    play.session.set_gallery(LIST)
    play.show(someone(ANN), times=6)
    assert [f.subject_id for f in play.findings] == ["ann"]
    assert play.findings[0].track_id == 1


def test_templates_of_another_model_are_refused() -> None:
    with pytest.raises(GalleryError, match=r"128 numbers.*enrol again"):
        Play(gallery=Gallery(np.ones((1, 128)), ["ann"]))


def test_thresholds_follow_the_size_of_the_list() -> None:
    many = np.stack([face_of(person) for person in range(30)])
    small, large = Play(), Play(gallery=Gallery(many, [f"s{i}" for i in range(30)]))
    points = [play.session.operating_point for play in (small, large)]
    assert points[0] is not None
    assert points[1] is not None
    assert points[1].threshold > points[0].threshold


def test_summaries_tell_whom_a_track_resembled_found_or_not() -> None:
    play = Play()
    play.show(someone(STRANGER), times=4)
    play.session.end_tracks()
    (summary,) = play.ended
    assert (summary.frames_seen, summary.frames_fused) == (4, 4)
    assert summary.start_pts_seconds == 0.0
    assert summary.end_pts_seconds == pytest.approx(0.3)
    assert set(summary.resembled.subject_ids) == {"ann", "bea"}


def templates_alive() -> int:
    """Templates held anywhere in this process by a track."""
    gc.collect()
    fusions = [item for item in gc.get_objects() if isinstance(item, TrackFusion)]
    return sum(fusion._sum is not None or fusion._aside is not None for fusion in fusions)


def test_a_face_is_forgotten_within_a_second_of_its_tracks_end() -> None:
    play = Play()
    play.show(someone(STRANGER), someone(ANN, 220), times=6)
    assert templates_alive() == 2
    play.show(someone(ANN, 220), times=9)
    assert [summary.track_id for summary in play.ended] == [1]
    assert play.session.track_count == 1
    assert templates_alive() == 1


def test_the_template_of_an_ended_track_is_overwritten_not_merely_let_go() -> None:
    play = Play()
    play.show(someone(STRANGER), times=3)
    gc.collect()
    fusions = [item for item in gc.get_objects() if isinstance(item, TrackFusion)]
    held = [fusion._sum for fusion in fusions if fusion._sum is not None]
    assert [bool(template.any()) for template in held] == [True]
    play.session.end_tracks()
    assert [bool(template.any()) for template in held] == [False]


def test_it_is_forgotten_in_time_at_a_low_inference_rate_too() -> None:
    play = Play(SessionOptions(inference_fps=0.2))
    play.show(someone(STRANGER))
    assert play.session.track_count == 1
    play.show(times=9)
    assert play.session.track_count == 0
    assert templates_alive() == 0


def test_forgetting_later_than_a_second_cannot_be_configured() -> None:
    with pytest.raises(ValueError, match="within a second"):
        FaceTrackOptions(forget_after_seconds=1.0)


def test_nothing_grows_with_the_number_of_people_seen() -> None:
    play = Play()
    for person in range(0, 200, 10):
        play.show(someone(person), times=2)
        play.wait(2)
    play.show()
    assert play.session.track_count == 0
    assert templates_alive() == 0
    assert [summary.track_id for summary in play.ended] == list(range(1, 21))


def test_leaving_the_session_forgets_everybody() -> None:
    play = Play()
    with play.session:
        play.show(someone(STRANGER), times=3)
        assert play.session.track_count == 1
    assert play.session.track_count == 0
    assert templates_alive() == 0


def test_a_source_that_starts_over_begins_new_tracks() -> None:
    play = Play()
    play.show(someone(STRANGER), times=25)
    play.index = 0
    result = play.show(someone(STRANGER))
    assert result is not None
    assert [face.track_id for face in result.faces] == [2]


class BrokenEmbedder(FakeEmbedder):
    """Gives what is not finite."""

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        return super().embed(image, landmarks) * np.float32(np.nan)


def test_an_embedding_that_is_not_finite_is_passed_over() -> None:
    session = CameraSession(fake_engines(embedder=BrokenEmbedder()), EVERY_FRAME)
    session.set_gallery(LIST)
    results = [session.process(frame([someone(ANN)], i / 10, i)) for i in range(5)]
    assert [result.findings for result in results if result] == [()] * 5


def test_what_is_printed_names_nobody_and_shows_no_template() -> None:
    play = Play()
    result = play.show(someone(ANN), times=3)
    play.session.end_tracks()
    shown = repr((play.findings, play.ended, result, play.findings[0].best_look))
    assert "ann" not in shown
    assert "array" not in shown
