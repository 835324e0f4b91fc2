"""A PostgreSQL cluster of one run's own: on a Unix socket, on no port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_DEBIAN: Final = Path("/usr/lib/postgresql")
_UNPRIVILEGED: Final = ("postgres", "nobody")
"""Who runs the server where this process is root, which it refuses."""


class NoPostgresError(Exception):
    """PostgreSQL is not installed, or nobody here may run it."""


def program(name: str) -> Path:
    """Where a program of PostgreSQL is; Debian keeps them out of PATH.

    Raises:
        NoPostgresError: it is not installed.
    """
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")]))
    if found is None:
        raise NoPostgresError(f"postgresql is not installed: no {name}")
    return Path(found)


@contextmanager
def running(*, durable: bool = True, settings: Sequence[str] = ()) -> Iterator[str]:
    """The SQLAlchemy URL of a running cluster's empty database.

    Args:
        durable: whether a commit waits for the disk, as it does for users.
        settings: further `name=value` of the server.

    Raises:
        NoPostgresError: it is not installed, or this is root and there is nobody else to run it.
    """
    programs = {name: program(name) for name in ("initdb", "pg_ctl")}
    owner = _owner()
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # short: a socket's path has 107 bytes
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = Path(folder) / "data"
        made: list[str | Path] = [
            programs["initdb"],
            "-D",
            str(data),
            "-U",
            "aiqyn",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        _run(made, folder, owner)
        chosen = ["listen_addresses=''", f"unix_socket_directories={folder}", f"fsync={_word(durable)}"]
        options = " ".join(f"-c {setting}" for setting in (*chosen, *settings))
        control: list[str | Path] = [
            programs["pg_ctl"],
            "-D",
            str(data),
            "-w",
            "-l",
            str(Path(folder) / "log"),
        ]
        _run([*control, "-o", options, "start"], folder, owner)
        try:
            yield f"postgresql+psycopg://aiqyn@/postgres?host={folder}"
        finally:
            _run([*control, "-m", "immediate", "stop"], folder, owner)


def _owner() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgresError("PostgreSQL refuses root, and there is no other user here to run it")


def _run(command: Sequence[str | Path], folder: str, owner: pwd.struct_passwd | None) -> None:
    subprocess.run(
        list(map(str, command)),
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        user=None if owner is None else owner.pw_uid,
        group=None if owner is None else owner.pw_gid,
        extra_groups=None if owner is None else [],
    )


def _word(on: bool) -> str:
    return "on" if on else "off"
