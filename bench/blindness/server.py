"""Serves a site over HTTP in a process of its own: `python -m bench.blindness.server FOLDER PORT LEAK`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from aiqyn.embedded.stack import free_port
from bench.blindness.leaks import Leak, LeakyBuild
from bench.blindness.site import settings_of

START_SECONDS: Final = 60.0


@contextmanager
def served(folder: Path, leak: Leak) -> Iterator[str]:
    """The address of a process that serves a site; ended on leaving.

    Raises:
        TimeoutError: it did not come up.
    """
    port = free_port(0)
    command = [sys.executable, "-m", "bench.blindness.server", str(folder), str(port), leak.value]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.HTTPError):
            httpx.get(f"{address}/health", timeout=5)
            return
        time.sleep(0.1)
    raise TimeoutError(f"the service did not come up; exit code {process.poll()}")


def main(arguments: list[str]) -> None:
    """Serves until it is ended, as `aiqyn serve` does."""
    import uvicorn

    from api.app import create_app
    from api.services import build_services

    folder, port, leak = Path(arguments[0]), int(arguments[1]), Leak(arguments[2])
    app = create_app(build_services(settings_of(folder)))
    if leak is not Leak.NONE:
        app.add_middleware(LeakyBuild, leak=leak, database=folder / "data" / "aiqyn.db")
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        server_header=False,
        log_config=None,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
