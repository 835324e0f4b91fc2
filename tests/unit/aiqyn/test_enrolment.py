"""From a folder of pictures to entries, a deployment and a gallery a worker can open."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from aiqyn.enrolment import ListTerms, enrol_list
from api.review.errors import RecordError
from api.services import Services
from api.store.models import Subject
from pipelines.errors import EnrolError
from pipelines.galleries import open_gallery, seal_gallery
from pipelines.worker_keys import WorkerKeys
from tests.api_client import FakeClock
from tests.enrolment_bench import PERCEPTION, Shelf, shelved
from tests.fake_engine import Painted, paint, square
from vision.images import encode_png


def test_a_folder_becomes_a_list_that_a_worker_can_open(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    done = enrol_list(services, PERCEPTION, folder, terms)
    assert set(done.subject_ids) == {"Akmaral", "Timur"}
    assert (done.gallery_version, done.missing) == (1, ("Nobody",))
    assert [report.outcome for report in done.refused] == ["no_face"]
    shelf = Shelf()
    assert shelved(services, shelf, clock).run_once() == 1
    (package,) = shelf.published
    assert sorted(package.subject_ids) == sorted(
        [done.subject_ids["Akmaral"], done.subject_ids["Akmaral"], done.subject_ids["Timur"]]
    )
    sealed = seal_gallery(package, services.keys.galleries_key(), services.keys.worker_sealing_key("w1"))
    worker = WorkerKeys.load(services.keys.folder / "workers" / "w1")
    opened = open_gallery(sealed, worker, "d1", clock() + timedelta(minutes=1))
    assert (opened.version, opened.cameras, opened.preprocessing) == (1, ("gate",), "embedder:fake")


def test_folder_names_lie_nowhere_in_clear(services: Services, folder: Path, terms: ListTerms) -> None:
    done = enrol_list(services, PERCEPTION, folder, terms)
    assert not any("akmaral" in value.casefold() for value in done.subject_ids.values())
    for path in (services.keys.folder.parent / "data").rglob("*"):
        if path.is_file():
            assert b"Akmaral" not in path.read_bytes(), path.name


def test_enrolling_again_adds_nobody_twice(services: Services, folder: Path, terms: ListTerms) -> None:
    first = enrol_list(services, PERCEPTION, folder, terms)
    again = enrol_list(services, PERCEPTION, folder, terms)
    assert again.subject_ids == first.subject_ids
    assert set(again.already_listed) == {"Akmaral", "Timur"}
    assert again.gallery_version == 1


def test_a_changed_list_is_a_new_version_and_reaches_the_workers(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    shelf = Shelf()
    galleries = shelved(services, shelf, clock)
    assert galleries.run_once() == 1
    assert galleries.run_once() == 0  # nothing changed, nothing is sent
    (folder / "Nobody" / "1.png").write_bytes(encode_png(paint([Painted(3, square(120, 80, 80))])))
    done = enrol_list(services, PERCEPTION, folder, terms)
    assert done.gallery_version == 2
    assert galleries.run_once() == 1
    assert [package.version for package in shelf.published] == [1, 2]
    assert shelf.published[-1].subject_count == 3


def test_an_expired_entry_leaves_the_galleries_by_itself(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    done = enrol_list(services, PERCEPTION, folder, terms)
    shelf = Shelf()
    galleries = shelved(services, shelf, clock)
    galleries.run_once()
    with services.database.write() as session:
        session.get_one(Subject, done.subject_ids["Akmaral"]).expires_at = clock() + timedelta(hours=1)
    clock.forward(hours=2)
    galleries.run_once()
    assert set(shelf.published[-1].subject_ids) == {done.subject_ids["Timur"]}
    with services.database.write() as session:
        session.get_one(Subject, done.subject_ids["Timur"]).removed_at = clock()
    galleries.run_once()
    assert shelf.withdrawn == [("d1", "w1")]


def test_an_ended_deployment_is_not_handed_out(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    clock.forward(days=31)
    shelf = Shelf()
    assert shelved(services, shelf, clock).run_once() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"authorised_by": "A. Officer"},
        {"legal_basis": ""},
        {"case_reference": " "},
        {"cameras": frozenset()},
        {"purpose": ""},
    ],
)
def test_terms_that_break_a_rule_add_nothing(
    services: Services, folder: Path, terms: ListTerms, wrong: dict[str, object]
) -> None:
    with pytest.raises(RecordError):
        enrol_list(services, PERCEPTION, folder, replace(terms, **wrong))  # type: ignore[arg-type]  # mixed types
    with services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Subject)) == 0


def test_a_deployment_of_another_list_is_not_taken_over(
    services: Services, folder: Path, terms: ListTerms
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    with pytest.raises(RecordError, match="another list"):
        enrol_list(services, PERCEPTION, folder, replace(terms, watchlist="Another"))


def test_a_folder_without_faces_is_refused(services: Services, tmp_path: Path, terms: ListTerms) -> None:
    (tmp_path / "empty" / "x").mkdir(parents=True)
    (tmp_path / "empty" / "x" / "0.png").write_bytes(encode_png(paint([])))
    with pytest.raises(EnrolError, match="not one picture"):
        enrol_list(services, PERCEPTION, tmp_path / "empty", terms)
