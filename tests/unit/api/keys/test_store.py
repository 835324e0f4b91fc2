"""`api.keys.store`: what is made, who may read it, and what is gone once destroyed."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.keys.store import SIGNING_KEY_VALIDITY, KeyStore
from pipelines.errors import SealingError
from pipelines.sealing import decrypt, encrypt, open_sealed, seal
from pipelines.signing import VerifyingKeys, sign_event, verify_event
from pipelines.worker_keys import WorkerKeys

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore.init(tmp_path / "deep" / "keys", now=NOW)


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_everything_made_is_its_owners_alone(store: KeyStore) -> None:
    store.create_worker("w1")
    store.create_subject_key("s1")
    for path in [store.folder, *store.folder.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
    assert len(_contents(store.folder)) == 16


def test_init_again_changes_nothing(store: KeyStore) -> None:
    store.create_worker("w1")
    before = _contents(store.folder)
    again = KeyStore.init(store.folder)
    again.create_worker("w1")
    assert _contents(store.folder) == before


@pytest.mark.parametrize(
    "name", ["receipts.pem", "receipts.jwks.json", "evidence.jwks.json", "workers.jwks.json"]
)
def test_init_mends_what_an_interrupted_one_left_out(store: KeyStore, name: str) -> None:
    missing = store.folder / "api" / name
    missing.unlink()
    KeyStore.init(store.folder)
    assert missing.is_file()


def test_pairs_are_separate(store: KeyStore) -> None:
    store.create_worker("w1")
    store.create_worker("w2")
    ids = {store.receipts_key().key_id, store.galleries_key().key_id}
    ids |= {key.key_id for key in store.worker_verifying_keys()}
    assert len(ids) == 4
    assert store.worker_ids() == ("w1", "w2")


def test_published_keys_have_dates_and_no_private_half(store: KeyStore) -> None:
    (key,) = store.jwks()["keys"]
    assert key["kid"] == store.receipts_key().key_id
    assert key["nbf"] == int(NOW.timestamp())
    assert key["exp"] == int((NOW + SIGNING_KEY_VALIDITY).timestamp())
    assert key["alg"] == "Ed25519"
    for path in store.folder.rglob("*.jwks.json"):
        assert not any("d" in jwk for jwk in json.loads(path.read_bytes())["keys"]), path


@pytest.mark.parametrize(
    "part", ["", "api", "api/subjects", "workers", "api/receipts.pem", "api/evidence.pem"]
)
@pytest.mark.parametrize("extra", [0o040, 0o004, 0o010, 0o020])
def test_wider_permissions_are_refused(store: KeyStore, part: str, extra: int) -> None:
    path = store.folder / part
    path.chmod(stat.S_IMODE(path.stat().st_mode) | extra)
    with pytest.raises(SealingError, match=r"open to others.*chmod"):
        KeyStore.open(store.folder)


def test_a_link_is_no_key_file(store: KeyStore, tmp_path: Path) -> None:
    path = store.folder / "api" / "receipts.pem"
    path.rename(tmp_path / "elsewhere.pem")
    path.symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(SealingError, match=r"receipts\.pem"):
        KeyStore.open(store.folder)


def test_a_missing_store_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SealingError, match="aiqyn keys init"):
        KeyStore.open(tmp_path / "none")


def test_keys_and_data_lie_apart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    for folder in (data, data / "keys", tmp_path / "link" / "keys"):
        with pytest.raises(SealingError, match="lie apart"):
            KeyStore.init(folder, data_dir=data)
    assert list(data.iterdir()) == []


class TestWorkers:
    def test_a_worker_can_do_its_work_and_the_service_can_check_it(self, store: KeyStore) -> None:
        keys = WorkerKeys.load(store.create_worker("w1"))
        signature = sign_event({"a": 1}, keys.candidates)
        assert verify_event({"a": 1}, signature, store.worker_verifying_keys()).owner == "w1"
        sealed = seal(b"gallery", store.worker_sealing_key("w1"), "c")
        assert open_sealed(sealed, keys.galleries_private, "c") == b"gallery"
        evidence = seal(b"picture", keys.evidence_public, "c")
        assert open_sealed(evidence, store.evidence_private(), "c") == b"picture"
        assert keys.gallery_signers.get(store.galleries_key().key_id) is not None

    def test_what_a_worker_holds_opens_nothing_else(self, store: KeyStore) -> None:
        keys, other = (WorkerKeys.load(store.create_worker(name)) for name in ("w1", "w2"))
        with pytest.raises(SealingError):
            open_sealed(seal(b"x", keys.evidence_public, "c"), keys.galleries_private, "c")
        with pytest.raises(SealingError):
            open_sealed(seal(b"x", store.worker_sealing_key("w2"), "c"), keys.galleries_private, "c")
        assert keys.candidates.key_id != other.candidates.key_id

    def test_each_has_its_own_password_for_redis(self, store: KeyStore) -> None:
        keys = WorkerKeys.load(store.create_worker("w1"))
        store.create_worker("w2")
        passwords = store.redis_passwords()
        assert set(passwords) == {"api", "worker:w1", "worker:w2"}
        assert len(set(passwords.values())) == 3
        assert passwords["worker:w1"] == keys.redis_password

    def test_a_folder_moved_to_the_workers_machine_is_not_missed(
        self, store: KeyStore, tmp_path: Path
    ) -> None:
        store.create_worker("w1").rename(tmp_path / "w1")
        assert set(store.redis_passwords()) == {"api"}
        assert store.worker_ids() == ("w1",)
        assert WorkerKeys.load(tmp_path / "w1").worker_id == "w1"

    def test_its_folder_holds_no_private_key_of_the_service(self, store: KeyStore) -> None:
        folder = store.create_worker("w1")
        service = {
            (store.folder / "api" / f"{name}.pem").read_bytes()
            for name in ("receipts", "galleries", "evidence")
        }
        assert not service & {path.read_bytes() for path in folder.iterdir()}

    def test_a_folder_left_half_made_is_made_anew(self, store: KeyStore) -> None:
        folder = store.create_worker("w1")
        (folder / "worker.json").unlink()
        keys = WorkerKeys.load(store.create_worker("w1"))
        assert [key.key_id for key in store.worker_verifying_keys()] == [keys.candidates.key_id]

    @pytest.mark.parametrize(
        "worker_id", ["", "../w", "a/b", "a:b", "*", "w 1", ".", "..", "ә", "w" * 64, "w\n"]
    )
    def test_ids_that_would_mean_something_elsewhere(self, store: KeyStore, worker_id: str) -> None:
        with pytest.raises(SealingError, match="worker id"):
            store.create_worker(worker_id)

    def test_an_unknown_worker(self, store: KeyStore) -> None:
        with pytest.raises(SealingError, match="not registered"):
            store.worker_sealing_key("w9")


class TestSubjects:
    @pytest.mark.parametrize("subject_id", ["s1", "../../etc", "Лин Мануэль", "s" * 500, "a/b"])
    def test_a_key_is_made_found_and_destroyed(self, store: KeyStore, subject_id: str) -> None:
        name = encrypt(store.create_subject_key(subject_id), b"name", "subject.name")
        assert decrypt(store.subject_key(subject_id), name, "subject.name") == b"name"
        assert store.destroy_subject_key(subject_id)
        assert not store.has_subject_key(subject_id)
        with pytest.raises(SealingError, match="destroyed"):
            store.subject_key(subject_id)
        assert list((store.folder / "api" / "subjects").iterdir()) == []

    def test_destroying_overwrites_first(self, store: KeyStore, tmp_path: Path) -> None:
        """Seen through a second name of the same file."""
        key = store.create_subject_key("s1")
        (path,) = (store.folder / "api" / "subjects").iterdir()
        (tmp_path / "second").hardlink_to(path)
        assert (tmp_path / "second").read_bytes() == key.to_bytes()
        store.destroy_subject_key("s1")
        assert (tmp_path / "second").read_bytes() == bytes(32)

    def test_a_key_is_never_replaced(self, store: KeyStore) -> None:
        key = store.create_subject_key("s1")
        with pytest.raises(SealingError, match="File exists"):
            store.create_subject_key("s1")
        assert store.subject_key("s1").to_bytes() == key.to_bytes()

    def test_destroying_nothing_says_so(self, store: KeyStore) -> None:
        assert not store.destroy_subject_key("s1")

    def test_the_id_is_not_in_the_file_name(self, store: KeyStore) -> None:
        store.create_subject_key("lin-manuel")
        assert not any("lin" in path.name for path in store.folder.rglob("*"))


def test_no_half_written_file_stays_behind(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.key_files.os.fsync", full)
    with pytest.raises(SealingError, match="No space left"):
        store.create_subject_key("s1")
    assert list((store.folder / "api" / "subjects").iterdir()) == []


def test_receipts_keys_are_found_by_their_published_set(store: KeyStore) -> None:
    keys = VerifyingKeys.from_jwks(store.jwks())
    key = keys.get(store.receipts_key().key_id)
    assert key is not None
    assert key.valid_at(NOW)
    assert not key.valid_at(NOW + SIGNING_KEY_VALIDITY)
