"""An import from table to requests on painted faces: all or nothing, read once, decided by whom it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from aiqyn.roster.journal import ReadJournal, destroy_old_journals
from aiqyn.roster.run import CheckedRoster, RosterModels, RosterSource, check_roster, only_import
from api.reference_jobs import keep_reference
from api.store.models import ListImport, ListRequest, RequestPicture
from bench.roster_table import Table, good_row
from pipelines.errors import EnrolError
from pipelines.events import utc_now
from pipelines.read_face import ReadFace
from tests.api_client import Clients
from tests.lists_bench import PaintedReader, clients_with_reader, kinds_since, picture
from tests.seeds import RECIPE, SUBJECT_NAME, WATCHLIST_NAME, Seeded, seed


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Seeded]:
    made = seed(tmp_path)
    yield made
    made.services.close()


@pytest.fixture
def clients(seeded: Seeded) -> Iterator[Clients]:
    made = clients_with_reader(seeded)
    yield made
    made.close()


class Bench:
    """A table, its pictures, and what reads them."""

    def __init__(self, clients: Clients, folder: Path) -> None:
        self.clients, self.folder = clients, folder
        self.services = clients.seeded.services
        self.images = folder / "pictures"
        self.images.mkdir()
        self.table = Table()
        self.reader = PaintedReader()

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def add(self, person: int, *numbers: int, **cells: str) -> None:
        """A row with pictures of a painted person."""
        names = []
        for number in numbers or (0,):
            names.append(f"{person}-{number}-{len(self.table.rows)}.png")
            (self.images / names[-1]).write_bytes(picture(person, number))
        row = good_row(person, "|".join(names)) | {"watchlist": WATCHLIST_NAME}
        self.table.add(row | cells)

    def journal(self) -> ReadJournal:
        return ReadJournal(self.data_dir, self.services.keys, RECIPE, self.clients.seeded.watchlist_id)

    def check(self, journal: ReadJournal) -> CheckedRoster:
        path = self.folder / "table.csv"
        path.write_bytes(self.table.content())
        source = RosterSource(path, self.images, WATCHLIST_NAME, self.data_dir)
        models = RosterModels(lambda: self.reader, RECIPE, self.reader.calibration, threads=1)
        return check_roster(self.services, source, models, journal)

    def checked(self) -> CheckedRoster:
        with self.journal() as journal:
            return self.check(journal)

    def there(self) -> tuple[int, int]:
        with self.services.database.read() as session:
            return session.query(ListRequest).count(), session.query(RequestPicture).count()


@pytest.fixture
def bench(clients: Clients, tmp_path: Path) -> Bench:
    return Bench(clients, tmp_path)


def told(checked: CheckedRoster) -> set[tuple[int, str]]:
    return {(one.row, one.code) for one in checked.problems}


def subject_files(bench: Bench) -> list[Path]:
    return list((bench.services.keys.folder / "api" / "subjects").iterdir())


def subject_keys(bench: Bench) -> int:
    return len(subject_files(bench))


def test_a_sound_table_becomes_requests_that_whoever_it_names_decides(bench: Bench) -> None:
    for person in (20, 21, 22):
        bench.add(person, 0, 1)
    checked = bench.checked()
    assert (checked.errors, len(checked.entries)) == ((), 3)
    assert bench.there() == (0, 0), "checking files nothing"
    import_id = bench.services.lists.imports.file(checked.plan, checked.entries)
    assert bench.there() == (3, 6)
    authoriser = bench.clients.login("nurlan")
    shown = authoriser.get(f"/imports/{import_id}").json()
    assert (shown["state"], shown["waiting"], shown["findings"]) == ("filed", 3, 0)
    (line, *_) = authoriser.get(f"/requests?import_id={import_id}").json()["items"]
    detail = authoriser.get(f"/requests/{line['request_id']}").json()
    assert detail["name"].startswith("Person Number 2")
    assert [one["outcome"] for one in detail["pictures"]] == ["ok", "ok"]
    body = {"findings_seen": 0, "reason": "order 19"}
    assert bench.clients.login("saule").post(f"/imports/{import_id}/approval", body).status_code == 403
    wrong = authoriser.post(f"/imports/{import_id}/approval", body | {"findings_seen": 1})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "not_decidable")
    done = authoriser.post(f"/imports/{import_id}/approval", body)
    assert done.json() == {"import_id": import_id, "decided": 3, "waiting": 0, "findings": 0}
    again = authoriser.post(f"/imports/{import_id}/approval", body)
    assert (again.status_code, again.json()["code"]) == (409, "not_decidable")
    watchlist = authoriser.get(f"/watchlists/{bench.clients.seeded.watchlist_id}").json()
    assert watchlist["entries"] == 5
    kinds = kinds_since(bench.clients)
    assert "import_filed" in kinds
    assert kinds.count("entry_added") == 5


def test_an_import_is_decided_in_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from api import list_decisions

    monkeypatch.setattr(list_decisions, "MOST_AT_ONCE", 2)
    for person in (20, 21, 22):
        bench.add(person)
    checked = bench.checked()
    import_id = bench.services.lists.imports.file(checked.plan, checked.entries)
    authoriser, body = bench.clients.login("nurlan"), {"reason": "no basis"}
    first = authoriser.post(f"/imports/{import_id}/refusal", body).json()
    second = authoriser.post(f"/imports/{import_id}/refusal", body).json()
    assert (first["decided"], first["waiting"], second["waiting"]) == (2, 1, 0)
    assert subject_keys(bench) == 3, "of the two entries and the journal"


def test_what_the_pictures_of_rows_are_to_each_other(bench: Bench) -> None:
    bench.add(20, 0)
    bench.add(30, 1)
    (bench.images / "copy.png").write_bytes(picture(20, 0))
    bench.table.add(good_row(77, "copy.png") | {"watchlist": WATCHLIST_NAME})
    bench.add(40, 0, 1, 2)
    bench.table.rows[-1]["images"] += f"|{bench.table.rows[1]['images']}"
    bench.add(50, 0)
    bench.add(50, 1, name="Somebody Else")
    found = told(bench.checked())
    assert {(2, "same_picture_twice"), (4, "same_picture_twice")} <= found
    assert (5, "same_picture_twice") in found, "a picture of row 3 among its own"
    for number in (6, 7):
        assert {code for row, code in found if row == number} & {"look_alike", "same_person"}


def test_rows_are_held_against_who_is_listed_and_asked_for(bench: Bench) -> None:
    bench.add(20)
    checked = bench.checked()
    bench.services.lists.imports.file(checked.plan, checked.entries)
    bench.table = Table()
    bench.add(50, name=SUBJECT_NAME.upper())
    bench.add(20, 1)
    found = told(bench.checked())
    assert (2, "already_listed") in found
    assert (3, "already_requested") in found
    assert {code for row, code in found if row == 3} & {"look_alike", "same_person"}


def test_one_wrong_row_keeps_all_from_being_filed(bench: Bench) -> None:
    bench.add(20)
    bench.add(21, legal_basis="")
    checked = bench.checked()
    assert (told(checked), checked.entries) == ({(3, "legal_basis_missing")}, ())


def test_what_fails_half_way_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from api import list_imports

    for person in (20, 21, 22):
        bench.add(person)
    checked = bench.checked()
    before = subject_keys(bench)
    calls: list[Any] = []

    def fails(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise RuntimeError("the disk is full")
        keep_reference(*arguments)

    monkeypatch.setattr(list_imports, "keep_reference", fails)
    with pytest.raises(RuntimeError):
        bench.services.lists.imports.file(checked.plan, checked.entries)
    assert (bench.there(), subject_keys(bench)) == ((0, 0), before)
    assert "import_abandoned" in kinds_since(bench.clients)


def test_keys_of_a_killed_import_are_destroyed_by_the_next(bench: Bench) -> None:
    """Killed after its keys were made and before its one transaction: as if the process ended there."""
    imports = bench.services.lists.imports
    bench.add(20)
    checked = bench.checked()
    before, there = subject_keys(bench), set(subject_files(bench))
    import_id = imports._begin(checked.plan, ["sub_dead"])
    bench.services.keys.create_subject_key("sub_dead")
    (key,) = set(subject_files(bench)) - there
    part = key.with_name(f".{key.name}.0123456789ab.part")  # of another that was killed while it wrote
    part.write_bytes(key.read_bytes())
    assert subject_keys(bench) == before + 2
    assert imports.clear_abandoned() == 1
    assert subject_keys(bench) == before
    with bench.services.database.read() as session:
        assert session.get_one(ListImport, import_id).state == "abandoned"


def test_pictures_are_read_once_though_the_table_is_corrected(bench: Bench) -> None:
    bench.add(20)
    bench.add(21, purpose="")
    bench.checked()
    assert bench.reader.pictures_read == 2
    bench.table.rows[1]["purpose"] = "find them"
    checked = bench.checked()
    assert (bench.reader.pictures_read, checked.errors) == (2, ())
    assert len(checked.entries) == 2


def test_a_journal_that_was_cut_off_goes_on_from_what_is_whole(bench: Bench) -> None:
    for person in (20, 21, 22):
        bench.add(person)
    bench.checked()
    (path,) = (bench.data_dir / "imports").glob("*.journal")
    path.write_bytes(path.read_bytes()[:-5])
    assert bench.checked().errors == ()
    assert bench.reader.pictures_read == 4, "the last one again"
    assert bench.checked().errors == ()
    assert bench.reader.pictures_read == 4


def test_a_journal_tells_nothing_without_its_key_and_ends_with_its_day(bench: Bench) -> None:
    bench.add(20)
    bench.checked()
    (path,) = (bench.data_dir / "imports").glob("*.journal")
    assert b"quality" not in path.read_bytes()
    assert destroy_old_journals(bench.data_dir, bench.services.keys, utc_now()) == 0
    later = utc_now().replace(year=utc_now().year + 1)
    assert destroy_old_journals(bench.data_dir, bench.services.keys, later) == 1
    assert not path.exists()
    with bench.journal() as journal:
        assert journal.results == {}
        journal.destroy()
    assert not path.exists()


def test_a_picture_that_ends_its_reader_is_tried_again_next_time(bench: Bench) -> None:
    class Unlucky(PaintedReader):
        def read(self, data: bytes) -> ReadFace | str:
            self.pictures_read += 1
            return "failed" if self.pictures_read == 1 else super().read(data)

    bench.reader = Unlucky()
    bench.add(20)
    assert told(bench.checked()) == {(2, "image_failed")}
    assert bench.checked().errors == ()


def test_one_import_at_a_time(tmp_path: Path) -> None:
    with only_import(tmp_path), pytest.raises(EnrolError, match="another import"), only_import(tmp_path):
        pass
    with only_import(tmp_path):
        pass


def test_a_list_that_is_not_there(bench: Bench) -> None:
    bench.add(20)
    source = RosterSource(bench.folder / "t.csv", bench.images, "None", bench.data_dir)
    models = RosterModels(lambda: bench.reader, RECIPE, bench.reader.calibration)
    with pytest.raises(EnrolError, match="no list"), bench.journal() as journal:
        check_roster(bench.services, source, models, journal)
    missing = replace(source, watchlist=WATCHLIST_NAME)
    with pytest.raises(EnrolError, match=r"t\.csv"), bench.journal() as journal:
        check_roster(bench.services, missing, models, journal)


def test_the_database_refuses_an_import_approved_by_its_requester(bench: Bench) -> None:
    bench.add(20)
    checked = bench.checked()
    bench.services.lists.imports.file(checked.plan, checked.entries)
    statement = "UPDATE list_requests SET state = 'approved', ended_by = requested_by"
    with (
        pytest.raises(Exception, match="two_people"),
        bench.services.database.engine.begin() as connection,
    ):
        connection.execute(text(statement))
