"""A revoked deployment, from the service's records to the memory of the matching process that comes next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.enrolment import ListTerms, enrol_list
from api.background import BackgroundLoop
from api.ledger.chain import Happening
from api.service_parts import GALLERY_CHECK_SECONDS
from api.services import Services, build_services
from api.store.ledger import LedgerRepository
from api.store.models import Deployment, Subject
from pipelines.events import Candidate, utc_now
from pipelines.recipes import TemplateRecipe
from tests.fake_engine import photograph
from tests.live_bench import LiveBench, copies_in, live_bench, matcher_pid, memory_of
from tests.live_camera import LiveCamera, live_camera
from tests.seeds import CHEAP_PASSWORDS, make_settings
from tests.template_scan import TemplateScanner
from tests.waiting import wait_until
from tests.worker_bench import ANN, BEA, MODELS, PREPROCESSING, make_perception
from vision.images import encode_png
from vision.types import Float32

__all__ = ["live_bench"]

pytestmark = pytest.mark.system  # takes its time

LIMIT_SECONDS = 2.0
"""From a revocation to the last match, as the project promises."""


@pytest.fixture
def services(live_bench: LiveBench, redis_server: EmbeddedRedis) -> Iterator[Services]:
    """The service on the bench's keys, with the thread that hands galleries out."""
    settings = make_settings(
        live_bench.tmp_path,
        redis_url=redis_server.url,
        redis_username="api",
        redis_password=redis_server.password("api"),
    )
    made = build_services(settings, clock=utc_now, passwords=CHEAP_PASSWORDS)
    loop = BackgroundLoop("galleries", made.galleries.watch_once, GALLERY_CHECK_SECONDS)
    loop.start()
    yield made
    loop.stop()
    made.close()


def enrol(services: Services, bench: LiveBench, people: dict[str, int]) -> dict[str, str]:
    """The entries' ids by name."""
    folder = bench.tmp_path / "references"
    for name, person in people.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "1.png").write_bytes(encode_png(photograph(person, 1)))
    terms = ListTerms(
        watchlist="Missing persons",
        purpose="find them",
        deployment_id="d1",
        cameras=frozenset({"gate"}),
        active_from=utc_now(),
        active_until=utc_now() + timedelta(days=1),
        requested_by="a. officer",
        authorised_by="b. prosecutor",
        legal_basis="art. 12",
        case_reference="7",
        image_source="family",
    )
    return dict(enrol_list(services, make_perception(), folder, terms).subject_ids)


def end_deployment(services: Services) -> None:
    with services.database.write() as session:
        session.get_one(Deployment, "d1").ends_at = utc_now()
        happening = Happening("deployment_ended", utc_now(), "tests", "deployment:d1", {})
        LedgerRepository(session).append(happening)


def remove_entry(services: Services, subject_id: str) -> None:
    with services.database.write() as session:
        session.get_one(Subject, subject_id).removed_at = utc_now()
        happening = Happening("entry_removed", utc_now(), "tests", f"subject:{subject_id}", {})
        LedgerRepository(session).append(happening)


class Passers:
    """People who come and go, so that there is always a new match to be made."""

    def __init__(self, camera: LiveCamera, people: list[int]) -> None:
        self._camera, self._people = camera, people
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._pass)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _pass(self) -> None:
        while not self._over.wait(0.8):
            self._camera.people = [] if self._camera.people else self._people


def left_behind(folder: Path) -> Iterator[Path]:
    """Files of a run, and shared memory that has a name."""
    yield from (path for path in folder.rglob("*") if path.is_file())
    shared = Path("/dev/shm")  # noqa: S108 it is looked at
    if shared.is_dir():
        yield from (
            path for path in shared.iterdir() if path.is_file() and path.owner() == Path.cwd().owner()
        )


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists()


def enrolled(services: Services) -> Float32:
    """(N, D) templates exactly as the galleries carry them."""
    watchlist_id = services.records.find_watchlist("Missing persons")
    assert watchlist_id is not None
    recipe = TemplateRecipe.of(MODELS, PREPROCESSING)
    subjects = services.records.gallery_subjects(watchlist_id, recipe.sha256)
    return np.stack([row for subject in subjects for row in subject.templates])


def newest_match(bench: LiveBench, found: list[Candidate]) -> datetime | None:
    """When the picture of the newest candidate was taken; of those found before and those not read yet."""
    found += bench.revisions()
    return max((one.observed_at for one in found if one.observed_at is not None), default=None)


def test_a_revoked_deployment_stops_at_once_and_leaves_no_template(
    live_bench: LiveBench, services: Services
) -> None:
    with live_camera([ANN]) as camera:
        live_bench.add_camera("gate", camera.address)
        enrol(services, live_bench, {"Akmaral": ANN})
        templates = enrolled(services)
        with live_bench.supervised() as supervisor, Passers(camera, [ANN]):
            found: list[Candidate] = []
            wait_until(lambda: newest_match(live_bench, found) is not None, seconds=40)
            old = matcher_pid(supervisor)
            assert copies_in(memory_of(live_bench, old), templates)  # the scan finds what is there
            revoked_at = utc_now()
            end_deployment(services)
            wait_until(lambda: not exists(old))
            wait_until(lambda: matcher_pid(supervisor) not in (0, old), seconds=30)
            wait_until(lambda: live_bench.phase() == "waiting", seconds=30)
            memory = memory_of(live_bench, matcher_pid(supervisor))
            assert len(memory) > 10_000_000
            assert copies_in(memory, templates) == []
            last = newest_match(live_bench, found)
            assert last is not None
            assert (last - revoked_at).total_seconds() < LIMIT_SECONDS
    scanner = TemplateScanner(templates)
    leaks = scanner.scan_paths(path for path in left_behind(live_bench.tmp_path) if path.suffix != ".png")
    assert leaks == []
    assert [path for path in live_bench.tmp_path.rglob("core*") if path.is_file()] == []


def test_of_a_removed_entry_nothing_is_left_while_the_others_are_searched(
    live_bench: LiveBench, services: Services
) -> None:
    with live_camera([ANN]) as camera:
        live_bench.add_camera("gate", camera.address)
        ids = enrol(services, live_bench, {"Akmaral": ANN, "Timur": BEA})
        both = enrolled(services)
        with live_bench.supervised() as supervisor:
            wait_until(lambda: live_bench.state("gate").get("gallery_version") == "1", seconds=40)
            old = matcher_pid(supervisor)
            remove_entry(services, ids["Timur"])
            wait_until(lambda: matcher_pid(supervisor) not in (0, old), seconds=30)
            wait_until(lambda: live_bench.state("gate").get("gallery_version") == "2", seconds=30)
            kept = enrolled(services)
            gone = np.stack([row for row in both if not (row == kept).all(axis=1).any()])
            assert (len(kept), len(gone)) == (1, 1)
            memory = memory_of(live_bench, matcher_pid(supervisor))
            assert copies_in(memory, kept)
            assert copies_in(memory, gone) == []
            wait_until(lambda: {one.subject_id for one in live_bench.candidates()} == {ids["Akmaral"]})


def test_an_added_entry_takes_over_without_a_new_process(live_bench: LiveBench, services: Services) -> None:
    with live_camera([BEA]) as camera:
        live_bench.add_camera("gate", camera.address)
        enrol(services, live_bench, {"Akmaral": ANN})
        with live_bench.supervised() as supervisor:
            wait_until(lambda: live_bench.state("gate").get("gallery_version") == "1", seconds=40)
            process = matcher_pid(supervisor)
            ids = enrol(services, live_bench, {"Timur": BEA})
            wait_until(
                lambda: {one.subject_id for one in live_bench.candidates()} == {ids["Timur"]}, seconds=30
            )
            assert matcher_pid(supervisor) == process
            assert camera.openings == 1
