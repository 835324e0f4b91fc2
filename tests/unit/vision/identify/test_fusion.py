"""Looks become decisions at the first sufficient evidence; a track that changes hands splits."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import numpy.typing as npt
import pytest

from vision.errors import GalleryError, ImageError
from vision.identify import fusion as fusion_module
from vision.identify.calibration import OperatingPoint
from vision.identify.fusion import Decision, FusionOptions, FusionStep, TrackFusion
from vision.identify.gallery import Gallery
from vision.types import Float32

DIMENSION = 128
OPTIONS = FusionOptions(min_looks=3, disagreement_similarity=0.2)
POINT = OperatingPoint(
    threshold=0.5,
    single_look_threshold=0.8,
    wanted_false_alerts_per_1000_faces=1.0,
    expected_false_alerts_per_1000_faces=1.0,
    calibration="made up for this test",
)
NO_SINGLE = OperatingPoint(0.5, None, 1.0, 1.0, "made up for this test")


def axis(index: int) -> Float32:
    """One person: a direction of its own."""
    row = np.zeros(DIMENSION, np.float32)
    row[index] = 1
    return row


def look(person: int, similarity: float, aside: int) -> Float32:
    """A look with this cosine to the person, the rest along another direction."""
    rest = float(np.sqrt(1 - similarity**2))
    return np.asarray(similarity * axis(person) + rest * axis(aside), np.float32)


GALLERY = Gallery(np.stack([axis(0), axis(1)]), ["ann", "bea"])


def feed(
    fusion: TrackFusion, looks: list[Float32], point: OperatingPoint = POINT, gallery: Gallery = GALLERY
) -> list[FusionStep]:
    return [fusion.add(one, 1.0, gallery, point) for one in looks]


def decisions(steps: list[FusionStep]) -> list[Decision | None]:
    return [step.decision for step in steps]


def test_three_looks_decide_and_no_fewer() -> None:
    steps = feed(TrackFusion(OPTIONS), [look(0, 0.6, aside) for aside in (10, 11, 12)])
    first, second, third = decisions(steps)
    assert first is second is None
    assert third is not None
    assert (third.subject_id, third.frames_fused, third.single_look) == ("ann", 3, False)
    assert third.threshold == POINT.threshold
    # Noise that differs from look to look averages out: three looks are nearer than any one of them.
    assert third.similarity == pytest.approx(0.6 / np.sqrt(0.36 + 0.64 / 3), abs=1e-6)
    assert third.alternatives[0][0] == "bea"


def test_one_look_decides_at_the_stricter_threshold_only() -> None:
    assert decisions(feed(TrackFusion(OPTIONS), [look(0, 0.79, 10)])) == [None]
    (decision,) = decisions(feed(TrackFusion(OPTIONS), [look(0, 0.81, 10)]))
    assert decision is not None
    assert (decision.single_look, decision.frames_fused, decision.threshold) == (True, 1, 0.8)


def test_one_look_never_decides_where_the_rate_is_not_supported() -> None:
    assert decisions(feed(TrackFusion(OPTIONS), [axis(0), axis(0)], NO_SINGLE)) == [None, None]


def test_a_track_is_decided_once_for_a_subject() -> None:
    steps = feed(TrackFusion(OPTIONS), [look(0, 0.9, 10 + i) for i in range(12)])
    assert [decision is not None for decision in decisions(steps)] == [True] + [False] * 11


def test_better_looks_weigh_more() -> None:
    fusion = TrackFusion(OPTIONS)
    fusion.add(look(1, 0.6, 10), 1.0, GALLERY, NO_SINGLE)
    fusion.add(look(0, 0.6, 10), 0.1, GALLERY, NO_SINGLE)
    bea, ann = fusion.identification.similarities
    assert fusion.identification.subject_ids == ("bea", "ann")
    assert bea == pytest.approx(10 * ann)


def test_a_look_that_disagrees_is_set_aside_and_dropped_when_nobody_confirms_it() -> None:
    fusion = TrackFusion(OPTIONS)
    steps = feed(fusion, [axis(0), axis(0), axis(1), axis(0)], NO_SINGLE)
    assert [step.fused for step in steps] == [True, True, False, True]
    assert not any(step.split for step in steps)
    assert steps[-1].decision is not None
    assert steps[-1].decision.similarity == pytest.approx(1.0)


def test_two_looks_of_somebody_else_split_the_track() -> None:
    fusion = TrackFusion(OPTIONS)
    steps = feed(fusion, [axis(0)] * 4 + [axis(1)] * 3, NO_SINGLE)
    assert [step.split for step in steps] == [False] * 5 + [True, False]
    assert [d.subject_id for d in decisions(steps) if d] == ["ann", "bea"]
    assert fusion.frames_fused == 3


def test_two_looks_far_from_the_track_and_from_each_other_split_nothing() -> None:
    steps = feed(TrackFusion(OPTIONS), [axis(0), axis(0), axis(5), axis(6), axis(0)], NO_SINGLE)
    assert not any(step.split for step in steps)


def test_after_a_split_nothing_of_the_first_face_is_left() -> None:
    fusion = TrackFusion(OPTIONS)
    feed(fusion, [axis(0)] * 8 + [axis(1)] * 2, NO_SINGLE)
    similar = dict(zip(fusion.identification.subject_ids, fusion.identification.similarities, strict=True))
    assert similar["ann"] == pytest.approx(0.0, abs=1e-6)
    assert similar["bea"] == pytest.approx(1.0, abs=1e-6)


def test_nobody_is_decided_on_an_empty_list() -> None:
    fusion = TrackFusion(OPTIONS)
    assert decisions(feed(fusion, [axis(0)] * 4, POINT, Gallery.empty(DIMENSION))) == [None] * 4
    assert len(fusion.identification) == 0


def test_forget_overwrites_the_templates_and_drops_the_answers() -> None:
    fusion = TrackFusion(OPTIONS)
    feed(fusion, [axis(0), axis(0), axis(1)], NO_SINGLE)
    held = [fusion._sum, fusion._aside]
    assert all(array is not None and array.any() for array in held)
    fusion.forget()
    assert all(array is not None and not array.any() for array in held)
    assert fusion._sum is None
    assert fusion._aside is None
    assert (fusion.frames_fused, len(fusion.identification)) == (0, 0)


def test_a_template_cannot_be_printed_copied_or_pickled() -> None:
    fusion = TrackFusion(OPTIONS)
    feed(fusion, [axis(0)], NO_SINGLE)
    assert repr(fusion) == "TrackFusion(looks=1)"
    assert not hasattr(fusion, "__dict__")
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never leaves the process"):
            leak(fusion)


@pytest.mark.parametrize(
    ("embedding", "weight", "error"),
    [
        pytest.param(np.full(DIMENSION, np.nan), 1.0, ImageError, id="nan"),
        pytest.param(np.zeros(DIMENSION), 1.0, ImageError, id="zero"),
        pytest.param(np.ones((1, DIMENSION)), 1.0, ImageError, id="two-dimensional"),
        pytest.param(np.ones(DIMENSION), 0.0, ImageError, id="weightless"),
        pytest.param(np.ones(DIMENSION), np.inf, ImageError, id="infinite weight"),
        pytest.param(np.ones(DIMENSION + 1), 1.0, GalleryError, id="another model"),
    ],
)
def test_refuses_what_is_no_look(embedding: Float32, weight: float, error: type[Exception]) -> None:
    fusion = TrackFusion(OPTIONS)
    with pytest.raises(error):
        fusion.add(embedding, weight, GALLERY, POINT)
    assert fusion.frames_fused == 0


@pytest.mark.parametrize(("min_looks", "alternatives"), [(1, 5), (3, -1)])
def test_refuses_options_that_are_no_fusion(min_looks: int, alternatives: int) -> None:
    with pytest.raises(ValueError, match="must"):
        FusionOptions(min_looks=min_looks, disagreement_similarity=0.2, alternatives=alternatives)


def test_what_later_looks_say_of_a_decided_subject_is_told_with_each() -> None:
    fusion = TrackFusion(OPTIONS)
    steps = feed(
        fusion, [look(0, 0.6, 10 + i) for i in range(3)] + [look(0, 0.3, 20), look(0, 0.9, 21)], NO_SINGLE
    )
    assert [len(step.standing) for step in steps] == [0, 0, 0, 1, 1]
    fourth, fifth = steps[3].standing[0], steps[4].standing[0]
    assert (fourth.subject_id, fourth.frames_fused, fifth.frames_fused) == ("ann", 4, 5)
    assert fourth.similarity < fifth.similarity
    assert fourth.alternatives[0][0] == "bea"


def test_a_decided_subject_below_the_best_few_is_still_told_of() -> None:
    people = Gallery(np.stack([axis(i) for i in range(10)]), [f"s{i}" for i in range(10)])
    fusion = TrackFusion(FusionOptions(min_looks=2, disagreement_similarity=-1.0, alternatives=1))
    feed(fusion, [axis(0), axis(0)], NO_SINGLE, people)
    mixed = np.asarray((axis(1) + axis(2)) * 20, np.float32)
    for _ in range(60):
        step = fusion.add(mixed, 1.0, people, NO_SINGLE)
    (standing,) = [one for one in step.standing if one.subject_id == "s0"]
    assert standing.similarity < 0.1
    assert "s0" not in fusion.identification.subject_ids


def test_a_decision_taken_back_may_be_made_again() -> None:
    fusion = TrackFusion(OPTIONS)
    feed(fusion, [axis(0)] * 3, NO_SINGLE)
    fusion.withdraw("ann")
    (step,) = feed(fusion, [axis(0)], NO_SINGLE)
    assert step.decision is not None
    assert step.standing == ()


def test_a_look_agrees_with_a_template_or_not_and_with_none_never() -> None:
    fusion = TrackFusion(OPTIONS)
    assert not fusion.agrees(axis(0))
    feed(fusion, [axis(0)], NO_SINGLE)
    assert fusion.agrees(look(0, 0.25, 10))
    assert not fusion.agrees(look(0, 0.15, 10))
    assert fusion.frames_fused == 1


def directions_made(monkeypatch: pytest.MonkeyPatch) -> list[npt.NDArray[np.float64]]:
    """Every copy of a look that fusion makes from here on."""
    made: list[npt.NDArray[np.float64]] = []
    original = fusion_module._direction

    def noted(embedding: Float32) -> npt.NDArray[np.float64]:
        made.append(original(embedding))
        return made[-1]

    monkeypatch.setattr(fusion_module, "_direction", noted)
    return made


def test_no_copy_of_a_look_outlasts_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    made = directions_made(monkeypatch)
    fusion = TrackFusion(OPTIONS)
    feed(fusion, [axis(0), axis(0), axis(1)], NO_SINGLE)
    assert [bool(one.any()) for one in made] == [False, False, True]  # the third is set aside
    feed(fusion, [axis(1)], NO_SINGLE)  # it was somebody else: the track splits
    fusion.agrees(axis(1))
    with pytest.raises(GalleryError):
        fusion.add(np.ones(DIMENSION + 1), 1.0, GALLERY, POINT)
    assert not any(one.any() for one in made)
