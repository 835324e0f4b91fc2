"""Exact search: the best template of each subject, in order, and errors that say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.errors import GalleryError
from vision.identify.gallery import Gallery
from vision.types import Float32

DIMENSION = 16


def unit(seed: int, rows: int, dimension: int = DIMENSION) -> Float32:
    values = np.random.default_rng(seed).normal(size=(rows, dimension))
    return np.asarray(values / np.linalg.norm(values, axis=1, keepdims=True), np.float32)


@given(
    seed=st.integers(0, 2**16),
    names=st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), min_size=1, max_size=60),
    limit=st.integers(1, 30),
)
def test_finds_what_a_plain_loop_finds(seed: int, names: list[str], limit: int) -> None:
    templates = unit(seed, len(names))
    probes = unit(seed + 1, 3)
    answers = Gallery(templates, names).search(probes, limit)
    for probe, answer in zip(probes, answers, strict=True):
        best = {
            name: max(float(t @ probe) for t, n in zip(templates, names, strict=True) if n == name)
            for name in set(names)
        }
        expected = sorted(best, key=lambda name: -best[name])[:limit]
        assert list(answer.subject_ids) == expected
        assert answer.similarities == pytest.approx([best[name] for name in expected], abs=1e-6)


def test_counts_subjects_not_templates() -> None:
    gallery = Gallery(unit(1, 5), ["b", "a", "b", "c", "a"])
    assert (len(gallery), gallery.template_count, gallery.dimension) == (3, 5, DIMENSION)
    assert gallery.subjects == ("a", "b", "c")


def test_scales_templates_and_probes_to_unit_length() -> None:
    templates = unit(2, 2)
    (answer,) = Gallery(templates * 7, ["a", "b"]).search(templates[:1] * 0.01)
    assert answer.subject_ids[0] == "a"
    assert answer.similarities[0] == pytest.approx(1.0, abs=1e-6)


def test_equal_similarities_come_in_alphabetical_order() -> None:
    row = unit(3, 1)
    gallery = Gallery(np.repeat(row, 4, axis=0), ["d", "b", "c", "a"])
    assert gallery.search(row, limit=2)[0].subject_ids == ("a", "b")


def test_an_empty_gallery_answers_with_nobody() -> None:
    gallery = Gallery.empty(DIMENSION)
    assert len(gallery) == 0
    assert [len(answer) for answer in gallery.search(unit(4, 2))] == [0, 0]


def test_no_probes_no_answers() -> None:
    assert Gallery(unit(5, 2), ["a", "b"]).search(np.empty((0, DIMENSION), np.float32)) == []


def test_does_not_follow_later_changes_of_the_callers_array() -> None:
    templates = unit(6, 1)
    gallery = Gallery(templates, ["a"])
    probe = templates.copy()
    templates[:] = 0
    assert gallery.search(probe)[0].similarities[0] == pytest.approx(1.0, abs=1e-6)


def test_shows_no_template_and_no_name() -> None:
    assert repr(Gallery(unit(7, 2), ["alice", "bob"])) == "Gallery(subjects=2, templates=2, dimension=16)"


NAN_ROW = np.full((1, DIMENSION), np.nan, np.float32)


@pytest.mark.parametrize(
    ("templates", "names", "message"),
    [
        pytest.param(unit(1, 2), ["a"], "2 templates and 1 subject ids", id="too few names"),
        pytest.param(NAN_ROW, ["a"], "not finite", id="nan"),
        pytest.param(np.zeros((1, DIMENSION)), ["a"], "all zero", id="zero row"),
        pytest.param(np.zeros(DIMENSION), ["a"], r"shape \(N, D\), got \(16,\)", id="one-dimensional"),
        pytest.param(np.zeros((1, 0)), ["a"], r"shape \(N, D\)", id="no numbers"),
        pytest.param(unit(1, 1), [""], "empty subject id", id="nameless"),
    ],
)
def test_refuses_templates_that_cannot_be_searched(
    templates: Float32, names: list[str], message: str
) -> None:
    with pytest.raises(GalleryError, match=message):
        Gallery(templates, names)


@pytest.mark.parametrize(
    ("probes", "limit", "message"),
    [
        pytest.param(unit(1, 1, 8), 5, "8 numbers, the gallery's templates 16", id="another model"),
        pytest.param(NAN_ROW, 5, "not finite", id="nan"),
        pytest.param(unit(1, 1)[0], 5, "shape", id="one-dimensional"),
        pytest.param(unit(1, 1), 0, "limit must be at least 1", id="no limit"),
    ],
)
def test_refuses_probes_that_cannot_be_compared(probes: Float32, limit: int, message: str) -> None:
    with pytest.raises(GalleryError, match=message):
        Gallery(unit(1, 2), ["a", "b"]).search(probes, limit)
