"""`python -m aiqyn.health`: asks the `serve` or `work` that runs in this container whether it lives; exit 0 or 1.

For health checks of container engines. Which of the two runs is read off the first process; ports are those of
`AIQYN_API__PORT` and `AIQYN_WORKER__METRICS_PORT`, which hold over any settings file.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.error import HTTPError

SERVE_PORT = "8750"
WORK_PORT = "9108"
TIMEOUT_SECONDS = 3.0
_LONGEST_ANSWER = 65_536


def health_address(command: bytes, environment: Mapping[str, str]) -> str:
    """Where to ask.

    Args:
        command: the first process's argument vector, as `/proc/1/cmdline` has it.
        environment: of the container.
    """
    words = command.split(b"\0")
    if b"work" in words:
        return f"http://127.0.0.1:{environment.get('AIQYN_WORKER__METRICS_PORT', WORK_PORT)}/health"
    tls = any(word.split(b"=")[0] == b"--tls-certificate" for word in words)
    return f"{'https' if tls else 'http'}://127.0.0.1:{environment.get('AIQYN_API__PORT', SERVE_PORT)}/health"


def ask(address: str) -> str | None:
    """What is wrong; None where nothing is."""
    # This machine's own address: whose name stands in the certificate does not matter here.
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
    )
    try:
        with opener.open(address, timeout=TIMEOUT_SECONDS):
            return None
    except HTTPError as error:
        return error.read(_LONGEST_ANSWER).decode("utf-8", "replace")
    except OSError as error:
        return f"{address}: {error}"


def main() -> int:
    """Asks, and says on standard error what is wrong; the exit code."""
    problem = ask(health_address(Path("/proc/1/cmdline").read_bytes(), os.environ))
    if problem is not None:
        sys.stderr.write(problem + "\n")
    return 0 if problem is None else 1


if __name__ == "__main__":
    sys.exit(main())
