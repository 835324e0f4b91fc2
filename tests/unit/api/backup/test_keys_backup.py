"""The key store as one encrypted file: whole, for who knows the passphrase, and without subjects unless asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.backup.errors import BackupError
from api.backup.keys import back_up_keys, restore_keys
from api.keys.store import KeyStore
from pipelines.errors import SealingError

PASSPHRASE = "four words and a number 7"


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    store = KeyStore.init(tmp_path / "keys")
    store.create_worker("w1")
    store.create_subject_key("s1")
    return store


@pytest.fixture
def made(keys: KeyStore, tmp_path: Path) -> Path:
    back_up_keys(keys.folder, tmp_path / "keys.backup", PASSPHRASE, with_subjects=False)
    return tmp_path / "keys.backup"


def test_the_service_has_its_keys_again(keys: KeyStore, made: Path, tmp_path: Path) -> None:
    restore_keys(made, tmp_path / "again", PASSPHRASE)
    again = KeyStore.open(tmp_path / "again")
    assert again.receipts_key().key_id == keys.receipts_key().key_id
    assert again.worker_ids() == ("w1",)
    assert again.redis_passwords() == keys.redis_passwords()


def test_subjects_are_left_out_unless_asked_for(keys: KeyStore, made: Path, tmp_path: Path) -> None:
    assert restore_keys(made, tmp_path / "again", PASSPHRASE).subject_keys == 0
    with pytest.raises(SealingError, match="no data key"):
        KeyStore.open(tmp_path / "again").subject_key("s1")
    back_up_keys(keys.folder, tmp_path / "all.backup", PASSPHRASE, with_subjects=True)
    assert restore_keys(tmp_path / "all.backup", tmp_path / "all", PASSPHRASE).subject_keys == 1
    kept = KeyStore.open(tmp_path / "all").subject_key("s1")
    assert kept.to_bytes() == keys.subject_key("s1").to_bytes()


def test_nobody_else_reads_it(made: Path, tmp_path: Path) -> None:
    assert b"PRIVATE KEY" not in made.read_bytes()
    assert made.stat().st_mode & 0o077 == 0
    with pytest.raises(BackupError, match="another passphrase"):
        restore_keys(made, tmp_path / "again", PASSPHRASE + "8")
    assert not (tmp_path / "again").exists()


def test_a_changed_file_is_refused(made: Path, tmp_path: Path) -> None:
    document = json.loads(made.read_text())
    for changed in (
        {"sealed": document["sealed"][:-8]},
        {"kdf": document["kdf"] | {"n": 2**30}},
        {"schema": "x"},
    ):
        made.write_text(json.dumps(document | changed))
        with pytest.raises(BackupError):
            restore_keys(made, tmp_path / "again", PASSPHRASE)


def test_keys_that_are_there_are_not_overwritten(keys: KeyStore, made: Path) -> None:
    with pytest.raises(BackupError, match="holds keys already"):
        restore_keys(made, keys.folder, PASSPHRASE)


def test_a_short_passphrase_is_refused(keys: KeyStore, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="16 characters"):
        back_up_keys(keys.folder, tmp_path / "file", "short", with_subjects=False)
