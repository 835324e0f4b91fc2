"""Files whose upstream hash could not be learnt: refused until the operator vouches, then verified like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.weights.builders import (
    WebServer,
    make_catalog,
    sha256,
    unpinned_entry,
    url_entry,
    web_server,
    write_catalog,
)
from weights.card import model_card
from weights.catalog import load_catalog
from weights.errors import CacheError, CatalogError, FetchError, HashMismatchError, UnpinnedError
from weights.pins import Pin, pins_document, read_pins
from weights.store import WeightStore

CONTENT = b"a model that somebody published"
PIN = Pin(sha256(CONTENT), "ana", "2026-11-22T20:00:00Z", "its hash alone")
NOWHERE = "http://127.0.0.1:9/file.bin"


def _store(tmp_path: Path, url: str = NOWHERE, *, size_bytes: int = 0) -> WeightStore:
    catalog = make_catalog(
        tmp_path, unpinned_entry("loose", url, size_bytes=size_bytes), url_entry("known", url, CONTENT)
    )
    return WeightStore(tmp_path / "cache", catalog)


def test_an_unpinned_entry_is_refused_and_nothing_is_fetched(tmp_path: Path) -> None:
    with web_server(WebServer(CONTENT)) as server:
        store = _store(tmp_path, server.url)
        assert store.state("loose") == "unpinned"
        for refused in (store.read, store.path, lambda each: store.pull([each])):
            with pytest.raises(UnpinnedError) as caught:
                refused("loose")
            said = str(caught.value)
            assert said.startswith(
                "loose is unpinned: upstream publishes none. Nothing is fetched or run until"
            )
            assert "aiqyn weights pin loose (--sha256 HEX | --file PATH)" in said
            assert "\n" not in said
        assert server.requests == 0
    assert not store.root.exists()


def test_the_others_of_a_pull_are_had_all_the_same(tmp_path: Path) -> None:
    with web_server(WebServer(CONTENT)) as server:
        store = _store(tmp_path, server.url)
        results = {result.entry_id: result.error for result in store.pull_each(["loose", "known"])}
        assert isinstance(results["loose"], UnpinnedError)
        assert results["known"] is None
        assert (store.read("known"), server.requests) == (CONTENT, 1)


def test_a_pinned_hash_is_verified_like_any_other(tmp_path: Path) -> None:
    with web_server(WebServer(CONTENT)) as server:
        store = _store(tmp_path, server.url)
        store.pin("loose", PIN)
        assert store.state("loose") == "absent"
        store.pull(["loose"])
        assert store.read("loose") == CONTENT
        server.content = b"something else behind the same address"
        store.path("loose").write_bytes(b"tampered")
        assert store.state("loose") == "damaged"
        with pytest.raises(HashMismatchError, match="the catalogue says"):
            store.pull(["loose"])


def test_a_pin_outlives_the_process_and_is_read_by_every_store(tmp_path: Path) -> None:
    _store(tmp_path).pin("loose", PIN)
    again = _store(tmp_path)
    assert again.state("loose") == "absent"
    assert again.catalog.get("loose").sha256 == PIN.sha256


def test_a_file_at_hand_is_put_in_its_place(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.pin("loose", replace(PIN, origin="the file a.onnx", size_bytes=len(CONTENT)), CONTENT)
    assert (store.state("loose"), store.read("loose")) == ("ready", CONTENT)
    assert store.catalog.get("loose").size_bytes == len(CONTENT)


def test_a_file_of_another_size_than_upstreams_is_refused(tmp_path: Path) -> None:
    store = _store(tmp_path, size_bytes=len(CONTENT) + 1)
    with pytest.raises(CatalogError, match="has 31 bytes, upstream's has 32; it is another file"):
        store.pin("loose", PIN, CONTENT)
    assert store.state("loose") == "unpinned"


def test_a_file_that_is_not_the_pins_is_refused(tmp_path: Path) -> None:
    store = _store(tmp_path)
    with pytest.raises(HashMismatchError, match="to be pinned is"):
        store.pin("loose", PIN, b"another file")
    assert store.state("loose") == "unpinned"


def test_a_download_of_unknown_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weights.sources.url._MOST_BYTES", 8)
    with web_server(WebServer(CONTENT)) as server:
        store = _store(tmp_path, server.url)
        store.pin("loose", PIN)
        with pytest.raises(FetchError, match="sends more than 8 bytes"):
            store.pull(["loose"])


def test_what_the_catalogue_knows_cannot_be_pinned_to_something_else(tmp_path: Path) -> None:
    store = _store(tmp_path)
    with pytest.raises(
        CatalogError, match=f"known needs no pin: the catalogue has its SHA-256, {PIN.sha256}"
    ):
        store.pin("known", replace(PIN, sha256="0" * 64))
    (tmp_path / "cache").mkdir()
    forged = pins_document({"known": replace(PIN, sha256="0" * 64)})
    (tmp_path / "cache" / "pins.toml").write_bytes(forged)
    assert _store(tmp_path).catalog.get("known").sha256 == PIN.sha256


def test_a_pin_is_changed_only_by_taking_it_back(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.pin("loose", PIN, CONTENT)
    store.pin("loose", PIN)
    with pytest.raises(CatalogError, match=r"is pinned to .* already; .* run: aiqyn weights unpin loose"):
        store.pin("loose", replace(PIN, sha256="0" * 64))
    assert store.unpin("loose") == PIN
    assert store.state("loose") == "unpinned"
    assert list((store.root / "files").iterdir()) == []
    store.pin("loose", replace(PIN, sha256="0" * 64))
    with pytest.raises(CatalogError, match="unknown id 'other'"):
        store.unpin("other")


def test_what_was_not_pinned_cannot_be_unpinned(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="loose is not pinned here"):
        _store(tmp_path).unpin("loose")


def test_the_card_says_who_vouches(tmp_path: Path) -> None:
    store = _store(tmp_path)
    before = model_card(store.catalog.get("loose"))
    assert "SHA-256 unknown" in before
    assert "nobody, so it is not fetched until you pin it (upstream's own could not be learnt" in before
    store.pin("loose", PIN)
    after = model_card(store.catalog.get("loose"))
    assert f"SHA-256 {PIN.sha256}" in after
    assert "nobody but the operator of this machine: pinned by ana at 2026-11-22T20:00:00Z" in after
    assert "upstream's own could not be learnt: upstream publishes none" in after
    assert "Who vouches for that hash: this project" in model_card(load_catalog().get("centerface"))


def test_pins_are_written_whole_and_read_back(tmp_path: Path) -> None:
    pins = {"rf-detr.n": replace(PIN, origin='a "file" of \\ Ünï'), "a": PIN}
    (tmp_path / "pins.toml").write_bytes(pins_document(pins))
    assert dict(read_pins(tmp_path / "pins.toml")) == pins
    assert dict(read_pins(tmp_path / "none.toml")) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"[[loose]\n", "not valid TOML", id="not TOML"),
        pytest.param(b"\xff\xfe", "not valid TOML", id="not text"),
        pytest.param(b"loose = 5\n", "loose", id="not a table"),
        pytest.param(pins_document({"loose": replace(PIN, sha256="abc")}), "loose.sha256", id="not a hash"),
        pytest.param(pins_document({"loose": PIN}) + b'colour = "red"\n', "loose.colour", id="unknown key"),
    ],
)
def test_a_broken_pins_file_is_one_line_and_trusts_nothing(tmp_path: Path, content: bytes, said: str) -> None:
    store = _store(tmp_path)
    store.root.mkdir()
    (store.root / "pins.toml").write_bytes(content)
    for use in (lambda: store.catalog, lambda: store.pin("loose", PIN)):
        with pytest.raises(CatalogError, match=said) as caught:
            use()
        assert "pins.toml" in str(caught.value)
        assert "mend it, or remove it and pin again" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_the_pins_is_one_line(tmp_path: Path) -> None:
    store = _store(tmp_path)
    (store.root / "pins.toml").mkdir(parents=True)
    with pytest.raises(CacheError, match=r"weights folder .* cannot be read: pins\.toml"):
        store.state("loose")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param('no_upstream_hash = "upstream publishes none"', "", "no_upstream_hash", id="no reason"),
        pytest.param(
            "size_bytes = 0", 'size_bytes = 0\nvouched_by = "me"', "vouched_by", id="voucher of nothing"
        ),
        pytest.param("size_bytes = 0", f'size_bytes = 0\nsha256 = "{"0" * 64}"', "has both", id="both"),
        pytest.param("download_bytes = 0", "download_bytes = -1", "download_bytes", id="negative size"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = unpinned_entry("loose", NOWHERE)
    assert old in text
    with pytest.raises(CatalogError, match=said):
        load_catalog(files=[write_catalog(tmp_path, text.replace(old, new))])


@pytest.mark.parametrize("key", ["size_bytes", "download_bytes"])
def test_a_known_file_needs_a_size(tmp_path: Path, key: str) -> None:
    text = url_entry("known", NOWHERE, CONTENT).replace(f"{key} = {len(CONTENT)}", f"{key} = 0")
    with pytest.raises(CatalogError, match=key):
        load_catalog(files=[write_catalog(tmp_path, text)])
