"""Which pairs of strangers are kept, by whom, and what a sample refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vision.errors import GalleryError
from vision.identify.impostors import ImpostorSample
from vision.types import Float32, Int64


def embedded(people: int, pictures: int, dimension: int = 16, seed: int = 0) -> tuple[Float32, Int64]:
    """Random directions; `pictures` rows per person, shuffled."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(people * pictures, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, rng.permutation(np.repeat(np.arange(people), pictures)).astype(np.int64)


def test_keeps_the_most_alike_pairs_of_different_people() -> None:
    rows, identity = embedded(700, 2)
    sample = ImpostorSample.from_embeddings(rows, identity, kept_share=0.01)
    every = np.sort((rows @ rows.T)[np.triu(identity[:, None] != identity[None], 1)])[::-1]
    assert (sample.people, sample.picture_count, sample.picture_pairs) == (700, 1400, len(every))
    assert len(sample.similarity) == int(np.ceil(0.01 * len(every)))
    assert sample.similarity == pytest.approx(every[: len(sample.similarity)], abs=1e-6)
    assert sample.floor == pytest.approx(every[len(sample.similarity) - 1], abs=1e-6)


def test_says_whose_the_pictures_are() -> None:
    rows, identity = embedded(30, 3)
    sample = ImpostorSample.from_embeddings(rows, identity, kept_share=1.0)
    order = np.argsort(identity, kind="stable")
    again = (rows[order][sample.first] * rows[order][sample.second]).sum(axis=1)
    assert sample.similarity == pytest.approx(again, abs=1e-6)
    assert (sample.person_of(sample.first) == identity[order][sample.first]).all()
    assert sample.complete
    assert sample.floor == -1.0


def test_strangers_similarity_counts_each_pair_of_people_once() -> None:
    """One pair of people with ninety pictures each is one pair among many."""
    rows, identity = embedded(60, 1)
    twins = np.tile(rows[:1], (180, 1))
    crowd = np.concatenate([rows, twins])
    who = np.concatenate([identity + 2, np.repeat([0, 1], 90)])
    with_twins = ImpostorSample.from_embeddings(crowd, who).strangers_similarity
    assert with_twins < 0.9
    pooled = np.sort((crowd @ crowd.T)[np.triu(who[:, None] != who[None], 1)])[::-1]
    assert pooled[len(pooled) // 100] > 0.99


def test_strangers_similarity_is_reached_by_one_pair_in_a_hundred() -> None:
    rows, identity = embedded(400, 1)
    sample = ImpostorSample.from_embeddings(rows, identity)
    every = (rows @ rows.T)[np.triu(np.ones((400, 400), bool), 1)]
    assert np.mean(every >= sample.strangers_similarity) == pytest.approx(0.01, abs=5e-4)


def test_never_more_and_never_fewer_than_so_many() -> None:
    rows, identity = embedded(100, 1)
    for share, limits, kept in ((1.0, (1, 7), 7), (1e-6, (30, 100), 30), (1e-6, (9000, 9000), 4950)):
        sample = ImpostorSample.from_embeddings(rows, identity, kept_share=share, kept_pairs=limits)
        assert len(sample.similarity) == kept


def test_repr_holds_no_values() -> None:
    rows, identity = embedded(10, 1)
    assert repr(ImpostorSample.from_embeddings(rows, identity)) == (
        "ImpostorSample(people=10, pictures=10, kept=45)"
    )


GOOD: dict[str, Any] = {
    "pictures": np.array([1, 2]),
    "first": np.array([0, 0]),
    "second": np.array([1, 2]),
    "similarity": np.array([0.5, 0.4], np.float32),
    "strangers_similarity": 0.2,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"pictures": np.array([3])}, "at least two people", id="one person"),
        pytest.param({"pictures": np.array([1, 0, 2])}, "at least one picture", id="nobody's"),
        pytest.param({"first": np.array([0])}, "as many first", id="columns differ"),
        pytest.param({"second": np.array([1, 3])}, "nobody's", id="picture there is not"),
        pytest.param({"first": np.array([0, -1])}, "nobody's", id="negative picture"),
        pytest.param({"first": np.array([0, 1])}, "one person", id="pair of one person"),
        pytest.param({"second": np.array([1, 1])}, "a pair of pictures twice", id="a pair twice"),
        pytest.param(
            {"pictures": np.array([1, 1, 1]), "first": np.array([0, 1]), "second": np.array([1, 0])},
            "a pair of pictures twice",
            id="a pair from both sides",
        ),
        pytest.param({"similarity": np.array([0.5, np.nan], np.float32)}, "cosines", id="nan"),
        pytest.param({"similarity": np.array([1.5, 0.4], np.float32)}, "cosines", id="no cosine"),
        pytest.param({"similarity": np.array([0.4, 0.5], np.float32)}, "must fall", id="rising"),
        pytest.param({"strangers_similarity": float("nan")}, "must be a cosine", id="strangers nan"),
        pytest.param(
            {"first": np.empty(0, int), "second": np.empty(0, int), "similarity": np.empty(0, np.float32)},
            "at least one pair",
            id="no pairs",
        ),
    ],
)
def test_refuses_what_is_no_sample(change: dict[str, Any], message: str) -> None:
    ImpostorSample(**GOOD)
    with pytest.raises(GalleryError, match=message):
        ImpostorSample(**GOOD | change)


def test_refuses_embeddings_of_one_person() -> None:
    rows, identity = embedded(5, 1)
    with pytest.raises(GalleryError, match="at least two people"):
        ImpostorSample.from_embeddings(rows, np.zeros_like(identity))
    with pytest.raises(GalleryError, match="5 identities for embeddings"):
        ImpostorSample.from_embeddings(rows[:4], identity)
