"""The whole clip from the real photographs, and what the real models see in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from aiqyn.demo.footage import Footage, GroundTruth, render
from aiqyn.demo.footage.cast import CAST, FOUND, picture_ids
from pipelines.calibrations import load_calibration
from vision.face.base import Embedder, FaceDetector
from vision.face.centerface import CenterFace
from vision.face.embed import FaceEmbedder
from vision.images import read_image
from vision.runtime import InferenceSession, RuntimeOptions
from vision.types import Float32, Frame, ModelInput
from vision.video import open_source
from weights.catalog import load_catalog
from weights.spec import InputSpec
from weights.store import WeightStore, default_root

pytestmark = pytest.mark.models("centerface", "mobilefacenet-faceplugin", *picture_ids())

_EMBEDDER = "mobilefacenet-faceplugin"
_LOOKED_AT_EVERY = 20


@pytest.fixture(scope="module")
def store() -> WeightStore:
    return WeightStore(default_root(), load_catalog())


@pytest.fixture(scope="module")
def footage(store: WeightStore, tmp_path_factory: pytest.TempPathFactory) -> Footage:
    told: list[tuple[int, int]] = []
    made = render(store, tmp_path_factory.mktemp("footage"), lambda done, total: told.append((done, total)))
    assert told == [(number + 1, len(told)) for number in range(len(told))]
    return made


@pytest.fixture(scope="module")
def truth(footage: Footage) -> GroundTruth:
    return GroundTruth.read(footage.ground_truth)


def _options() -> RuntimeOptions:
    return RuntimeOptions(intra_op_threads=1)


def _input(spec: InputSpec | None) -> ModelInput:
    assert spec
    return ModelInput(spec.size_wh, spec.colour, spec.mean, spec.scale)


@pytest.fixture(scope="module")
def detector(store: WeightStore) -> FaceDetector:
    spec = store.catalog.get("centerface")
    return CenterFace(InferenceSession(store.read(spec.id), _options()), _input(spec.input))


@pytest.fixture(scope="module")
def embedder(store: WeightStore) -> Embedder:
    spec = store.catalog.get(_EMBEDDER)
    assert spec.input
    assert spec.input.landmarks_template
    session = InferenceSession(store.read(spec.id), _options())
    return FaceEmbedder(session, _input(spec.input), spec.input.landmarks_template)


@pytest.fixture(scope="module")
def references(footage: Footage, detector: FaceDetector, embedder: Embedder) -> dict[str, Float32]:
    """The list's templates; enrolling wants exactly one face per picture."""
    templates = {}
    for folder in sorted(footage.references.iterdir()):
        (path,) = folder.iterdir()
        image = read_image(path)
        faces = detector.detect(image)
        assert len(faces) == 1, path
        templates[folder.name] = embedder.embed(image, faces.landmarks)[0]
    return templates


@pytest.fixture(scope="module")
def threshold(references: dict[str, Float32]) -> float:
    point = load_calibration(_EMBEDDER).operating_point(
        gallery_templates=len(references), gallery_subjects=len(references), false_alerts_per_1000_faces=1
    )
    return point.threshold


def _frames(footage: Footage) -> Iterator[Frame]:
    with open_source(footage.video) as source:
        yield from (frame for frame in source if frame.frame_index % _LOOKED_AT_EVERY == 0)


@pytest.mark.system  # takes its time
def test_clip_is_what_it_says(footage: Footage, truth: GroundTruth) -> None:
    with open_source(footage.video) as source:
        assert source.size_wh == (truth.width, truth.height) == (1280, 720)
        times = [picture.pts_seconds for picture in source.pictures()]
    assert 20 <= times[-1] <= 25
    assert times == pytest.approx([frame.pts_seconds for frame in truth.frames], abs=1e-3)
    assert footage.video.stat().st_size < 3_000_000


def test_list_is_one_folder_per_listed_person(references: dict[str, Float32], truth: GroundTruth) -> None:
    assert set(references) == {person.subject_id for person in CAST if person.subject_id}
    assert {p.person_id for p in truth.persons if p.subject_id and not p.appears}


def test_models_find_the_listed_and_nobody_else(
    footage: Footage,
    truth: GroundTruth,
    detector: FaceDetector,
    embedder: Embedder,
    references: dict[str, Float32],
    threshold: float,
) -> None:
    best: dict[str, dict[str, float]] = {}
    for frame in _frames(footage):
        faces = detector.detect(frame.image)
        for box, landmarks in zip(faces.xyxy, faces.landmarks, strict=True):
            x0, y0, x1, y1 = (float(value) for value in box)
            person = truth.person_at(frame.pts_seconds, (x0, y0, x1, y1))
            if person is None:
                continue
            (row,) = embedder.embed(frame.image, landmarks[None])
            for subject, template in references.items():
                scores = best.setdefault(person, {})
                scores[subject] = max(scores.get(subject, -1.0), float(row @ template))
    appearing = {person.person_id for person in truth.persons if person.appears}
    assert set(best) == appearing
    for person_id, scores in best.items():
        for subject, similarity in scores.items():
            if subject == truth.subject_of(person_id):
                assert similarity > threshold + 0.15, (person_id, subject)
            else:
                assert similarity < threshold - 0.1, (person_id, subject)


def test_listed_person_is_enrolled_from_another_photograph(footage: Footage) -> None:
    assert FOUND.subject_id
    assert FOUND.photograph
    assert FOUND.reference
    assert (footage.references / FOUND.subject_id / "reference.jpg").is_file()
    assert FOUND.photograph.picture_id != FOUND.reference.picture_id


def test_control_shows_the_bystander_beside_no_reference_of_hers(
    footage: Footage, truth: GroundTruth, embedder: Embedder, references: dict[str, Float32], threshold: float
) -> None:
    control = footage.control
    assert truth.person_at(control.pts_seconds, control.face_xyxy) == control.person_id
    assert truth.subject_of(control.person_id) is None
    assert control.truth == "different"
    landmarks = np.asarray(control.landmarks, np.float32)[None]
    (row,) = embedder.embed(control.image, landmarks)
    assert float(row @ references[control.subject_id]) < threshold
    with open_source(footage.video) as source:
        shown = next(frame for frame in source if frame.frame_index == control.frame_index)
    assert np.array_equal(shown.image, control.image)
