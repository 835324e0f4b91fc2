"""Self-test of a user's own model, in a child process that may die of it without costing anybody else anything.

checked = check_model(content, ModelQuestion("yolox"))
checked.report.findings
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Any, TypeAlias

from pipelines.errors import ModelCheckError
from pipelines.model_child import CONTENT_FILE, FACES_FILE, REQUEST_FILE, REWRITTEN_FILE
from pipelines.model_margins import FacesInPairs, save_faces
from pipelines.model_report import (
    MarginReport,
    ModelQuestion,
    ModelReport,
    margins_from,
    report_from,
)
from pipelines.model_self_test import OUT_OF_MEMORY
from weights.spec import InputSpec

Tell: TypeAlias = Callable[[int, int], None]
"""Told how much is done, and of how much."""

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "TZ")
"""Of the environment. A model under test has no business with the secrets in the rest."""


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What a model may take while it is tested.

    Attributes:
        memory_bytes: writable memory of its process, beside several times its own size.
        silence_seconds: without a word from the process, after which it is killed.
    """

    memory_bytes: int = 2_000_000_000
    silence_seconds: float = 180.0


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model that passed.

    Attributes:
        report: what was found.
        content: the ONNX file the report is about.
    """

    report: ModelReport
    content: bytes


def check_model(
    content: bytes, question: ModelQuestion, folder: Path | None = None, limits: CheckLimits | None = None
) -> CheckedModel:
    """Tests a model against what somebody says it is.

    Args:
        content: of the ONNX file.
        question: what it is said to be.
        folder: where it lies, for weights in a file beside it; None where none may be.
        limits: None for the defaults.

    Raises:
        ModelCheckError: it is not that, or broke a limit; one line that says what happened. This process and
            its memory are untouched.
    """
    request = {"question": asdict(question), "folder": str(folder.absolute()) if folder else ""}
    with _workplace(content) as place:
        answer = _run_child(place, request, content, limits or CheckLimits(), None)
        report = report_from(answer["report"])
        rewritten = place / REWRITTEN_FILE
        return CheckedModel(report, rewritten.read_bytes() if report.rewritten else content)


def check_margins(
    content: bytes,
    declared: InputSpec,
    faces: FacesInPairs,
    tell: Tell | None = None,
    limits: CheckLimits | None = None,
) -> MarginReport:
    """Tests colour order and scaling of an embedder on pairs of faces.

    Args:
        content: of an ONNX file that `check_model` passed.
        declared: how it is said to be fed.
        faces: aligned as `declared` says.
        tell: told of progress.
        limits: None for the defaults.

    Raises:
        ModelCheckError: as `check_model`, or too few pairs.
    """
    with _workplace(content) as place:
        save_faces(place / FACES_FILE, faces)
        request = {"declared": asdict(declared)}
        return margins_from(_run_child(place, request, content, limits or CheckLimits(), tell)["margins"])


@contextmanager
def _workplace(content: bytes) -> Iterator[Path]:
    """A private folder with the model in it, gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix="aiqyn-model-") as name:
            (Path(name) / CONTENT_FILE).write_bytes(content)
            yield Path(name)
    except OSError as error:
        raise ModelCheckError(
            f"cannot be tested: {tempfile.gettempdir()}: {error.strerror or error}; "
            "make room there, or name another folder with TMPDIR"
        ) from error


def _run_child(
    place: Path, request: Mapping[str, Any], content: bytes, limits: CheckLimits, tell: Tell | None
) -> dict[str, Any]:
    memory_bytes = limits.memory_bytes + 8 * len(content)
    document = {**request, "memory_bytes": memory_bytes, "parent_id": os.getpid()}
    (place / REQUEST_FILE).write_text(json.dumps(document), encoding="utf-8")
    with (place / "stderr").open("w+b") as errors:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipelines.model_child", str(place)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            cwd=place,
            start_new_session=True,
        )
        try:
            answer = _last_answer(child, limits.silence_seconds, tell)
            code = child.wait(limits.silence_seconds)
        except subprocess.TimeoutExpired as error:
            raise ModelCheckError("did not end when it was done; its process was ended") from error
        finally:
            _end(child)
        errors.seek(0)
        said = errors.read(20_000).decode("utf-8", "replace")
    if answer is None:
        raise ModelCheckError(_what_happened(code, said, memory_bytes))
    if "refused" in answer:
        raise ModelCheckError(_with_limit(str(answer["refused"]), memory_bytes))
    return answer


def _end(child: subprocess.Popen[bytes]) -> None:
    """No process and no pipe of it is left."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout:
        child.stdout.close()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def _last_answer(
    child: subprocess.Popen[bytes], silence_seconds: float, tell: Tell | None
) -> dict[str, Any] | None:
    """The final document; None when the process ended without one.

    Raises:
        ModelCheckError: it said nothing for too long.
    """
    if child.stdout is None:
        raise ModelCheckError("cannot be tested: its process has no output")
    for line in _lines(child.stdout, silence_seconds):
        document = json.loads(line)
        if "done" not in document:
            return dict(document)
        if tell:
            tell(int(document["done"]), int(document["of"]))
    return None


def _lines(stream: IO[bytes], silence_seconds: float) -> Iterator[bytes]:
    """Whole lines as they come."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        until = monotonic() + silence_seconds
        while True:
            if not selector.select(max(0.0, until - monotonic())):
                raise ModelCheckError(
                    f"gave no answer within {silence_seconds:g} seconds; its process was ended"
                )
            part = os.read(stream.fileno(), 1 << 16)
            if not part:
                return
            until = monotonic() + silence_seconds
            *lines, rest = (rest + part).split(b"\n")
            yield from lines


def _what_happened(code: int, said: str, memory_bytes: int) -> str:
    """One line about a process that ended without an answer."""
    if "bad_alloc" in said or "MemoryError" in said or code == -signal.SIGKILL:
        return _with_limit(OUT_OF_MEMORY, memory_bytes)
    if code < 0:
        return f"ended its own process (signal {signal.Signals(-code).name}); it is broken or hostile"
    last = said.strip().splitlines()[-1][:200] if said.strip() else f"exit code {code}"
    return f"could not be tested: its process failed ({last})"


def _with_limit(message: str, memory_bytes: int) -> str:
    return message.replace(OUT_OF_MEMORY, f"{OUT_OF_MEMORY} ({memory_bytes / 1e9:.1f} GB)")
