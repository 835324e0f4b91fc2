"""The paired margin test: right, wrong or cannot tell, never the opposite of what is so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import ModelCheckError
from pipelines.model_margins import (
    FacesInPairs,
    compare_settings,
    load_faces,
    margin,
    margins_without_each,
    p_value,
    save_faces,
    sums_of,
)
from pipelines.model_registration import margin_sentences
from pipelines.model_report import SCALINGS, MarginReport, Scaling, scaling_values
from tests.model_builders import colour_embedder
from vision.types import Float32, Image, Int64
from weights.spec import Colour, InputSpec

PEOPLE, LOOKS = 60, 3
SIDE = 32
TEMPLATE = ((10.0, 12.0), (22.0, 12.0), (16.0, 18.0), (11.0, 24.0), (21.0, 24.0))


def crowd(people: int = PEOPLE, looks: int = LOOKS, seed: int = 0) -> FacesInPairs:
    """People told apart by coarse patterns of colour, blue the same in every look, red seldom; with grain."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(20, 236, (people, 4, 4, 3)).repeat(looks, axis=0).astype(np.float64)
    coarse += draw.normal(0, 1, coarse.shape) * (8, 30, 90)
    chips = coarse.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2) + draw.normal(
        0, 20, (people * looks, SIDE, SIDE, 3)
    )
    person = np.repeat(np.arange(people), looks)
    first = np.flatnonzero(np.arange(people * looks) % looks == 0)
    return FacesInPairs(np.clip(chips, 0, 255).astype(np.uint8), person, first, first + 1)


def declared(colour: Colour = "bgr", scaling: Scaling = "minus-one-to-one") -> InputSpec:
    """How the embedder is said to be fed."""
    mean, scale = scaling_values(scaling, colour)
    return InputSpec((SIDE, SIDE), colour, mean, scale, landmarks_template=TEMPLATE)


def run(wanted: InputSpec, faces: FacesInPairs) -> MarginReport:
    return compare_settings(colour_embedder(SIDE), wanted, faces, lambda _done, _of: None)


def test_what_is_declared_rightly_is_right() -> None:
    report = run(declared(), crowd())
    assert [answer.verdict for answer in report.answers] == ["right", "right"]
    assert (report.best_colour, report.best_scaling) == ("bgr", "minus-one-to-one")
    assert all(answer.p_value < 0.01 for answer in report.answers)
    assert (report.pairs, report.people, report.pictures) == (PEOPLE, PEOPLE, PEOPLE * LOOKS)
    assert margin_sentences(report)[0].startswith("colour order BGR: right (p = ")


def test_a_wrong_colour_order_is_wrong_and_the_better_one_named() -> None:
    colour, _ = run(declared("rgb"), crowd()).answers
    assert (colour.subject, colour.declared, colour.verdict, colour.better) == (
        "colour order",
        "RGB",
        "wrong",
        "BGR",
    )


@pytest.mark.parametrize("scaling", ["zero-to-255"])
def test_a_wrong_scaling_is_wrong(scaling: Scaling) -> None:
    report = run(declared("bgr", scaling), crowd())
    assert report.answers[1].verdict == "wrong"
    assert report.best_scaling == "minus-one-to-one"


def test_both_wrong_names_both() -> None:
    report = run(declared("rgb", "zero-to-255"), crowd())
    assert report.wrong
    assert (report.best_colour, report.best_scaling) == ("bgr", "minus-one-to-one")


@pytest.mark.parametrize("seed", range(8))
def test_few_people_are_never_answered_the_opposite(seed: int) -> None:
    faces = crowd(10, 2, seed)
    assert run(declared(), faces).answers[0].verdict in ("right", "cannot tell")
    assert run(declared("rgb"), faces).answers[0].verdict in ("wrong", "cannot tell")


def test_grey_faces_cannot_tell_a_colour_order() -> None:
    faces = crowd()
    grey: Image = np.repeat(faces.chips[..., :1], 3, axis=3)
    answer = run(declared(), FacesInPairs(grey, faces.person, faces.first, faces.second)).answers[0]
    assert answer.verdict == "cannot tell"
    assert answer.p_value == 1.0


def test_too_few_people_are_refused() -> None:
    with pytest.raises(ModelCheckError, match="4 people have a pair of their own and 4 are in them at all"):
        run(declared(), crowd(4))


def test_every_scaling_has_a_name_for_both_orders() -> None:
    for name in SCALINGS:
        for colour in ("rgb", "bgr"):
            assert run_name(declared(colour, name)) == name
    with pytest.raises(ModelCheckError, match="no name here"):
        run(InputSpec((SIDE, SIDE), "rgb", (1.0,) * 3, landmarks_template=TEMPLATE), crowd())


def run_name(wanted: InputSpec) -> str | None:
    from pipelines.model_report import scaling_of

    return scaling_of(wanted)


def embeddings(faces: FacesInPairs, strength: float, seed: int = 1) -> Float32:
    """Rows of unit length; people stand out by `strength`."""
    draw = np.random.default_rng(seed)
    people = draw.normal(size=(int(faces.person.max()) + 1, 32))
    rows = strength * people[faces.person] + draw.normal(size=(len(faces.person), 32))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_leaving_one_out_is_what_it_says() -> None:
    faces = crowd(8, 3)
    rows = embeddings(faces, 1.0)
    quick = margins_without_each(sums_of(rows, faces))
    for left_out in range(8):
        kept = np.flatnonzero(faces.person != left_out)
        back = np.full(len(faces.person), -1)
        back[kept] = np.arange(len(kept))
        pairs = np.isin(faces.first, kept)
        person: Int64 = np.unique(faces.person[kept], return_inverse=True)[1].astype(np.int64)
        less = FacesInPairs(faces.chips[kept], person, back[faces.first[pairs]], back[faces.second[pairs]])
        assert margin(sums_of(rows[kept], less)) == pytest.approx(quick[left_out], abs=1e-9)


def test_chance_alone_is_seldom_taken_for_a_difference() -> None:
    """Two settings equally good: p-values below 0.05 come in about one case of twenty."""
    faces = crowd(20, 2)
    chances = [
        p_value(
            sums_of(embeddings(faces, 1.0, seed), faces), sums_of(embeddings(faces, 1.0, 1000 + seed), faces)
        )[1]
        for seed in range(200)
    ]
    assert 0.01 <= np.mean(np.array(chances) < 0.05) <= 0.1
    assert np.mean(np.array(chances) < 0.01) <= 0.04


def test_a_stretched_similarity_gains_nothing() -> None:
    """Adding one direction to all rows moves every similarity up and together; the margins stay."""
    faces = crowd(30, 2)
    rows = embeddings(faces, 1.0)
    shifted = np.concatenate([rows, np.full((len(rows), 1), 3.0, np.float32)], axis=1) / np.sqrt(10.0)
    gain, chance = p_value(sums_of(rows, faces), sums_of(shifted.astype(np.float32), faces))
    assert gain == pytest.approx(0, abs=1e-3)
    assert chance > 0.01 or abs(gain) < 1e-3


def test_faces_go_through_a_file(tmp_path: Path) -> None:
    faces = crowd(5, 2)
    save_faces(tmp_path / "faces.npz", faces)
    again = load_faces(tmp_path / "faces.npz")
    for name in ("chips", "person", "first", "second"):
        assert np.array_equal(getattr(again, name), getattr(faces, name)), name
