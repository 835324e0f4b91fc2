"""Evidence in S3, against a local server: stored, found, listed, deleted; and what happens while it is away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from structlog.testing import capture_logs

from pipelines.errors import EvidenceAwayError, EvidenceError, EvidenceFullError, EvidenceMissingError
from pipelines.evidence import EvidenceReader, EvidenceStore
from pipelines.evidence_access import StoreAccess, s3_credentials
from pipelines.evidence_blobs import SHELVES, Blob, Place
from pipelines.evidence_place import open_place
from pipelines.evidence_queue import SealedQueue
from tests.s3_server import BUCKET, KEY_ID, SECRET_KEY, S3Server
from tests.waiting import wait_until
from vision.types import Image

PRIVATE = X25519PrivateKey.generate()
URL = f"s3://{BUCKET}/site-a"
IMAGE: Image = np.full((48, 64, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    running = S3Server()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIQYN_EVIDENCE_KEY_ID", KEY_ID)
    monkeypatch.setenv("AIQYN_EVIDENCE_SECRET_KEY", SECRET_KEY)


@pytest.fixture
def access(server: S3Server) -> StoreAccess:
    if not server.running:
        server.start()
    return StoreAccess(
        endpoint_url=server.endpoint_url,
        region="us-east-1",
        connect_timeout_seconds=2,
        read_timeout_seconds=5,
    )


def all_blobs(place: Place) -> list[Blob]:
    return [blob for shelf in SHELVES for blob in place.blobs(shelf)]


def test_a_picture_goes_there_and_back_and_away(access: StoreAccess) -> None:
    item = EvidenceStore(URL, PRIVATE.public_key(), access).put("probe", IMAGE)
    assert EvidenceReader(URL, PRIVATE, access).read(item)[:3] == b"\xff\xd8\xff"
    place = open_place(URL, access)
    (blob,) = (blob for blob in place.blobs(item.ref[:2]) if blob.ref == item.ref)
    assert blob.size_bytes > 500
    assert blob.written_at is not None
    assert place.delete(item.ref) is True
    assert place.delete(item.ref) is False
    assert list(place.blobs(item.ref[:2])) == []
    with pytest.raises(EvidenceMissingError):
        EvidenceReader(URL, PRIVATE, access).read(item)


def test_a_dead_server_is_one_clear_line_without_secrets(access: StoreAccess, server: S3Server) -> None:
    store = EvidenceStore(URL, PRIVATE.public_key(), access)
    server.stop()
    with pytest.raises(EvidenceAwayError, match="the store does not take it") as caught:
        store.put("probe", IMAGE)
    assert SECRET_KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert store.state.refused == 1


def test_a_bucket_that_is_not_there(access: StoreAccess) -> None:
    with pytest.raises(EvidenceError, match="does not take it"):
        EvidenceStore("s3://nowhere/x", PRIVATE.public_key(), access).put("probe", IMAGE)


class TestCredentials:
    def test_only_what_is_said(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """A profile in a home folder gives nothing: who may write must be said."""
        home = tmp_path / "home" / ".aws"
        home.mkdir(parents=True)
        (home / "credentials").write_text(
            "[default]\naws_access_key_id = a\naws_secret_access_key = b\n", encoding="utf-8"
        )
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("AIQYN_EVIDENCE_KEY_ID")
        monkeypatch.delenv("AIQYN_EVIDENCE_SECRET_KEY")
        with pytest.raises(EvidenceError, match="AIQYN_EVIDENCE_KEY_ID"):
            open_place(URL, StoreAccess())

    def test_from_secret_files(self, tmp_path: Path) -> None:
        (tmp_path / "aiqyn_evidence_key_id").write_text("me\n", encoding="utf-8")
        (tmp_path / "aiqyn_evidence_secret_key").write_text("s3cret\n", encoding="utf-8")
        found = s3_credentials({}, tmp_path)
        assert (found.key_id, found.secret_key) == ("me", "s3cret")
        assert "s3cret" not in repr(found)

    def test_the_usual_variables_where_ours_are_not_set(self, tmp_path: Path) -> None:
        usual = {"AWS_ACCESS_KEY_ID": "them", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "t"}
        assert s3_credentials(usual, tmp_path).session_token == "t"
        both = usual | {"AIQYN_EVIDENCE_KEY_ID": "us", "AIQYN_EVIDENCE_SECRET_KEY": "y"}
        assert s3_credentials(both, tmp_path).key_id == "us"

    def test_half_of_them_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(EvidenceError, match="missing"):
            s3_credentials({"AIQYN_EVIDENCE_KEY_ID": "us"}, tmp_path)


class TestWhileItIsAway:
    def test_what_is_written_meanwhile_waits_sealed_and_arrives(
        self, access: StoreAccess, server: S3Server, tmp_path: Path
    ) -> None:
        store = EvidenceStore(URL, PRIVATE.public_key(), access)
        server.stop()
        store.queue_in(tmp_path / "waiting", limit_bytes=10**7)
        with capture_logs() as logs:
            items = [store.put("probe", IMAGE) for _ in range(3)]
            wait_until(lambda: store.state.phase == "away")
            assert store.state.waiting == 3
            files = [path for path in (tmp_path / "waiting").rglob("*.sealed") if path.is_file()]
            assert len(files) == 3
            assert not any(b"JFIF" in path.read_bytes() for path in files)
            server.start()
            wait_until(lambda: store.state.waiting == 0 and store.state.phase == "ok", seconds=60)
        store.close()
        reader = EvidenceReader(URL, PRIVATE, access)
        assert all(reader.read(item) for item in items)
        assert not list((tmp_path / "waiting").rglob("*.sealed"))
        said = [entry["event"] for entry in logs]
        assert said.count("evidence_store_away") == said.count("evidence_store_back") == 1
        assert SECRET_KEY not in repr(logs)

    def test_the_next_process_sends_what_the_last_one_left(
        self, access: StoreAccess, server: S3Server, tmp_path: Path
    ) -> None:
        server.stop()
        last = EvidenceStore(URL, PRIVATE.public_key(), access)
        last.queue_in(tmp_path, limit_bytes=10**7)
        item = last.put("probe", IMAGE)
        last.close()
        server.start()
        fresh = EvidenceStore(URL, PRIVATE.public_key(), access)
        fresh.queue_in(tmp_path, limit_bytes=10**7)
        wait_until(lambda: fresh.state.waiting == 0)
        fresh.close()
        assert EvidenceReader(URL, PRIVATE, access).read(item)

    def test_no_more_waits_than_may(self, tmp_path: Path) -> None:
        queue = SealedQueue(tmp_path, DeadPlace(), limit_bytes=1000)
        queue.add("aa/" + "a" * 64 + ".sealed", b"x" * 900)
        wait_until(lambda: bool(queue.away))
        with pytest.raises(EvidenceFullError, match=r"evidence\.waiting_limit_bytes.*does not answer"):
            queue.add("bb/" + "b" * 64 + ".sealed", b"x" * 200)
        assert queue.has_room()  # 900 of 1,000 bytes, on a disk with room
        queue.close()
        assert len(queue) == 1


class DeadPlace:
    """A server that is never there."""

    remote = True

    def write(self, ref: str, content: bytes) -> None:
        raise EvidenceAwayError(f"evidence {ref}: {len(content)} bytes, and it does not answer")

    def has_room(self) -> bool:
        return True

    def read(self, ref: str) -> bytes:
        raise EvidenceAwayError(ref)

    def delete(self, ref: str) -> bool:
        raise EvidenceAwayError(ref)

    def blobs(self, shelf: str) -> Iterator[Blob]:
        raise EvidenceAwayError(shelf)
