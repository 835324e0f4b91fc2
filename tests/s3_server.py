"""A local S3 server (moto) in a process of its own, on loopback, that tests can stop and start again."""

from __future__ import annotations

import subprocess
import sys
from typing import Final
from urllib.request import Request, urlopen

KEY_ID: Final = "AKIATEST"
SECRET_KEY: Final = "a-secret-nobody-prints"
BUCKET: Final = "evidence"

_PROGRAM = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class S3Server:
    """Runs until `stop`; started again it has the same address, and has forgotten everything."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None

    def start(self) -> None:
        """Starts it, with an empty bucket."""
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        with urlopen(Request(f"{self.endpoint_url}/{BUCKET}", method="PUT"), timeout=20):  # noqa: S310
            pass

    def stop(self) -> None:
        """Ends it; whoever asks then is refused."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
