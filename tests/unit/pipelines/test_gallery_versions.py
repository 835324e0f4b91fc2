"""`pipelines.gallery_versions`: what a worker has seen survives its restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.errors import SealingError
from pipelines.gallery_versions import GalleryVersions
from tests.waiting import wait_until
from tests.worker_bench import BEA, Bench, make_package

FILE = "galleries/w1.json"


@pytest.fixture
def bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    bench = Bench(tmp_path, redis_server)
    yield bench
    bench.close()


def test_versions_only_grow_and_survive(tmp_path: Path) -> None:
    versions = GalleryVersions(tmp_path / FILE)
    assert versions.newest("d1") == 0
    versions.saw("d1", 4)
    versions.saw("d1", 3)
    versions.saw("d2", 1)
    again = GalleryVersions(tmp_path / FILE)
    assert (again.newest("d1"), again.newest("d2"), again.newest("d3")) == (4, 1, 0)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_without_a_file_they_are_kept_in_memory(tmp_path: Path) -> None:
    versions = GalleryVersions()
    versions.saw("d1", 4)
    assert versions.newest("d1") == 4
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"schema": "aiqyn.gallery-versions/1", "newest": {"d1": "4"}}',
        '{"schema": "aiqyn.gallery-versions/1", "newest": {"d1": 0}}',
        '{"schema": "aiqyn.gallery-versions/1", "newest": [1]}',
        '{"schema": "something/1", "newest": {}}',
    ],
)
def test_a_file_that_holds_something_else_is_not_taken_for_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w1.json"
    path.write_text(content)
    path.chmod(0o600)
    tmp_path.chmod(0o700)
    with pytest.raises(SealingError, match="restore it"):
        GalleryVersions(path)


def test_a_full_disk_is_logged_and_the_version_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SealingError("no space left")

    versions = GalleryVersions(tmp_path / FILE)
    monkeypatch.setattr("pipelines.gallery_versions.write_private", full)
    with structlog.testing.capture_logs() as logs:
        versions.saw("d1", 4)
    assert [entry["event"] for entry in logs] == ["gallery_version_not_kept"]
    assert versions.newest("d1") == 4


def test_an_older_genuine_list_is_refused_after_a_restart(bench: Bench) -> None:
    bench.add_recording("gate", [BEA])
    bench.publish(version=2, subject_ids=("s-ann",), templates=make_package().templates[:1])
    bench.run()
    bench.publish(version=1)  # Bea, who was removed, is on it
    with bench.running() as worker, structlog.testing.capture_logs() as logs:
        wait_until(lambda: any(entry["event"] == "gallery_refused" for entry in logs))
        assert worker.statuses["gate"].deployment_id is None
    assert bench.candidates() == []
