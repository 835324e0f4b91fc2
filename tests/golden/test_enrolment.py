"""Enrolment with the real models on photographs: seeds found, a change of embedder carried through."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from aiqyn.enrolment import ListTerms, check_list, enrol_list
from aiqyn.re_enrolment import refresh_lists
from api.galleries import GalleryService
from api.keys.store import KeyStore
from api.services import Services, build_services
from bench.enrolment import measure
from pipelines.build import Perception, PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.galleries import GalleryPackage
from pipelines.search_lists import prepare_list
from pipelines.stages import Engines
from tests.api_client import FakeClock
from tests.enrolment_bench import Shelf
from tests.seeds import CHEAP_PASSWORDS, make_settings
from vision.errors import GalleryError
from vision.images import read_image
from vision.types import Float32
from weights.catalog import load_catalog
from weights.store import WeightStore

pytestmark = [
    pytest.mark.evaldata,
    pytest.mark.models("centerface", "mobilefacenet-faceplugin", "dlib-resnet"),
]

PEOPLE = 6


@pytest.fixture
def lfw(eval_data: Path) -> Path:
    return eval_data / "faces" / "lfw2" / "images"


@pytest.fixture
def people(lfw: Path) -> list[Path]:
    """Folders of people with three pictures or more."""
    several = [folder for folder in sorted(lfw.iterdir()) if len(list(folder.iterdir())) >= 3]
    return several[:PEOPLE]


def perception_of(embedder: str) -> Perception:
    config = load_config(None)
    store = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
    return build_perception(store, PerceptionOptions(detector=None, embedder=embedder))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def services(tmp_path: Path, clock: FakeClock) -> Iterator[Services]:
    keys = KeyStore.init(tmp_path / "keys", data_dir=tmp_path / "data", now=clock() - timedelta(days=1))
    keys.create_worker("w1", now=clock() - timedelta(days=1))
    made = build_services(make_settings(tmp_path), clock=clock, passwords=CHEAP_PASSWORDS)
    yield made
    made.close()


def list_terms(clock: FakeClock) -> ListTerms:
    return ListTerms(
        watchlist="photographs",
        purpose="test",
        deployment_id="d1",
        cameras=frozenset({"gate"}),
        active_from=clock(),
        active_until=clock() + timedelta(days=30),
        requested_by="a",
        authorised_by="b",
        legal_basis="none",
        case_reference="7",
        image_source="evaluation data",
    )


def published(services: Services, clock: FakeClock) -> GalleryPackage:
    shelf = Shelf()
    GalleryService(services.database, services.records, services.keys, clock, shelf).run_once()
    return shelf.published[-1]


def probe(picture: Path, engines: Engines) -> Float32:
    """The largest face of another photograph."""
    image = read_image(picture)
    faces = engines.face_detector.detect(image)
    largest = int(np.argmax(np.prod(faces.xyxy[:, 2:] - faces.xyxy[:, :2], axis=1)))
    (embedding,) = engines.embedder.embed(image, faces.landmarks[largest : largest + 1])
    return np.asarray(embedding, np.float32)


def test_seeds_are_found_and_a_clean_list_passes(lfw: Path) -> None:
    figures = measure(lfw, people=8)
    assert figures.people >= 7
    assert figures.people_with_false_findings == 0
    for kind in ("outlier", "duplicate", "shared_picture"):
        seeding = figures.seeded[kind]
        assert seeding.seeded >= 7
        assert seeding.found == seeding.refused == seeding.seeded, kind


def test_the_two_most_alike_people_are_told_of(lfw: Path, tmp_path: Path, services: Services) -> None:
    for name in ("Flor_Montulo", "Nora_Bendijo"):
        shutil.copytree(lfw / name, tmp_path / "refs" / name)
    checked = check_list(
        services,
        perception_of("mobilefacenet-faceplugin"),
        tmp_path / "refs",
        list_terms(FakeClock()),
    )
    (finding,) = [one for one in checked.checked.findings if len(one.subjects) == 2]
    assert set(finding.subjects) == {"Flor_Montulo", "Nora_Bendijo"}
    assert "will be confused" in finding.message
    assert finding.similarity > finding.limit


def test_from_one_real_embedder_to_another(
    people: list[Path], tmp_path: Path, services: Services, clock: FakeClock
) -> None:
    held_out: dict[str, Path] = {}
    for folder in people:
        first, *others = sorted(folder.iterdir())
        held_out[folder.name] = first
        (tmp_path / "refs" / folder.name).mkdir(parents=True)
        for picture in others[:3]:
            shutil.copy(picture, tmp_path / "refs" / folder.name)
    before, after = perception_of("mobilefacenet-faceplugin"), perception_of("dlib-resnet")
    done = enrol_list(services, before, tmp_path / "refs", list_terms(clock))
    with pytest.raises(GalleryError, match="enrol --refresh"):
        prepare_list(published(services, clock), after.models, after.preprocessing)
    (refreshed,) = refresh_lists(services, after)
    assert refreshed.failed == ()
    gallery = prepare_list(published(services, clock), after.models, after.preprocessing).gallery
    assert gallery.dimension == after.embedder.dimension != before.embedder.dimension
    probes = [probe(held_out[name], after.engines()) for name in done.subject_ids]
    found = [answer.subject_ids[0] for answer in gallery.search(np.stack(probes))]
    assert found == list(done.subject_ids.values())
    with pytest.raises(GalleryError, match="enrol --refresh"):
        prepare_list(published(services, clock), before.models, before.preprocessing)
