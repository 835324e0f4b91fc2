"""A worker's cameras under masks, from the first picture on: drawn in the service, or in the settings file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.camera_masks import MasksInForce
from pipelines.live.camera_slot import Masks
from pipelines.overlay_package import CameraOverlays, OverlaySender
from pipelines.worker_place import WorkerPlace
from tests.fake_engine import frame
from tests.unit.pipelines.session_play import someone
from tests.worker_bench import ANN, BEA, Bench
from vision.polygons import Polygon

LEFT = Polygon(((0.0, 0.0), (0.34, 0.0), (0.34, 1.0), (0.0, 1.0)))
RIGHT = Polygon(((0.34, 0.0), (1.0, 0.0), (1.0, 1.0), (0.34, 1.0)))
"""Ann stands at 30 to 110 of 320 pixels, Bea at 110 to 190."""


@pytest.fixture
def bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    made = Bench(tmp_path, redis_server)
    yield made
    made.close()


def draw(bench: Bench, *, privacy: tuple[Polygon, ...] | None, detection: tuple[Polygon, ...] | None) -> None:
    now = datetime.now(UTC)
    OverlaySender(bench.api, bench.store.galleries_key()).send(
        CameraOverlays("gate", now, detection, privacy)
    )


def found(bench: Bench) -> set[str]:
    bench.run()
    return {candidate.subject_id for candidate in bench.candidates()}


def test_without_masks_both_are_found(bench: Bench) -> None:
    bench.add_recording("gate", [ANN, BEA])
    bench.publish()
    assert found(bench) == {"s-ann", "s-bea"}


@pytest.mark.parametrize("kind", ["privacy", "detection"])
def test_whoever_is_under_a_drawn_mask_is_nobody_from_the_first_picture_on(bench: Bench, kind: str) -> None:
    bench.add_recording("gate", [ANN, BEA])
    bench.publish()
    draw(
        bench,
        privacy=(LEFT,) if kind == "privacy" else None,
        detection=(LEFT,) if kind == "detection" else None,
    )
    assert found(bench) == {"s-bea"}
    assert (int(bench.state("gate")["masked_detections"]) > 0) == (kind == "detection")


@pytest.mark.parametrize("kind", ["privacy_masks", "detection_masks"])
def test_masks_of_the_settings_file_hold_until_others_are_drawn(bench: Bench, kind: str) -> None:
    settings: dict[str, Any] = {kind: [RIGHT.points]}
    bench.add_recording("gate", [ANN, BEA], **settings)
    bench.publish()
    assert found(bench) == {"s-ann"}


def test_a_removal_takes_a_mask_of_the_settings_file_away(bench: Bench) -> None:
    bench.add_recording("gate", [ANN, BEA], privacy_masks=[RIGHT.points])
    bench.publish()
    draw(bench, privacy=(), detection=None)
    assert found(bench) == {"s-ann", "s-bea"}


def test_cameras_elsewhere_are_told_before_they_are_opened_and_whenever_it_changes(bench: Bench) -> None:
    told: list[tuple[str, Masks]] = []
    bench.add_recording("gate", [ANN], privacy_masks=[RIGHT.points])
    worker = bench.worker(WorkerPlace(mask=lambda camera_id, masks: told.append((camera_id, masks))))
    assert told == [("gate", Masks((RIGHT,), ()))]
    draw(bench, privacy=(LEFT,), detection=None)
    bench.publish()
    worker.run(exit_when_done=True)
    assert told[1:] == [("gate", Masks((LEFT,), ()))]


def test_what_another_process_decoded_is_not_masked_twice() -> None:
    shown = frame([someone(ANN)], 0.0)
    masks = Masks((RIGHT,), (LEFT,))
    assert MasksInForce(lambda: masks, burns=False).hide(shown) is shown
    here = MasksInForce(lambda: masks, burns=True)
    assert not here.hide(shown).image[:, 160:].any()
    assert here.detection() == (LEFT,)


def test_a_picture_that_cannot_be_written_to_is_copied() -> None:
    shown = frame([someone(ANN)], 0.0)
    shown.image.flags.writeable = False
    hidden = MasksInForce(lambda: Masks((RIGHT,)), burns=True).hide(shown)
    assert not hidden.image[:, 160:].any()
    assert shown.image[:, 160:].any()
