"""A real identity provider on this machine, and what a browser does there: for tests of logins through it.

python -m tests.oidc_site FILE     serves on a free port, says which, and writes what it is asked to FILE
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

CLIENT_ID = "aiqyn"
CLIENT_SECRET = "a secret of this client alone"  # of a provider that lives as long as a test
REDIRECT_URI = "http://localhost:8750/"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request the provider got."""

    request: str
    form: dict[str, str]
    authorization: str


class Site:
    """A provider that listens."""

    def __init__(self, issuer: str, record: Path) -> None:
        """`record` is where it writes what it is asked."""
        self.issuer = issuer
        self._record = record
        self._seen = 0

    def forget(self) -> None:
        """What was asked until now is not told any more."""
        self._seen = len(self._all())

    def asked(self) -> list[Asked]:
        """What was asked since."""
        return self._all()[self._seen :]

    def _all(self) -> list[Asked]:
        return [Asked(**json.loads(line)) for line in self._record.read_text("utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brings back."""

    code: str
    state: str


@contextmanager
def running_provider(folder: Path) -> Iterator[Site]:
    """A provider in a process of its own, on a free port."""
    record = folder / "asked.jsonl"
    record.touch()
    # Libraries the provider is made of warn of themselves; in this process a warning is an error.
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.oidc_site", str(record)]
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield Site(f"http://localhost:{int(process.stdout.readline())}", record)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def sign_in(authorization_url: str, subject: str) -> Returned:
    """Goes where the service says, signs in as `subject`, and comes back with a code."""
    answer = httpx.post(authorization_url, data={"sub": subject}, trust_env=False)
    given = parse_qs(urlsplit(answer.headers["location"]).query)
    return Returned(given["code"][0], given["state"][0])


def main(arguments: list[str]) -> None:
    """Serves until it is stopped."""
    from flask import request
    from oidc_provider_mock import app as provider_app
    from werkzeug.serving import make_server

    app = provider_app()

    def note() -> None:
        line: dict[str, Any] = {
            "request": f"{request.method} {request.path}",
            "form": request.form.to_dict(),
            "authorization": request.headers.get("Authorization", ""),
        }
        with Path(arguments[0]).open("a", encoding="utf-8") as record:
            record.write(json.dumps(line) + "\n")

    app.before_request(note)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
