"""Which Redis server there is on this machine, which version, and whether that one lacks known fixes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import BusError
from weights.errors import WeightsError
from weights.store import WeightStore

PROGRAMS = ("valkey-server", "redis-server")
WEIGHTS_ID = "redis-server"
OLDEST = (6, 2)
"""XAUTOCLAIM and ACLs on channels came with 6.2."""

VERSION_TIMEOUT_SECONDS = 10
_VERSION = re.compile(r"\bv=(\d+)\.(\d+)\.(\d+)")

_FIRST_FIXED = {
    "redis": {
        (6, 2): (6, 2, 20),
        (7, 2): (7, 2, 11),
        (7, 4): (7, 4, 6),
        (8, 0): (8, 0, 4),
        (8, 2): (8, 2, 2),
    },
    "valkey": {(7, 2): (7, 2, 11), (8, 0): (8, 0, 6), (8, 1): (8, 1, 4)},
}
"""First release of each branch with the fixes of October 2025 (CVE-2025-49844 and those beside it)."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server program.

    Attributes:
        path: the program.
        product: `redis` or `valkey`.
        version: of the program.
        origin: `machine`, or `weights` for the one in the weights cache.
    """

    path: Path
    product: str
    version: tuple[int, int, int]
    origin: str

    @property
    def version_text(self) -> str:
        """As in `redis 7.0.15`."""
        return f"{self.product} {'.'.join(map(str, self.version))}"

    def advice(self) -> str | None:
        """What to do where the server is older than known fixes; None where it is not.

        The worst of them need scripting, which no user of ours may do; distributions mend older versions
        without changing the number.
        """
        branch = self.version[:2]
        fixed = _FIRST_FIXED[self.product]
        if branch in fixed and self.version >= fixed[branch]:
            return None
        if branch not in fixed and branch > max(fixed):
            return None
        wanted = ".".join(map(str, fixed.get(branch, max(fixed.values()))))
        return (
            f"{self.version_text} lacks fixes of October 2025 unless its distributor added them; install "
            f"{self.product} {wanted} or newer where your distribution has it"
        )


def find_server(weights: WeightStore | None = None, *, search_path: str | None = None) -> RedisServer:
    """The machine's own valkey-server or redis-server, else the one in the weights cache.

    Args:
        weights: the cache; None to look at the machine alone.
        search_path: folders as in PATH, this process's by default.

    Raises:
        BusError: there is none new enough.
    """
    too_old: str | None = None
    for name in PROGRAMS:
        found = shutil.which(name, path=search_path)
        if found is None:
            continue
        server = inspect_server(Path(found), origin="machine")
        if server.version[:2] >= OLDEST:
            return server
        too_old = f"{found} is {server.version_text}, older than 6.2"
    if weights is not None:
        try:
            return inspect_server(weights.path(WEIGHTS_ID), origin="weights")
        except WeightsError as error:
            missing = str(error)
    else:
        missing = "the weights cache was not asked"
    raise BusError(
        f"no Redis server: {too_old or 'neither valkey-server nor redis-server is installed'}, and {missing}. "
        f"Run `aiqyn weights pull {WEIGHTS_ID}`, install valkey-server or redis-server, or set redis.url"
    )


def inspect_server(path: Path, *, origin: str = "machine") -> RedisServer:
    """What a server program says it is.

    Raises:
        BusError: it cannot be run, or does not say its version.
    """
    try:
        reply = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=VERSION_TIMEOUT_SECONDS,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BusError(f"{path}: does not run on this machine ({type(error).__name__})") from error
    match = _VERSION.search(reply)
    if match is None:
        raise BusError(f"{path}: does not say its version; is it a Redis or Valkey server?")
    major, minor, patch = (int(number) for number in match.groups())
    product = "valkey" if "valkey" in reply.lower() else "redis"
    return RedisServer(path, product, (major, minor, patch), origin)
