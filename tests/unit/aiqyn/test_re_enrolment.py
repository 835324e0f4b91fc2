"""A change of embedder: refused, made anew from the stored pictures, matched again, and the old templates ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from aiqyn.enrolment import ListTerms, check_list, enrol_list
from aiqyn.re_enrolment import pictures_to_refresh, refresh_lists
from api.services import Services
from api.store.models import LedgerEntry, ReferenceTemplate, SubjectReference
from api.template_watch import CameraReport, TemplateWatch
from pipelines.galleries import GalleryPackage
from pipelines.search_lists import prepare_list
from tests.api_client import FakeClock
from tests.enrolment_bench import PERCEPTION, Shelf, other_perception, shelved
from tests.fake_engine import paint
from vision.errors import GalleryError
from vision.images import encode_jpeg


def templates(services: Services) -> int:
    with services.database.read() as session:
        return session.scalar(select(func.count()).select_from(ReferenceTemplate)) or 0


def published(services: Services, clock: FakeClock) -> GalleryPackage:
    shelf = Shelf()
    shelved(services, shelf, clock).run_once()
    return shelf.published[-1]


class Told:
    """What workers report, as a test says it."""

    def __init__(self, *reports: CameraReport) -> None:
        self.reports = list(reports)

    def of(self, camera_ids: Iterable[str]) -> list[CameraReport]:
        """All of them, whatever the camera."""
        assert set(camera_ids) == {"gate"}
        return self.reports


def watch(services: Services, clock: FakeClock, *reports: CameraReport) -> TemplateWatch:
    return TemplateWatch(services.database, services.references, Told(*reports), clock)


def test_a_worker_with_another_embedder_refuses_then_searches_again(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    done = enrol_list(services, PERCEPTION, folder, terms)
    other = other_perception()
    with pytest.raises(GalleryError, match=r"of embedder .*, this worker uses .*enrol --refresh"):
        prepare_list(published(services, clock), other.models, other.preprocessing)
    assert pictures_to_refresh(services, other) == 3
    steps: list[str] = []
    (refreshed,) = refresh_lists(services, other, on_picture=steps.append)
    assert (refreshed.made, refreshed.failed, refreshed.gallery_versions) == (3, (), {"d1": 2})
    assert steps == ["Missing persons"] * 3
    package = published(services, clock)
    searched = prepare_list(package, other.models, other.preprocessing)
    assert sorted(searched.gallery.subjects) == sorted(done.subject_ids.values())
    assert searched.gallery.template_count == 3
    with pytest.raises(GalleryError, match="enrol --refresh"):
        prepare_list(package, PERCEPTION.models, PERCEPTION.preprocessing)


def test_it_goes_on_where_it_was_interrupted_and_then_has_nothing_to_do(
    services: Services, folder: Path, terms: ListTerms
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    other = other_perception()

    def interrupt(_: str) -> None:
        if pictures_to_refresh(services, other) < 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refresh_lists(services, other, on_picture=interrupt)
    waiting = pictures_to_refresh(services, other)
    assert 0 < waiting < 3
    (again,) = refresh_lists(services, other)
    assert again.made == waiting
    (nothing,) = refresh_lists(services, other)
    assert (nothing.made, nothing.gallery_versions) == (0, {"d1": 2})


def test_both_kinds_of_templates_live_until_the_new_version_is_in_use(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    refresh_lists(services, other_perception())
    assert templates(services) == 6
    idle = CameraReport("w1", "", None, {})
    old = CameraReport("w1", "d1", 1, {})
    new = CameraReport("w1", "d1", 2, {})
    for reports in ((), (idle,), (old,), (old, new)):
        assert watch(services, clock, *reports).run_once() == 0
        assert templates(services) == 6
    assert watch(services, clock, idle, new).run_once() == 3
    assert templates(services) == 3
    with services.database.read() as session:
        kinds = session.scalars(select(LedgerEntry.kind)).all()
        assert {row.embedder_sha256 for row in session.scalars(select(ReferenceTemplate))} == {"f" * 64}
        assert session.scalar(select(func.count()).select_from(SubjectReference)) == 3
    assert kinds.count("templates_destroyed") == 1
    assert kinds.count("entry_re_enrolled") == 2
    assert watch(services, clock, idle, new).run_once() == 0


def test_another_deployment_of_the_list_that_still_searches_the_old_keeps_them(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    from dataclasses import replace

    enrol_list(services, PERCEPTION, folder, terms)
    enrol_list(services, PERCEPTION, folder, replace(terms, deployment_id="d2"))
    refresh_lists(services, other_perception())
    first, second = CameraReport("w1", "d1", 2, {}), CameraReport("w2", "d2", 1, {})
    assert watch(services, clock, first, second).run_once() == 0
    assert watch(services, clock, first, replace(second, gallery_version=2)).run_once() == 3


def test_a_refusal_is_told_once_it_lasts_and_no_longer(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    reports = Told(CameraReport("w1", "", None, {"d1": "templates are of embedder X", "elsewhere": "?"}))
    watching = TemplateWatch(services.database, services.references, reports, clock)
    watching.run_once()
    assert watching.notices == ("deployment d1, worker w1: templates are of embedder X",)
    reports.reports = [CameraReport("w1", "d1", 1, {})]
    watching.run_once()
    assert not watching.notices


def test_adding_to_a_list_of_another_embedder_compares_only_after_a_refresh(
    services: Services, folder: Path, terms: ListTerms
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    assert check_list(services, other_perception(), folder, terms).not_compared == 3
    refresh_lists(services, other_perception())
    assert check_list(services, other_perception(), folder, terms).not_compared == 0


def test_a_stored_picture_without_a_face_is_told_and_costs_the_others_nothing(
    services: Services, folder: Path, terms: ListTerms, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = enrol_list(services, PERCEPTION, folder, terms)
    open_portrait = type(services.references._vault).open_portrait
    blank = encode_jpeg(paint([], (320, 320)))

    def opened(self: object, subject_id: str, reference_id: str, sealed: bytes) -> bytes:
        if subject_id == done.subject_ids["Timur"]:
            return blank
        return open_portrait(self, subject_id, reference_id, sealed)  # type: ignore[arg-type]  # the vault

    monkeypatch.setattr("api.vault.SubjectVault.open_portrait", opened)
    (refreshed,) = refresh_lists(services, other_perception())
    assert refreshed.made == 2
    (line,) = refreshed.failed
    assert line.startswith("Timur, picture 1: no face found in the stored picture")
    assert refreshed.gallery_versions == {"d1": 2}


def test_a_list_none_of_whose_pictures_can_be_read_keeps_its_gallery(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    monkeypatch.setattr("api.vault.SubjectVault.open_portrait", lambda *_: encode_jpeg(paint([], (320, 320))))
    (refreshed,) = refresh_lists(services, other_perception())
    assert (refreshed.made, len(refreshed.failed), refreshed.gallery_versions) == (0, 3, {})
    assert published(services, clock).embedder_sha256 == "e" * 64


def test_entries_that_ended_are_not_enrolled_again(
    services: Services, folder: Path, terms: ListTerms, clock: FakeClock
) -> None:
    enrol_list(services, PERCEPTION, folder, terms)
    clock.forward(days=31)
    assert pictures_to_refresh(services, other_perception()) == 0
    assert timedelta(days=31) > terms.active_until - terms.active_from
