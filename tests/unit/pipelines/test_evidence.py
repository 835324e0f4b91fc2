"""`pipelines.evidence`: sealed, found again, and held to what was said of it."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import fsspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pipelines.errors import EvidenceError
from pipelines.events import EvidenceItem
from pipelines.evidence import CLIP_KINDS, SALT_BYTES, EvidenceKind, EvidenceReader, EvidenceStore
from pipelines.evidence_blobs import MAX_SEALED_BYTES
from pipelines.evidence_clip import Clip
from vision.images import decode_image
from vision.types import Image

PRIVATE = X25519PrivateKey.generate()


@pytest.fixture
def image() -> Image:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (48, 64, 3)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@pytest.fixture
def store(folder: Path) -> EvidenceStore:
    return EvidenceStore(str(folder), PRIVATE.public_key())


@pytest.fixture
def reader(folder: Path) -> EvidenceReader:
    return EvidenceReader(folder.as_uri(), PRIVATE)


PICTURES = [kind for kind in get_args(EvidenceKind) if kind not in CLIP_KINDS]


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_comes_back(
    kind: EvidenceKind, store: EvidenceStore, reader: EvidenceReader, image: Image
) -> None:
    item = store.put(kind, image)
    assert (item.kind, item.width, item.height) == (kind, 64, 48)
    picture = reader.read(item)
    assert picture[:3] == b"\xff\xd8\xff"
    assert np.abs(decode_image(picture).astype(int) - image).mean() < 3


def test_the_store_holds_nothing_readable(folder: Path, store: EvidenceStore, image: Image) -> None:
    item = store.put("probe", image)
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    assert path.relative_to(folder).as_posix() == item.ref
    assert b"JFIF" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_picture_twice_looks_like_two(store: EvidenceStore, image: Image) -> None:
    """Neither hash lets anybody test a guess at the picture."""
    one, two = store.put("probe", image), store.put("probe", image)
    assert one.sha256_plain != two.sha256_plain
    assert one.sha256_sealed != two.sha256_sealed


def test_a_worker_cannot_read_back(folder: Path, store: EvidenceStore, image: Image) -> None:
    item = store.put("probe", image)
    with pytest.raises(EvidenceError, match="another key"):
        EvidenceReader(str(folder), X25519PrivateKey.generate()).read(item)


def test_a_frame_does_not_open_as_a_redacted_one(
    store: EvidenceStore, reader: EvidenceReader, image: Image
) -> None:
    item = store.put("frame", image)
    with pytest.raises(EvidenceError, match="another place"):
        reader.read(item.model_copy(update={"kind": "frame_redacted"}))


def test_a_context_must_be_given_again(store: EvidenceStore, reader: EvidenceReader, image: Image) -> None:
    item = store.put("probe", image, "case 7")
    assert reader.read(item, "case 7")
    with pytest.raises(EvidenceError, match="another place"):
        reader.read(item)


class TestTampering:
    def test_a_changed_byte(
        self, folder: Path, store: EvidenceStore, reader: EvidenceReader, image: Image
    ) -> None:
        item = store.put("probe", image)
        sealed = bytearray((folder / item.ref).read_bytes())
        sealed[100] ^= 1
        (folder / item.ref).write_bytes(sealed)
        with pytest.raises(EvidenceError, match="not those the event names"):
            reader.read(item)

    def test_another_picture_in_its_place(
        self, folder: Path, store: EvidenceStore, reader: EvidenceReader, image: Image
    ) -> None:
        item, other = store.put("probe", image), store.put("probe", image)
        (folder / item.ref).write_bytes((folder / other.ref).read_bytes())
        with pytest.raises(EvidenceError, match="not those the event names"):
            reader.read(item)

    def test_another_salted_hash(self, store: EvidenceStore, reader: EvidenceReader, image: Image) -> None:
        item = store.put("probe", image)
        with pytest.raises(EvidenceError, match="not the one the event names"):
            reader.read(item.model_copy(update={"sha256_plain": "0" * 64}))

    def test_missing(self, folder: Path, store: EvidenceStore, reader: EvidenceReader, image: Image) -> None:
        item = store.put("probe", image)
        (folder / item.ref).unlink()
        with pytest.raises(EvidenceError, match="missing"):
            reader.read(item)

    @pytest.mark.parametrize(
        "ref", ["../../etc/passwd", "/etc/passwd", "aa/../../x", "http://x/y", "aa/" + "a" * 64 + ".sealed"]
    )
    def test_a_reference_that_is_a_path(self, reader: EvidenceReader, ref: str) -> None:
        item = EvidenceItem(
            kind="probe", ref=ref, sha256_plain="0" * 64, sha256_sealed="b" * 64, width=1, height=1
        )
        with pytest.raises(EvidenceError, match="not made of its hash"):
            reader.read(item)


class TestWriting:
    def test_forced_to_disk(
        self, store: EvidenceStore, image: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[str] = []
        real = os.fsync

        def watched(handle: int) -> None:
            synced.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
            real(handle)

        monkeypatch.setattr(os, "fsync", watched)
        store.put("probe", image)
        assert synced[-2:] == ["file", "folder"]

    def test_a_full_disk_leaves_nothing_half(
        self, folder: Path, store: EvidenceStore, image: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(EvidenceError, match="No space left"):
            store.put("probe", image)
        assert not [path for path in folder.rglob("*") if path.is_file()]

    def test_an_image_that_is_none(self, store: EvidenceStore) -> None:
        with pytest.raises(EvidenceError, match="cannot be encoded"):
            store.put("probe", np.empty((0, 0, 3), np.uint8))

    def test_other_file_systems(self, image: Image) -> None:
        files = fsspec.filesystem("memory")
        item = EvidenceStore("memory://bucket", PRIVATE.public_key()).put("probe", image)
        assert files.exists(f"/bucket/{item.ref}")
        assert EvidenceReader("memory://bucket", PRIVATE).read(item)
        files.rm("/bucket", recursive=True)

    def test_an_unknown_one_is_named_without_its_address(self) -> None:
        with pytest.raises(EvidenceError, match=r"evidence\.url") as caught:
            EvidenceStore("nowhere://user:hunter2@host/", PRIVATE.public_key())
        assert "hunter2" not in str(caught.value)


CLIP = Clip(b"\x1aE\xdf\xa3 a clip", "video/webm", 320, 240, 1.5, 9.5)


@pytest.mark.parametrize("kind", ["clip", "clip_redacted"])
def test_a_clip_comes_back(
    kind: Literal["clip", "clip_redacted"], folder: Path, store: EvidenceStore, reader: EvidenceReader
) -> None:
    item = store.put_clip(kind, CLIP)
    assert (item.media_type, item.began_pts_seconds, item.duration_seconds) == ("video/webm", 1.5, 9.5)
    assert reader.read(item) == CLIP.content
    assert CLIP.content not in (folder / item.ref).read_bytes()
    with pytest.raises(EvidenceError, match="another key"):
        EvidenceReader(str(folder), X25519PrivateKey.generate()).read(item)
    other = "clip_redacted" if kind == "clip" else "clip"
    with pytest.raises(EvidenceError, match="another place"):
        reader.read(item.model_copy(update={"kind": other}))
    assert b"a clip" not in repr(CLIP).encode()


def test_more_than_may_be_read_back_is_not_written(store: EvidenceStore) -> None:
    with pytest.raises(EvidenceError, match="larger than evidence may be"):
        store.put_clip("clip", replace(CLIP, content=bytes(MAX_SEALED_BYTES)))


def test_what_was_signed_before_clips_keeps_its_signature() -> None:
    """New fields are left out where they say nothing: candidates wait in spools while workers are replaced."""
    before = {
        "kind": "probe",
        "ref": f"cc/{'c' * 64}.sealed",
        "sha256_plain": "b" * 64,
        "sha256_sealed": "c" * 64,
        "width": 112,
        "height": 112,
    }
    item = EvidenceItem.model_validate(before)
    assert item.model_dump(mode="json") == before
    told = item.model_copy(update={"pts_seconds": 0.0})
    assert told.model_dump(mode="json") == before | {"pts_seconds": 0.0}
    assert EvidenceItem.model_validate(told.model_dump(mode="json")) == told


def test_the_salt_is_long_enough() -> None:
    assert SALT_BYTES >= 16
