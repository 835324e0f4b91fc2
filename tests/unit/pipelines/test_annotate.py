"""The annotated video: numbers, coarse bystanders, the frames' own times."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.annotate import AnnotatedVideo, draw
from pipelines.errors import EvidenceError
from pipelines.findings import FaceSeen, FrameResult, ObjectSeen
from vision.types import Frame, Image

FACE = (40.0, 40.0, 100.0, 110.0)
OTHER = (200.0, 40.0, 260.0, 110.0)
NEAR = (102.0, 40.0, 130.0, 110.0)


def noise(seed: int = 0, size_wh: tuple[int, int] = (321, 241)) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def result(*faces: FaceSeen, objects: tuple[ObjectSeen, ...] = (), pts: float = 0.0) -> FrameResult:
    return FrameResult(Frame(noise(), pts, 0), faces, objects)


def untouched(picture: Image, xyxy: tuple[float, ...], inset: int = 4) -> float:
    """Share of a box's pixels that are as they were; its rim, where lines are drawn, aside."""
    left, top, right, bottom = (int(value) for value in xyxy)
    area = np.s_[top + inset : bottom - inset, left + inset : right - inset]
    return float((picture[area] == noise()[area]).all(axis=2).mean())


def test_only_the_candidate_stays_recognisable() -> None:
    picture = draw(result(FaceSeen(FACE, 0.9, 1), FaceSeen(OTHER, 0.9, 2)), {1: 7})
    assert untouched(picture, FACE) == 1.0
    assert untouched(picture, OTHER) < 0.01


def test_faces_nobody_found_are_coarse_too() -> None:
    picture = draw(result(FaceSeen(FACE, 0.9, 1)), {1: 1})
    assert untouched(picture, (150.0, 20.0, 300.0, 220.0)) < 0.01


def test_a_neighbour_within_the_candidates_margin_is_coarse() -> None:
    picture = draw(result(FaceSeen(FACE, 0.9, 1), FaceSeen(NEAR, 0.9, None)), {1: 1})
    assert untouched(picture, (106.0, 44.0, 114.0, 106.0), inset=0) < 0.01


def test_two_candidates_are_both_shown() -> None:
    picture = draw(result(FaceSeen(FACE, 0.9, 1), FaceSeen(OTHER, 0.9, 2)), {1: 1, 2: 2})
    assert untouched(picture, FACE) == untouched(picture, OTHER) == 1.0


def test_without_candidates_everything_is_coarse_and_a_face_without_a_track_is_none() -> None:
    picture = draw(result(FaceSeen(FACE, 0.9, 3), FaceSeen(OTHER, 0.9, None)), {1: 1})
    assert untouched(picture, (0.0, 0.0, 320.0, 240.0)) < 0.01


def test_objects_are_boxed_and_the_original_is_left_alone() -> None:
    seen = ObjectSeen((10.0, 120.0, 150.0, 230.0), 0.9, "person", 4)
    given = result(objects=(seen,))
    with_box, without = draw(given, {}), draw(result(), {})
    assert (with_box != without).any()
    assert (given.frame.image == noise()).all()


def test_the_video_has_the_frames_at_their_own_times(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.mp4"
    times = [5.0, 5.1, 5.45, 6.0]
    with AnnotatedVideo(path) as video:
        for pts in times:
            video.write(result(FaceSeen(FACE, 0.9, 1), pts=pts), {1: 1})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoded = list(container.decode(stream))
        assert stream.codec_context.name in {"h264", "mpeg4"}
        assert (decoded[0].width, decoded[0].height) == (320, 240)
        assert [frame.time for frame in decoded] == pytest.approx([0.0, 0.1, 0.45, 1.0], abs=1e-3)
        assert "candidate" not in str(container.metadata)


def test_a_source_that_changes_its_size_midway_keeps_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with AnnotatedVideo(path) as video:
        video.write(result(), {})
        video.write(FrameResult(Frame(noise(1, (160, 120)), 0.1, 1)), {})
    with av.open(str(path)) as container:
        assert {(f.width, f.height) for f in container.decode(video=0)} == {(320, 240)}


def test_no_frames_no_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "a.mp4") as video:
        video.close()
    assert not (tmp_path / "a.mp4").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with AnnotatedVideo(tmp_path / "file" / "a.mp4") as video, pytest.raises(EvidenceError, match=r"a\.mp4"):
        video.write(result(), {})
