"""The child process in which a model nobody knows yet is run: `python -m pipelines.model_child FOLDER`.

The folder holds `request.json` and `model.onnx`, for a margin test `faces.npz` as well. Before the model is
touched the process takes limits upon itself that it cannot lift again: memory, size of files, no core dump,
and, where the kernel lets an ordinary user, no network. Standard output carries one JSON document a line:
`{"done", "of"}` while it works, at the end `{"report"}`, `{"margins"}` or `{"refused"}`.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

CONTENT_FILE, REQUEST_FILE, FACES_FILE, REWRITTEN_FILE = (
    "model.onnx",
    "request.json",
    "faces.npz",
    "rewritten.onnx",
)
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_MOST_WRITTEN_BYTES = 4 << 30


def limit_this_process(memory_bytes: int) -> bool:
    """Takes the limits.

    Args:
        memory_bytes: of writable memory of its own; what is mapped from files, such as libraries, is not counted.

    Returns:
        Whether the network is out of reach.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN_BYTES, _MOST_WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    return leave_the_network()


def end_with_parent(parent_id: int) -> None:
    """Has the kernel kill this process when its parent dies, however that dies: nobody else would end a model
    that never answers.

    Args:
        parent_id: process that waits for the answer.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_id:
        raise SystemExit(1)  # it died before it could be followed


def leave_the_network() -> bool:
    """Moves this process into a network of its own with nothing in it; False where the kernel does not let it."""
    with suppress(AttributeError, OSError):
        return int(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)) == 0
    return False


def main(folder: Path) -> None:
    """Does what the request asks and says so on standard output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    # What libraries print must not mix with the answers.
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    request = json.loads((folder / REQUEST_FILE).read_text(encoding="utf-8"))
    end_with_parent(request["parent_id"])
    limit_this_process(request["memory_bytes"])
    try:
        answer = _answer(folder, request, answers)
    except MemoryError:
        from pipelines.model_self_test import OUT_OF_MEMORY

        answer = {"refused": OUT_OF_MEMORY}
    _say(answers, answer)


def _answer(folder: Path, request: Mapping[str, Any], answers: TextIO) -> dict[str, Any]:
    from pipelines.errors import ModelCheckError
    from vision.errors import VisionError

    try:
        if "declared" in request:
            return {"margins": _margins(folder, request, answers)}
        return {"report": _report(folder, request)}
    except (ModelCheckError, VisionError) as error:
        return {"refused": str(error)}


def _report(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    from pipelines.model_file import inspect
    from pipelines.model_report import question_from
    from pipelines.model_self_test import self_test

    beside = request["folder"]
    file = inspect((folder / CONTENT_FILE).read_bytes(), Path(beside) if beside else None)
    tested = self_test(file, question_from(request["question"]))
    if tested.report.rewritten:
        (folder / REWRITTEN_FILE).write_bytes(tested.content)
    return asdict(tested.report)


def _margins(folder: Path, request: Mapping[str, Any], answers: TextIO) -> dict[str, Any]:
    from pipelines.model_margins import compare_settings, load_faces
    from weights.spec import InputSpec

    def tell(done: int, of: int) -> None:
        _say(answers, {"done": done, "of": of})

    content = (folder / CONTENT_FILE).read_bytes()
    declared = InputSpec(**request["declared"])
    return asdict(compare_settings(content, declared, load_faces(folder / FACES_FILE), tell))


def _say(answers: TextIO, document: Mapping[str, Any]) -> None:
    answers.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
