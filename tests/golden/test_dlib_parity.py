"""The converted network against dlib's own, on the same aligned faces."""

from __future__ import annotations

import numpy as np
import pytest

from bench.dlib import EMBEDDER_ID, aligned_chips, dlib_network, measure, our_network
from pipelines.build import build_embedder
from pipelines.config import load_config
from vision.face.embed import EmbedderOptions, FaceEmbedder
from vision.types import Image
from weights.catalog import load_catalog
from weights.store import WeightStore

TOLERANCE = 1e-5
PICTURES = tuple(spec.id for spec in load_catalog().of_task("pictures"))

pytestmark = [pytest.mark.system, pytest.mark.models("centerface", EMBEDDER_ID, *PICTURES)]  # takes its time


@pytest.fixture(scope="module")
def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


@pytest.fixture(scope="module")
def chips(store: WeightStore) -> Image:
    """Real faces, and pictures no face looks like: parity holds for what a network was not made for, too."""
    faces = aligned_chips(store)
    random = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    extremes = np.stack([np.zeros((150, 150, 3), np.uint8), np.full((150, 150, 3), 255, np.uint8)])
    return np.concatenate([faces, faces[:, :, ::-1], random, extremes])


def test_every_number_is_dlibs(store: WeightStore, chips: Image) -> None:
    assert len(chips) >= 20
    theirs, ours = dlib_network(store)(chips), our_network(store)(chips)
    assert np.abs(theirs - ours).max() < TOLERANCE
    # The test can fail: another order of the channels is another network.
    assert np.abs(theirs - our_network(store)(chips[..., ::-1])).max() > 1e-2


def test_the_embedder_gives_dlibs_directions(store: WeightStore, chips: Image) -> None:
    theirs = dlib_network(store)(chips)
    embedder = build_embedder(store, EMBEDDER_ID, options=EmbedderOptions(mirrored=False))
    assert isinstance(embedder, FaceEmbedder)
    ours = embedder.embed_chips(chips)
    assert np.abs(theirs / np.linalg.norm(theirs, axis=1, keepdims=True) - ours).max() < TOLERANCE


def test_the_comparison_measures_both_sides(store: WeightStore) -> None:
    """How much faster is a figure of `make accept`, not of a test: tests share the machine."""
    comparison = measure(store, rounds=1)
    assert comparison.max_difference < TOLERANCE
    assert comparison.dlib_ms_per_face > 0
    assert comparison.ours_ms_per_face > 0
