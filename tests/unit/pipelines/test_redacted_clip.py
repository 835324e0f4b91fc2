"""`pipelines.redacted_clip`: the probe's face and nobody else's, in every picture of the clip."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import numpy as np
import pytest

from pipelines.live.clip_messages import ClipLook
from pipelines.redacted_clip import (
    MAX_FPS,
    MAX_SIDE_PX,
    ClipFrame,
    ProbePath,
    redact_frame,
    redacted_clip,
)
from vision.redact import pixelate
from vision.types import Image

LEFT, RIGHT = (0.1, 0.2, 0.2, 0.4), (0.5, 0.2, 0.6, 0.4)


def look(
    pts_seconds: float, xyxy: tuple[float, float, float, float] = LEFT, *others: tuple[float, ...]
) -> ClipLook:
    return ClipLook(pts_seconds, xyxy, others)  # type: ignore[arg-type]  # boxes of four


def noise(seed: int = 1, size_wh: tuple[int, int] = (640, 360)) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def sharp_share(shown: Image, original: Image) -> Image:
    """(H, W) which pixels are those of the original."""
    return np.asarray((shown == original).all(axis=2), dtype=np.uint8)


class TestProbePath:
    path = ProbePath((look(1.0, LEFT), look(2.0, RIGHT), look(10.0, LEFT)))

    def test_between_two_looks_it_goes_straight(self) -> None:
        found = self.path.at(1.5)
        assert found is not None
        assert found.xyxy == pytest.approx((0.3, 0.2, 0.4, 0.4))

    def test_a_moment_beside_a_look(self) -> None:
        for pts_seconds, expected in ((0.9, LEFT), (2.1, RIGHT), (9.9, LEFT), (10.15, LEFT)):
            found = self.path.at(pts_seconds)
            assert found is not None
            assert found.xyxy == expected

    @pytest.mark.parametrize("pts_seconds", [0.5, 2.5, 6.0, 9.5, 11.0])
    def test_otherwise_nobody_knows(self, pts_seconds: float) -> None:
        assert self.path.at(pts_seconds) is None

    def test_without_looks(self) -> None:
        assert ProbePath(()).at(1.0) is None

    def test_those_near_on_either_side_are_kept_out_on_the_way(self) -> None:
        one, two = (0.2, 0.2, 0.3, 0.4), (0.4, 0.2, 0.5, 0.4)
        found = ProbePath((look(1.0, LEFT, one), look(2.0, RIGHT, two))).at(1.5)
        assert found is not None
        assert found.others_xyxy == (one, two)


class TestRedaction:
    def test_a_picture_without_a_known_box_shows_nobody(self) -> None:
        image = noise()
        shown = redact_frame(ClipFrame(5.0, image), ProbePath((look(1.0),)))
        assert np.array_equal(shown, pixelate(image))

    def test_only_the_enlarged_box_is_sharp(self) -> None:
        image = noise()
        sharp = sharp_share(redact_frame(ClipFrame(1.0, image), ProbePath((look(1.0),))), image)
        assert sharp[72:144, 64:128].all()
        sharp[50:166, 46:146] = 0
        assert sharp.mean() < 0.001

    def test_a_neighbour_within_the_margin_is_kept_out(self) -> None:
        image = noise()
        neighbour = (0.205, 0.2, 0.3, 0.4)
        sharp = sharp_share(
            redact_frame(ClipFrame(1.0, image), ProbePath((look(1.0, LEFT, neighbour),))), image
        )
        assert sharp[72:144, 64:128].all()
        assert sharp[80:140, 132:].mean() < 0.01

    @pytest.mark.parametrize("box", [(1.2, 0.1, 1.4, 0.3), (0.3, 0.3, 0.3, 0.3), (-0.5, -0.5, -0.1, -0.1)])
    def test_a_box_outside_shows_nobody(self, box: tuple[float, float, float, float]) -> None:
        image = noise()
        shown = redact_frame(ClipFrame(1.0, image), ProbePath((look(1.0, box),)))
        assert np.array_equal(shown, pixelate(image))

    def test_a_redaction_that_forgets_the_rest_is_caught(self) -> None:
        """What these tests rest on: an unredacted picture is seen for one."""
        assert sharp_share(noise(), noise()).mean() == 1.0


def frames(count: int, fps: float, size_wh: tuple[int, int] = (320, 240)) -> Iterator[ClipFrame]:
    for index in range(count):
        yield ClipFrame(100 + index / fps, noise(index, size_wh))


def decoded(content: bytes) -> list[tuple[float, Image]]:
    with av.open(io.BytesIO(content), "r") as container:
        assert container.streams.video[0].codec_context.name == "vp9"
        return [
            (float(picture.time or 0), np.asarray(picture.to_ndarray(format="bgr24"), np.uint8))
            for picture in container.decode(video=0)
        ]


class TestEncoding:
    def test_times_and_size(self) -> None:
        clip = redacted_clip(frames(40, 10), ProbePath((look(101.0),)))
        assert clip is not None
        assert (clip.width, clip.height, clip.media_type) == (320, 240, "video/webm")
        assert clip.began_pts_seconds == 100
        assert clip.duration_seconds == pytest.approx(3.9 + 1 / MAX_FPS)
        pictures = decoded(clip.content)
        assert [round(time, 2) for time, _ in pictures] == [round(index / 10, 2) for index in range(40)]

    def test_the_face_is_there_while_it_was_seen_and_not_before(self) -> None:
        path = ProbePath((look(101.0), look(102.0)))
        clip = redacted_clip(frames(40, 10), path)
        assert clip is not None
        contrast = [float(image[60:90, 40:60].std()) for _, image in decoded(clip.content)]
        assert min(contrast[10:20]) > 20
        assert max(contrast[:8] + contrast[23:]) < 8

    def test_fast_cameras_are_thinned_and_large_ones_shrunk(self) -> None:
        clip = redacted_clip(frames(20, 50, (1602, 901)), ProbePath(()))
        assert clip is not None
        assert clip.width == MAX_SIDE_PX
        assert clip.height % 2 == 0
        assert len(decoded(clip.content)) <= 0.4 * MAX_FPS + 2

    def test_no_picture_no_clip(self) -> None:
        assert redacted_clip([], ProbePath(())) is None

    def test_pictures_that_change_size_keep_the_first(self) -> None:
        mixed = [ClipFrame(1.0, noise(1)), ClipFrame(1.2, noise(2, (64, 48)))]
        clip = redacted_clip(mixed, ProbePath(()))
        assert clip is not None
        assert {image.shape for _, image in decoded(clip.content)} == {(360, 640, 3)}
