"""The record of a run: sums that notice every change, and no names."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.events import ModelRef, Software
from pipelines.manifest import (
    Manifest,
    WatchlistRecord,
    operator_name,
    record_file,
    record_folder,
    settings_digest,
    this_software,
    watchlist_digest,
    write_whole,
)


def test_a_file_is_recorded_by_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    content = bytes(range(256)) * 5000
    path.write_bytes(content)
    record = record_file(path)
    assert (record.path, record.size_bytes) == (str(path), len(content))
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert record_file(path, "shown").path == "shown"


def test_a_folder_changes_with_any_picture_or_name_in_it(tmp_path: Path) -> None:
    one, two = tmp_path / "1.png", tmp_path / "2.png"
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    sums = {record_folder(tmp_path, [one, two]).sha256}
    two.write_bytes(b"TWO")
    sums.add(record_folder(tmp_path, [one, two]).sha256)
    renamed = two.rename(tmp_path / "3.png")
    sums.add(record_folder(tmp_path, [one, renamed]).sha256)
    assert len(sums) == 3
    assert record_folder(tmp_path, [one, renamed]).size_bytes == 6


def test_a_list_has_the_same_sum_in_any_order_and_another_for_another_name(tmp_path: Path) -> None:
    one, two = tmp_path / "1.png", tmp_path / "2.png"
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    base = watchlist_digest([("ann", one), ("bea", two)])
    assert watchlist_digest([("bea", two), ("ann", one)]) == base
    assert watchlist_digest([("ann", two), ("bea", one)]) != base
    assert watchlist_digest([("ann", one)]) != base


def test_settings_have_one_sum() -> None:
    assert settings_digest({"a": 1, "b": 2}) == settings_digest({"b": 2, "a": 1})
    assert settings_digest({"a": 1}) != settings_digest({"a": 2})


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "a.json"
    write_whole(path, b"old")

    def crash(_: int) -> None:
        raise OSError(5, "the disk is gone")

    monkeypatch.setattr("pipelines.manifest.os.fsync", crash)
    with pytest.raises(OSError, match="the disk is gone"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_the_manifest_says_who_what_when_and_what_for() -> None:
    manifest = Manifest(
        operator="officer-7",
        purpose="case 12/3",
        started_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
        finished_at=datetime(2026, 5, 1, 13, tzinfo=UTC),
        settings={"inference_fps": 10.0},
        models=(ModelRef(role="embedder", id="m", sha256="0" * 64),),
        software=Software(version="1"),
        watchlist=WatchlistRecord("list", "1" * 64, 2, 3),
        failures=("a.mp4: is empty",),
    )
    document = json.loads(json.dumps(manifest.document()))
    assert document["schema"] == "aiqyn.manifest/1"
    assert (document["operator"], document["purpose"]) == ("officer-7", "case 12/3")
    assert document["started_at"] == "2026-05-01T12:00:00+00:00"
    assert document["watchlist"] == {"path": "list", "sha256": "1" * 64, "subjects": 2, "templates": 3}
    assert "unconfirmed" in document["notice"]


def test_an_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert operator_name()

    def nameless() -> str:
        raise OSError("no entry for this user")

    monkeypatch.setattr("pipelines.manifest.getpass.getuser", nameless)
    assert operator_name().startswith("uid-")


def test_the_build_has_a_version() -> None:
    assert this_software().version[0].isdigit()
