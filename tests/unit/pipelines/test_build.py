"""Joining catalogue, weights and vision: what is refused, and what a candidate will say of the models."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.build import (
    PerceptionOptions,
    build_detector,
    build_embedder,
    build_face_detector,
    build_perception,
    embedder_in_use,
    tracker_factory,
)
from pipelines.config import load_config
from pipelines.errors import ConfigError
from pipelines.families import SearchOptions
from tests.builders import noise
from vision.errors import ModelError
from vision.face.embed import FaceEmbedder
from vision.runtime import RuntimeOptions
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort
from weights.catalog import load_catalog
from weights.errors import CacheError, CatalogError
from weights.store import WeightStore

ALL = ("centerface", "mobilefacenet-faceplugin", "yolov3-tiny")


@pytest.fixture(scope="module")
def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


def test_options_are_those_of_the_settings() -> None:
    options = PerceptionOptions.of(load_config(None, environment={"AIQYN_WORKER__INTRA_OP_THREADS": "3"}))
    assert (options.detector, options.face_detector, options.embedder) == (
        "yolov3-tiny",
        "centerface",
        "mobilefacenet-faceplugin",
    )
    assert (options.tracker, options.runtime.intra_op_threads) == ("oc-sort", 3)


@pytest.mark.models(*ALL)
def test_perception_names_every_model_it_runs(store: WeightStore) -> None:
    perception = build_perception(store)
    assert [(model.role, model.id) for model in perception.models] == [
        ("detector", "yolov3-tiny"),
        ("face_detector", "centerface"),
        ("embedder", "mobilefacenet-faceplugin"),
    ]
    for model in perception.models:
        assert model.sha256 == store.catalog.get(model.id).sha256
    assert perception.providers[-1] == "CPUExecutionProvider"
    assert "embedder:bgr/112x112/mean=127.5" in perception.preprocessing
    assert "five-points=" in perception.preprocessing
    assert perception.embedder.dimension == 512
    engines = perception.engines()
    assert engines.embedder_id == perception.embedder_id
    assert engines.new_face_tracker() is not engines.new_face_tracker()
    assert engines.detector is not None
    assert len(engines.face_detector.detect(noise((64, 64)))) == 0


@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_objects_are_not_everybodys_wish(store: WeightStore) -> None:
    perception = build_perception(store, PerceptionOptions(detector=None, tracker="bytetrack"))
    assert perception.detector is None
    assert [model.role for model in perception.models] == ["face_detector", "embedder"]
    assert isinstance(perception.new_object_tracker(), ByteTrack)


@pytest.mark.models("dlib-resnet")
def test_an_embedder_averages_in_the_mirrored_face_and_says_so(store: WeightStore) -> None:
    chips = np.random.default_rng(0).integers(0, 256, (1, 150, 150, 3), dtype=np.uint8)
    embedder = build_embedder(store, "dlib-resnet")
    assert isinstance(embedder, FaceEmbedder)
    assert embedder_in_use(store, "dlib-resnet").preprocessing.endswith("+mirrored")
    assert np.allclose(embedder.embed_chips(chips), embedder.embed_chips(chips[:, :, ::-1]), atol=1e-5)


@pytest.mark.models("yolov3-tiny")
def test_canvas_and_padding_are_the_catalogues_whatever_is_asked(store: WeightStore) -> None:
    detector = build_detector(store, "yolov3-tiny", search=SearchOptions(0.5, long_side_px=608))
    assert detector.min_confidence == 0.5
    assert len(detector.labels) == 80
    detector.detect(noise((640, 360)))
    with pytest.raises(ModelError, match="multiple of 32"):
        build_detector(store, "yolov3-tiny", search=SearchOptions(long_side_px=600))


def test_an_id_of_another_task_is_refused_with_those_that_would_do(store: WeightStore) -> None:
    with pytest.raises(ConfigError, match=r"'centerface' is for the task face, not detect; .*yolov3-tiny"):
        build_detector(store, "centerface")
    with pytest.raises(ConfigError, match="for the task detect, not embed"):
        build_embedder(store, "yolov3-tiny")
    with pytest.raises(ConfigError, match="for the task program, not face"):
        build_face_detector(store, "redis-server")
    with pytest.raises(CatalogError, match="no-such-model"):
        build_detector(store, "no-such-model")


def test_a_model_that_was_not_pulled_says_how_to(tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = WeightStore(tmp_path_factory.mktemp("weights"), load_catalog())
    with pytest.raises(CacheError, match="aiqyn weights pull centerface"):
        build_face_detector(empty, "centerface")


@pytest.mark.models("centerface")
def test_a_provider_that_is_not_here_names_the_model(store: WeightStore) -> None:
    with pytest.raises(ModelError, match="centerface: NoSuchProvider is not installed"):
        build_face_detector(store, "centerface", RuntimeOptions(("NoSuchProvider",)))


def test_trackers_are_fresh_each_time() -> None:
    new_tracker = tracker_factory("oc-sort", 0.2)
    assert isinstance(new_tracker(), OcSort)
    assert new_tracker() is not new_tracker()
    assert isinstance(tracker_factory("bytetrack", 0.2)(), ByteTrack)
