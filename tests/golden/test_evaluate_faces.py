"""Both embedders on two folds of LFW: the accuracy promised, and the table the thresholds are read off."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pipelines.build import build_embedder, build_face_detector, embedder_in_use
from pipelines.calibrations import load_calibration
from pipelines.config import load_config
from pipelines.evaluate.faces import (
    FacePairs,
    FaceSet,
    embed_images,
    identities,
    read_pairs,
    score_faces,
)
from vision.face.base import FaceDetector
from vision.identify.impostors import ImpostorSample
from vision.runtime import RuntimeOptions
from vision.types import Faces, Image
from weights.catalog import load_catalog
from weights.store import WeightStore

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.system,  # takes its time
    pytest.mark.evaldata,
    pytest.mark.models("centerface", "mobilefacenet-faceplugin", "dlib-resnet"),
]

PROMISED = {"mobilefacenet-faceplugin": 0.993, "dlib-resnet": 0.987}
THREADS = RuntimeOptions(intra_op_threads=2)


@dataclass(slots=True)
class Remembering:
    """A face detector that looks at every picture once, for all embedders."""

    detector: FaceDetector
    seen: dict[int, Faces] = field(default_factory=dict)

    @property
    def min_confidence(self) -> float:
        return self.detector.min_confidence

    def detect(self, image: Image) -> Faces:
        key = hash(image.tobytes())
        if key not in self.seen:
            self.seen[key] = self.detector.detect(image)
        return self.seen[key]


@pytest.fixture(scope="module")
def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


@pytest.fixture(scope="module")
def detector(store: WeightStore) -> Remembering:
    return Remembering(build_face_detector(store, "centerface", THREADS))


@pytest.fixture(scope="module", params=list(PROMISED))
def measured(
    request: pytest.FixtureRequest, eval_data: Path, store: WeightStore, detector: Remembering
) -> tuple[str, FacePairs, FaceSet]:
    folder = eval_data / "faces" / "lfw2"
    pairs = read_pairs(folder / "pairs.csv")
    embedder = build_embedder(store, request.param, THREADS)
    return request.param, pairs, embed_images(folder / "images", pairs.images, detector, embedder)


def test_accuracy_and_true_accepts(measured: tuple[str, FacePairs, FaceSet]) -> None:
    embedder_id, pairs, faces = measured
    score = score_faces(pairs, faces)
    assert score.verification.accuracy >= PROMISED[embedder_id]
    assert [fold.pairs for fold in score.verification.folds] == [600, 600]
    assert (score.impostor_pairs, score.genuine_pairs) == (1_250_180, 600)
    assert faces.undetected == ()
    assert faces.problems == ()


def test_true_accepts_by_plain_sorting(measured: tuple[str, FacePairs, FaceSet]) -> None:
    """The same rate from the whole matrix of similarities at once."""
    _, pairs, faces = measured
    similarity = faces.embeddings @ faces.embeddings.T
    people = np.array([name.partition("/")[0] for name in pairs.images])
    above = np.triu(np.ones(similarity.shape, np.bool_), 1)
    strangers = np.sort(similarity[above & (people[:, np.newaxis] != people)])[::-1]
    listed = similarity[pairs.first, pairs.second][pairs.same]
    for rate, share in score_faces(pairs, faces).tar_at_fmr.items():
        cut = strangers[int(float(rate) * len(strangers))]
        assert share == pytest.approx(np.mean(listed > cut), abs=1.5 / len(listed))


def test_the_shipped_calibration_is_this_measurement(
    measured: tuple[str, FacePairs, FaceSet], store: WeightStore
) -> None:
    embedder_id, pairs, faces = measured
    fresh = ImpostorSample.from_embeddings(faces.embeddings, identities(pairs.images))
    shipped = load_calibration(embedder_id, in_use=embedder_in_use(store, embedder_id)).model.sample
    assert (shipped.people, shipped.picture_count, shipped.picture_pairs) == (844, 1583, 1_250_180)
    assert shipped.strangers_similarity == pytest.approx(fresh.strangers_similarity, abs=2e-3)
    assert np.quantile(shipped.similarity, [0, 0.5, 0.99]) == pytest.approx(
        np.quantile(fresh.similarity, [0, 0.5, 0.99]), abs=2e-3
    )
