"""`pipelines.worker_keys`: only what one worker holds, and only from a folder that is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.keys.store import KeyStore
from pipelines.errors import SealingError
from pipelines.worker_keys import WorkerKeys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return KeyStore.init(tmp_path / "keys").create_worker("w1")


def test_repr_holds_no_key(folder: Path) -> None:
    keys = WorkerKeys.load(folder)
    private = keys.galleries_private.private_bytes_raw()
    assert repr(keys).startswith("WorkerKeys(worker_id='w1'")
    assert private.hex() not in repr(keys)


@pytest.mark.parametrize(
    "name",
    [
        "worker.json",
        "candidates.pem",
        "galleries.pem",
        "gallery-signers.jwks.json",
        "evidence.jwks.json",
        "redis.password",
    ],
)
def test_each_file_is_needed_and_private(folder: Path, name: str) -> None:
    (folder / name).chmod(0o644)
    with pytest.raises(SealingError, match=rf"{name}.*open to others"):
        WorkerKeys.load(folder)
    (folder / name).chmod(0o600)
    (folder / name).write_bytes(b"damaged")
    with pytest.raises(SealingError, match=name):
        WorkerKeys.load(folder)
    (folder / name).unlink()
    with pytest.raises(SealingError, match=name):
        WorkerKeys.load(folder)


def test_an_open_folder_is_refused(folder: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(SealingError, match="chmod 700"):
        WorkerKeys.load(folder)


def test_a_worker_that_names_itself_badly(folder: Path) -> None:
    (folder / "worker.json").write_text('{"worker_id": "w1:*"}')
    with pytest.raises(SealingError, match="worker id"):
        WorkerKeys.load(folder)
