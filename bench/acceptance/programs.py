"""Runs `aiqyn` the way a user does: as a program of its own, judged by exit code, output and errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiqyn.embedded.redis_server import RedisServer, find_server
from pipelines.config import load_config
from weights.catalog import load_catalog
from weights.store import WeightStore

TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended.

    Attributes:
        exit_code: as the shell sees it.
        output: standard output.
        errors: lines on standard error that begin with `error:`.
        log: all of standard error.
    """

    exit_code: int
    output: str
    errors: tuple[str, ...]
    log: str

    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.output)


def aiqyn(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Finished:
    """Runs the program of this environment to its end.

    Args:
        arguments: after `aiqyn`.
        cwd: where it runs.
        environment: variables on top of this process's.
    """
    done = subprocess.run(
        [sys.executable, "-m", "aiqyn", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    errors = tuple(line for line in done.stderr.splitlines() if line.startswith("error:"))
    return Finished(done.returncode, done.stdout, errors, done.stderr)


def evaluation_data() -> Path:
    """The folder that `AIQYN_EVAL_DATA` names.

    Raises:
        LookupError: it names none.
    """
    named = os.environ.get("AIQYN_EVAL_DATA")
    if not named or not Path(named).is_dir():
        raise LookupError("AIQYN_EVAL_DATA must name the folder with the evaluation data")
    return Path(named).resolve()


def usual_server() -> RedisServer:
    """The program of Redis that Aiqyn would use here."""
    weights = load_config(None).paths.weights_dir
    return find_server(WeightStore(weights, load_catalog(weights)))
