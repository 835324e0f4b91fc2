"""Clips and previews through a worker's real processes: decoder, supervisor, matching process, Redis."""

from __future__ import annotations

import io

import av
import numpy as np

from pipelines.events import Candidate
from pipelines.evidence import CLIP_KINDS, EvidenceReader
from pipelines.streams import preview_key, preview_wanted_key
from tests.live_bench import LiveBench, live_bench
from tests.live_camera import live_camera
from tests.waiting import wait_until
from tests.worker_bench import ANN, STRANGER
from vision.images import decode_image
from vision.redact import MIN_BLOCK_PX
from vision.types import Image

__all__ = ["live_bench"]

CLIP = {"seconds_before": 1.0, "seconds_after": 1.0}


class Told:
    """Every revision that came, in order."""

    def __init__(self, bench: LiveBench) -> None:
        self._bench = bench
        self.revisions: list[Candidate] = []

    def with_clip(self) -> list[Candidate]:
        """Those that carry one."""
        self.revisions += self._bench.revisions()
        return [one for one in self.revisions if any(item.kind in CLIP_KINDS for item in one.evidence)]


def decoded(content: bytes) -> list[Image]:
    with av.open(io.BytesIO(content), "r") as container:
        return [np.asarray(one.to_ndarray(format="bgr24"), np.uint8) for one in container.decode(video=0)]


def test_a_candidate_gets_its_clips_sealed(live_bench: LiveBench) -> None:
    reader = EvidenceReader(
        str(live_bench.tmp_path / "data" / "evidence"), live_bench.store.evidence_private()
    )
    told = Told(live_bench)
    with live_camera([ANN, STRANGER]) as camera:
        live_bench.add_camera("gate", camera.address, clip=CLIP)
        live_bench.publish()
        with live_bench.supervised():
            wait_until(lambda: bool(told.with_clip()), seconds=60)
    candidate = told.with_clip()[0]
    before = max(
        (one for one in told.revisions if one.candidate_id == candidate.candidate_id and one != candidate),
        key=lambda one: one.revision if one.revision < candidate.revision else 0,
    )
    assert candidate.revision == before.revision + 1
    same = {"revision", "evidence", "signature"}
    assert candidate.model_dump(exclude=same) == before.model_dump(exclude=same)
    redacted, original = candidate.evidence[-2:]
    assert (redacted.kind, original.kind) == ("clip_redacted", "clip")
    decided = min(told.revisions, key=lambda one: one.revision).pts_seconds
    for item in (redacted, original):
        assert item.began_pts_seconds is not None
        assert item.duration_seconds is not None
        assert item.began_pts_seconds <= decided
        assert item.began_pts_seconds + item.duration_seconds >= decided + 0.7
    everything = decoded(reader.read(original))
    shown = decoded(reader.read(redacted))
    assert len(everything) >= 10
    assert len(shown) >= 8
    painted = everything[0].astype(int)
    assert np.ptp(painted.reshape(-1, 3), axis=0).max() > 100, "the original shows what the camera showed"
    stranger = [np.abs(image[50:110, 100:160] - painted[50:110, 100:160]).mean() for image in shown]
    probe = [np.abs(image[64:96, 34:66] - painted[64:96, 34:66]).mean() for image in shown]
    assert min(stranger) > 8
    assert np.median(probe) < 8


def test_where_a_privacy_mask_is_drawn_the_original_does_not_leave_the_decoder(live_bench: LiveBench) -> None:
    reader = EvidenceReader(
        str(live_bench.tmp_path / "data" / "evidence"), live_bench.store.evidence_private()
    )
    told = Told(live_bench)
    masks = [[[0.7, 0.0], [1.0, 0.0], [1.0, 1.0], [0.7, 1.0]]]
    with live_camera([ANN, STRANGER]) as camera:
        live_bench.add_camera("gate", camera.address, clip=CLIP, privacy_masks=masks)
        live_bench.publish()
        with live_bench.supervised():
            wait_until(lambda: bool(told.with_clip()), seconds=60)
    clips = [item for item in told.with_clip()[0].evidence if item.kind in CLIP_KINDS]
    assert [item.kind for item in clips] == ["clip_redacted"]
    shown = decoded(reader.read(clips[0]))
    assert max(image[:, 260:].max() for image in shown) < 24


def test_a_preview_while_somebody_looks(live_bench: LiveBench) -> None:
    api = live_bench.api
    with live_camera([ANN, STRANGER]) as camera:
        live_bench.add_camera("gate", camera.address)
        live_bench.publish()
        with live_bench.supervised():
            wait_until(lambda: live_bench.phase() == "running", seconds=30)
            assert api.get(preview_key("gate")) is None

            def seen() -> bytes | None:
                api.set(preview_wanted_key("gate"), b"1", ex=5)
                found = api.get(preview_key("gate"))
                assert found is None or isinstance(found, bytes)
                return found

            wait_until(lambda: seen() is not None, seconds=30)
            jpeg = seen()
    assert jpeg is not None
    image = decode_image(jpeg)
    assert image.shape == (240, 320, 3)
    inner = image[2 : MIN_BLOCK_PX - 2, 2 : MIN_BLOCK_PX - 2].reshape(-1, 3)
    assert np.ptp(inner, axis=0).max() < 16
