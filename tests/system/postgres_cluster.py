"""A PostgreSQL cluster of this test run's own: on a Unix socket, on no port, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DEBIAN = Path("/usr/lib/postgresql")


def program(name: str) -> str:
    """Where a program of PostgreSQL is; Debian keeps them out of PATH. Skips by name where it is missing."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"postgresql is not installed: no {name}")
    return found


@contextmanager
def running() -> Iterator[str]:
    """The SQLAlchemy URL of a running cluster's empty database."""
    if os.geteuid() == 0:
        pytest.skip("PostgreSQL refuses root: run deploy/test-system.sh, which uses another user")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # short: a socket's path has 107 bytes
        data = Path(folder) / "data"
        command = [program("initdb"), "-D", str(data), "-U", "aiqyn", "-A", "peer", "--no-sync", "-E", "UTF8"]
        subprocess.run([*command, "--auth=trust"], check=True, capture_output=True)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        control = [program("pg_ctl"), "-D", str(data), "-w", "-l", str(Path(folder) / "log")]
        subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
        try:
            yield f"postgresql+psycopg://aiqyn@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)
