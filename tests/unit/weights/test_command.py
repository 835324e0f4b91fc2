"""`aiqyn weights`, as a user types it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aiqyn.commands import weights as command
from tests.unit.weights.builders import (
    make_wheel,
    picture_entry,
    sha256,
    unpinned_entry,
    url_entry,
    write_catalog,
)
from weights import catalog

FIRST, SECOND = b"first picture", b"second picture"


@pytest.fixture
def app(tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The program with a catalogue of two: one that can be had, one whose package is not there."""
    make_wheel(packages, "album", {"album/1.jpg": FIRST})
    file = write_catalog(
        tmp_path,
        picture_entry("one", "album", "album/1.jpg", FIRST).replace("task =", "default = true\ntask =", 1),
        picture_entry("gone", "a-missing-package", "2.jpg", SECOND),
        picture_entry("foreign", "album", "album/1.jpg", FIRST).replace(
            "task =", 'machine = "hurd-vax"\ntask =', 1
        ),
    )
    monkeypatch.setattr(catalog, "BUILT_IN", (file,))
    monkeypatch.setenv("AIQYN_WEIGHTS_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    program = typer.Typer()
    command.register(program)
    return program


def _run(app: typer.Typer, *words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["weights", *words])
    return result.exit_code, result.stdout, result.stderr


def test_pull_then_list_then_verify(app: typer.Typer, tmp_path: Path) -> None:
    assert _run(app, "pull", "--default") == (
        0,
        f"1 of 1 ready in {tmp_path / 'cache'}\n",
        "fetching album 1.0 (0.0 MB)\nstoring one\n",
    )
    code, out, _ = _run(app, "list", "--json")
    states = {entry["id"]: entry["state"] for entry in json.loads(out)["entries"]}
    assert (code, states) == (0, {"one": "ready", "gone": "absent", "foreign": "not for this machine"})
    code, out, _ = _run(app, "list")
    assert code == 0
    assert out.splitlines()[1].split() == ["one", "pictures", "ready", "0.0", "MB", "CC0-1.0"]
    assert _run(app, "verify") == (0, f"1 of 1 right in {tmp_path / 'cache'}\n", "")


def test_pull_answers_with_one_json_document(app: typer.Typer) -> None:
    code, out, err = _run(app, "pull", "one", "gone", "--json")
    entries = {entry["id"]: entry for entry in json.loads(out)["entries"]}
    assert code == 1
    assert entries["one"] == {"id": "one", "ready": True, "error": None}
    assert not entries["gone"]["ready"]
    assert "error: gone: a-missing-package 1.0 could not be fetched" in err


def test_pull_all_leaves_out_what_is_for_other_machines(app: typer.Typer) -> None:
    code, _, err = _run(app, "pull", "--all")
    assert code == 1
    assert "foreign: left out, it runs on hurd-vax only" in err


def test_nothing_pulled_is_2(app: typer.Typer) -> None:
    assert _run(app, "pull", "gone")[0] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["pull"], "nothing to pull: name ids, or use --default or --all", id="pull without ids"),
        pytest.param(["pull", "ona"], "unknown id 'ona', did you mean 'one'?", id="pull of an unknown id"),
        pytest.param(["verify", "ona"], "unknown id 'ona'", id="verify of an unknown id"),
        pytest.param(["verify"], "nothing has been pulled into", id="verify of nothing"),
        pytest.param(["card", "ona"], "unknown id 'ona'", id="card of an unknown id"),
    ],
)
def test_wrong_usage_is_one_line_and_2(app: typer.Typer, words: list[str], said: str) -> None:
    code, out, err = _run(app, *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_cache_that_cannot_be_used_is_one_line_and_2(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    for words in (["pull", "one"], ["verify", "one"], ["list"]):
        code, out, err = _run(app, *words)
        assert (code, out) == (2, "")
        assert err.startswith("error: weights folder ")
        assert err.count("\n") == 1


def test_verify_finds_what_was_tampered_with(app: typer.Typer, tmp_path: Path) -> None:
    _run(app, "pull", "one")
    next((tmp_path / "cache" / "files").iterdir()).write_bytes(b"tampered")
    code, out, err = _run(app, "verify", "one", "--json")
    assert code == 2
    assert json.loads(out)["entries"] == [{"id": "one", "state": "damaged"}]
    assert err == "error: one: damaged; run: aiqyn weights pull one\n"


def test_the_folder_of_the_option_wins(app: typer.Typer, tmp_path: Path) -> None:
    assert _run(app, "pull", "one", "--weights-dir", str(tmp_path / "other"))[0] == 0
    assert (tmp_path / "other" / "files").is_dir()
    assert not (tmp_path / "cache").exists()


def test_the_folder_of_the_settings_file_is_used(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIQYN_WEIGHTS_DIR")
    (tmp_path / "aiqyn.yaml").write_text(f"paths:\n  weights_dir: {tmp_path / 'settled'}\n")
    assert _run(app, "pull", "one")[0] == 0
    assert (tmp_path / "settled" / "files").is_dir()
    (tmp_path / "aiqyn.yaml").write_text("paths:\n  wights_dir: x\n")
    code, _, err = _run(app, "pull", "one")
    assert code == 2
    assert "wights_dir" in err


def test_a_card_is_text_or_json(app: typer.Typer) -> None:
    code, out, _ = _run(app, "card", "one")
    assert code == 0
    assert out.startswith("# one\n\nA test file\n")
    code, out, _ = _run(app, "card", "one", "--json")
    assert json.loads(out)["picture"]["person"] == "Nobody"


NOWHERE = "http://127.0.0.1:9/file.bin"


@pytest.fixture
def loose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The program with one entry that nobody vouches for, and one behind an address that has its hash."""
    file = write_catalog(tmp_path, unpinned_entry("loose", NOWHERE), url_entry("known", NOWHERE, FIRST))
    monkeypatch.setattr(catalog, "BUILT_IN", (file,))
    monkeypatch.setenv("AIQYN_WEIGHTS_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    program = typer.Typer()
    command.register(program)
    return program


def test_an_unpinned_entry_is_listed_as_such_and_refused(loose: typer.Typer) -> None:
    code, out, _ = _run(loose, "list")
    assert out.splitlines()[1].split() == ["loose", "pictures", "unpinned", "?", "CC0-1.0"]
    code, out, err = _run(loose, "pull", "loose", "--json")
    assert code == 2
    assert not json.loads(out)["entries"][0]["ready"]
    assert "loose is unpinned: upstream publishes none." in err
    assert _run(loose, "verify", "loose")[2] == "error: loose: unpinned; run: aiqyn weights pin loose\n"


def test_pull_all_leaves_web_addresses_to_those_who_name_them(loose: typer.Typer) -> None:
    code, _, err = _run(loose, "pull", "--all")
    assert err.splitlines()[:2] == [
        "loose: left out, it comes from a web address; to have it: aiqyn weights pin loose",
        "known: left out, it comes from a web address; to have it: aiqyn weights pull known",
    ]
    assert code == 0


def test_pin_shows_what_it_trusts_and_unpin_takes_it_back(loose: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(SECOND)
    code, out, err = _run(loose, "pin", "loose", "--file", "a.onnx")
    assert (code, err) == (0, "")
    first, second, third, last = out.splitlines()
    assert first == f"loose: trusts SHA-256 {sha256(SECOND)}, {len(SECOND)} bytes"
    assert second.startswith("Vouched for by nobody but the operator of this machine: pinned by ")
    assert second.endswith(" from the file a.onnx")
    assert third == "Upstream's own hash could not be learnt: upstream publishes none"
    assert last == "It is in its place."
    assert _run(loose, "verify", "loose")[0] == 0
    code, out, _ = _run(loose, "card", "loose", "--json")
    assert json.loads(out)["source"]["files"][0]["sha256"] == sha256(SECOND)
    code, out, _ = _run(loose, "unpin", "loose", "--json")
    assert (code, json.loads(out)["unpinned"]["sha256"]) == (0, sha256(SECOND))
    assert "unpinned" in _run(loose, "list")[1]


def test_a_hash_alone_is_pinned_and_still_to_be_fetched(loose: typer.Typer) -> None:
    code, out, _ = _run(loose, "pin", "loose", "--sha256", sha256(SECOND).upper(), "--json")
    document = json.loads(out)
    assert (code, document["state"], document["pinned"]["sha256"]) == (0, "absent", sha256(SECOND))
    code, _, err = _run(loose, "pull", "loose")
    assert code == 2
    assert "cannot be reached" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["pin", "loose"], "either --sha256 HEX or --file PATH", id="nothing"),
        pytest.param(["pin", "loose", "--sha256", "0" * 64, "--file", "x"], "either --sha256", id="both"),
        pytest.param(
            ["pin", "loose", "--sha256", "0" * 63], "64 hexadecimal digits, got 63", id="short hash"
        ),
        pytest.param(["pin", "loose", "--sha256", "g" * 64], "64 hexadecimal digits", id="not a hash"),
        pytest.param(["pin", "loose", "--file", "none.onnx"], "none.onnx: No such file", id="no file"),
        pytest.param(["pin", "loose", "--file", "."], ".: is a folder", id="a folder"),
        pytest.param(["pin", "loose", "--file", "pipe"], "pipe: is no regular file", id="a pipe"),
        pytest.param(["pin", "loose", "--file", "/dev/zero"], "is no regular file", id="no end"),
        pytest.param(["pin", "loose", "--file", "empty.onnx"], "is empty (0 bytes)", id="an empty file"),
        pytest.param(["pin", "known", "--sha256", "0" * 64], "known needs no pin", id="known already"),
        pytest.param(["pin", "lose", "--sha256", "0" * 64], "unknown id 'lose', did you mean", id="unknown"),
        pytest.param(["unpin", "loose"], "loose is not pinned here", id="nothing to take back"),
    ],
)
def test_a_wrong_pin_is_one_line_and_2(
    loose: typer.Typer, tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "empty.onnx").touch()
    os.mkfifo(tmp_path / "pipe")
    code, out, err = _run(loose, *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "cache" / "pins.toml").exists()
