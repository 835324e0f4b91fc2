"""Backups are made while others write, checked before anything is touched, and bring back what was there and no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from sqlalchemy import func, select

from api.backup.errors import BackupError
from api.backup.making import Sources, make_backup
from api.backup.manifest import EVIDENCE_LIST, MANIFEST, Manifest, silent
from api.backup.restoring import Restored, restore_backup
from api.ledger.chain import Happening, chained, check_chain
from api.ledger.verify import load_keys, verify_receipt
from api.store.ledger import LedgerRepository
from api.store.models import CandidateRecord, LedgerEntry, LedgerHead, Receipt, Subject
from pipelines.errors import SealingError
from pipelines.events import utc_now
from tests.api_client import Clients
from tests.seeds import SUBJECT_NAME, Seeded, make_settings, seed


@dataclass
class House:
    """A seeded service with a confirmed candidate and one that waits."""

    folder: Path
    clients: Clients
    confirmed: str

    @property
    def seeded(self) -> Seeded:
        return self.clients.seeded

    @property
    def sources(self) -> Sources:
        services = self.seeded.services
        return Sources(services.settings.database_url, services.evidence.place, services.keys)

    def back_up(self, name: str = "backup") -> tuple[Path, Manifest]:
        target = self.folder / name
        return target, make_backup(target, self.sources, utc_now(), silent)

    def restore(self, source: Path, *, replace: bool = True) -> Restored:
        return restore_backup(source, self.sources, silent, replace=replace)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    clients = Clients(seed(tmp_path / "house"))
    confirmed = clients.seeded.take_in()
    for username in ("aigul", "daniyar"):
        person = clients.login(username)
        assert person.answer(person.queue()[0]["review_id"], "same_person").status_code == 201
    assert clients.seeded.services.hold_clock.run_once() == 1
    clients.seeded.take_in(2)
    yield House(tmp_path, clients, confirmed)
    clients.close()


def reopened(house: House) -> Clients:
    """The house's service once more, over what lies there now."""
    from api.services import build_services
    from tests.seeds import CHEAP_PASSWORDS

    services = build_services(make_settings(house.folder / "house"), passwords=CHEAP_PASSWORDS)
    return Clients(Seeded(services, house.seeded.worker, house.seeded.watchlist_id, house.seeded.subject_ids))


def entries(clients: Clients) -> int:
    with clients.seeded.services.database.read() as session:
        return session.scalar(select(func.count()).select_from(LedgerEntry)) or 0


def test_what_was_there_is_there_again(house: House) -> None:
    target, manifest = house.back_up()
    assert (manifest.evidence, manifest.missing) == ("copied", 0)
    before = entries(house.clients)
    house.seeded.take_in(3)
    house.clients.close()
    for blob in (house.folder / "house" / "data" / "evidence").rglob("*.sealed"):
        blob.unlink()
    restored = house.restore(target)
    assert restored.blobs_written == manifest.blobs == 4
    after = reopened(house)
    services = after.seeded.services
    assert entries(after) == before, "what came after the backup is gone"
    with services.database.read() as session:
        found = LedgerRepository(session).page(0, 10_000)
        assert check_chain(found) == manifest.ledger_sha256
        assert session.get_one(CandidateRecord, house.confirmed).state == "confirmed"
        receipt = session.scalars(select(Receipt)).one()
        subject = session.get_one(Subject, house.seeded.subject_ids[0])
    verified = verify_receipt(receipt.jws, load_keys(json.dumps(services.keys.jwks())), at=utc_now())
    assert verified.claims["candidate"]["candidate_id"] == house.confirmed
    assert services.desk._vault.open_name(subject.subject_id, subject.name_sealed) == SUBJECT_NAME
    _opens_a_review(after)
    after.close()


def _opens_a_review(clients: Clients) -> None:
    clients._passwords["marat"] = clients.seeded.services.accounts.reset("marat")
    person = clients.login("marat")
    (review,) = person.queue()
    for picture in (review["frame"], review["probe"], *review["references"]):
        shown = person.get(f"/evidence/{picture['evidence_id']}")
        assert (shown.status_code, shown.content[:2]) == (200, b"\xff\xd8")


def test_a_subject_whose_key_was_destroyed_after_the_backup_stays_unreadable(house: House) -> None:
    target, _ = house.back_up()
    subject_id = house.seeded.subject_ids[0]
    house.seeded.services.keys.destroy_subject_key(subject_id)
    house.clients.close()
    house.restore(target)
    after = reopened(house)
    with after.seeded.services.database.read() as session:
        sealed = session.get_one(Subject, subject_id).name_sealed
    with pytest.raises(SealingError, match="destroyed"):
        after.seeded.services.desk._vault.open_name(subject_id, sealed)
    after.close()


def test_the_service_goes_on_writing_meanwhile(house: House) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            with house.seeded.services.database.write() as session:
                LedgerRepository(session).append(Happening("noise", utc_now(), "tester"))
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before = len(written)
        _, manifest = house.back_up()
        assert len(written) > before
    finally:
        stop.set()
        writer.join()
    assert manifest.ledger_sequence <= entries(house.clients)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _lie(path: Path) -> None:
    """Consistent in itself, but for the signature."""
    document = json.loads(path.read_text())
    document["ledger_sequence"] += 1
    path.write_text(json.dumps(document))


@pytest.mark.system  # takes its time
@pytest.mark.parametrize(
    ("harm", "name"),
    [
        pytest.param(_cut, "database.*", id="the database cut short"),
        pytest.param(_change, "database.*", id="one bit of the database"),
        pytest.param(_change, "evidence/*/*.sealed", id="one bit of a picture"),
        pytest.param(Path.unlink, "evidence/*/*.sealed", id="a picture missing"),
        pytest.param(_change, EVIDENCE_LIST, id="the list of pictures"),
        pytest.param(_lie, MANIFEST, id="the manifest"),
        pytest.param(_cut, MANIFEST, id="the manifest cut short"),
        pytest.param(Path.unlink, MANIFEST, id="no manifest"),
    ],
)
def test_a_harmed_backup_restores_nothing(house: House, harm: Callable[[Path], None], name: str) -> None:
    target, _ = house.back_up()
    harm(sorted(target.glob(name))[0])
    house.seeded.take_in(3)
    before = entries(house.clients)
    house.clients.close()
    with pytest.raises(BackupError):
        house.restore(target)
    after = reopened(house)
    assert entries(after) == before
    after.close()


def test_a_backup_of_another_key_store_is_refused(house: House, tmp_path: Path) -> None:
    other = Clients(seed(tmp_path / "other", own_keys=True))
    services = other.seeded.services
    made = Sources(services.settings.database_url, services.evidence.place, services.keys)
    make_backup(tmp_path / "foreign", made, utc_now(), silent)
    other.close()
    house.clients.close()
    with pytest.raises(BackupError, match="not made by this key store"):
        house.restore(tmp_path / "foreign")


def test_what_holds_something_is_replaced_only_when_asked(house: House) -> None:
    target, _ = house.back_up()
    house.clients.close()
    with pytest.raises(BackupError, match="--replace"):
        house.restore(target, replace=False)


def test_a_database_in_use_is_not_replaced(house: House) -> None:
    target, _ = house.back_up()
    with pytest.raises(BackupError, match="end the service first"):
        house.restore(target)
    assert entries(house.clients) > 0
    house.clients.close()


def test_a_target_that_exists_is_left_alone(house: House) -> None:
    target, _ = house.back_up()
    before = (target / MANIFEST).read_bytes()
    with pytest.raises(BackupError, match="is there already"):
        house.back_up()
    assert (target / MANIFEST).read_bytes() == before
    house.clients.close()


def test_a_ledger_that_does_not_hold_is_not_backed_up(house: House) -> None:
    with house.seeded.services.database.write() as session:
        entry = chained(Happening("forged", utc_now(), "tester"), 10_000, "0" * 64)
        session.add(LedgerEntry(**asdict(entry)))
        head = session.scalars(select(LedgerHead)).one()
        head.sequence, head.entry_sha256 = entry.sequence, entry.entry_sha256
    with pytest.raises(BackupError, match="ledger does not hold"):
        house.back_up()
    assert not (house.folder / "backup").exists()
    house.clients.close()


def test_there_are_no_keys_in_it(house: House) -> None:
    target, _ = house.back_up()
    content = b"".join(path.read_bytes() for path in sorted(target.rglob("*")) if path.is_file())
    for key in (house.folder / "house" / "keys").rglob("*"):
        if key.is_file() and key.suffix in ("", ".pem", ".password"):
            assert key.read_bytes() not in content, key.name
    assert target.stat().st_mode & 0o077 == 0
    house.clients.close()
