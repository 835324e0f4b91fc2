"""The self-test in its own process: whatever a model does there, the caller gets one line and lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from pipelines.errors import ModelCheckError
from pipelines.model_check import CheckLimits, check_margins, check_model
from pipelines.model_report import ModelQuestion
from tests.model_builders import (
    EmbedderFlaws,
    colour_embedder,
    embedder,
    endless,
    external,
    external_weights,
    wanting,
)
from tests.unit.pipelines.test_model_margins import SIDE, crowd, declared
from vision.runtime import InferenceSession

EMBEDDING = ModelQuestion("embedding")
GIGABYTES_3 = 750_000_000
T = TypeVar("T")


def test_a_good_model_comes_back_as_it_was() -> None:
    content = embedder()
    checked = check_model(content, EMBEDDING)
    assert checked.content == content
    assert checked.report.dimension == 16
    assert checked.report.input.landmarks_template is not None


def test_a_mended_model_is_what_the_report_is_about(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(external_weights())
    checked = check_model(external("weights.bin"), EMBEDDING, tmp_path)
    assert checked.report.rewritten == "weights of weights.bin taken into the file"
    assert checked.report.size_bytes == len(checked.content)
    assert InferenceSession(checked.content).inputs[0].shape == (None, 3, 32, 32)


@pytest.mark.parametrize("at_load", [True, False])
def test_three_gigabytes_are_not_had(at_load: bool) -> None:
    with pytest.raises(ModelCheckError, match=r"^wants more memory than the self-test allows \(2\.0 GB\)$"):
        check_model(wanting(GIGABYTES_3, at_load=at_load), EMBEDDING)


def test_what_fits_into_the_limit_passes() -> None:
    assert check_model(wanting(25_000_000, at_load=False), EMBEDDING).report.dimension == 16


def test_a_model_without_end_is_ended() -> None:
    children = _children()
    with pytest.raises(ModelCheckError, match="gave no answer within 4 seconds; its process was ended"):
        check_model(endless(), EMBEDDING, limits=CheckLimits(silence_seconds=4))
    assert _children() == children


def test_a_refusal_crosses_over_as_one_line() -> None:
    with pytest.raises(ModelCheckError, match=r"^uses the operator 'Flatten' of 'com\.acme'"):
        check_model(embedder(EmbedderFlaws(domain="com.acme")), EMBEDDING)


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file named like a library it loads makes the child die as a broken model would."""
    for code, said in (
        ("import os; os.abort()", r"ended its own process \(signal SIGABRT\)"),
        ("import os; os.kill(os.getpid(), 9)", "wants more memory than the self-test allows"),
        ("raise SystemExit(3)", "could not be tested: its process failed"),
    ):
        (tmp_path / "onnx.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(ModelCheckError, match=said):
            check_model(embedder(), EMBEDDING)


def test_the_child_knows_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("import os, sys; sys.exit('seen: ' + ' '.join(sorted(os.environ)))")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AIQYN_REDIS_PASSWORD", "hunter2")
    with pytest.raises(ModelCheckError, match="seen: ") as caught:
        check_model(embedder(), EMBEDDING)
    assert "PASSWORD" not in str(caught.value)


def test_a_full_temporary_folder_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(
        ModelCheckError, match=r"cannot be tested: .*; make room there, or name another folder"
    ):
        check_model(embedder(), EMBEDDING)


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check_model(embedder(), EMBEDDING)
    with pytest.raises(ModelCheckError):
        check_model(b"x", EMBEDDING)
    assert list(tmp_path.iterdir()) == []


def test_margins_cross_over_with_their_progress() -> None:
    told: list[tuple[int, int]] = []
    faces = crowd(20, 2)
    report = check_margins(colour_embedder(SIDE), declared("rgb"), faces, lambda *step: told.append(step))
    assert report.answers[0].verdict == "wrong"
    assert told[-1] == (8 * len(faces.chips), 8 * len(faces.chips))
    assert np.all(np.diff([done for done, _ in told]) > 0)


ENDLESS = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it, and that is handed on
from pipelines.model_check import check_model
from pipelines.model_report import ModelQuestion
from tests.model_builders import endless
check_model(endless(), ModelQuestion("embedding"))
"""


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGHUP])
def test_a_model_without_end_does_not_outlive_who_asked(way: signal.Signals, tmp_path: Path) -> None:
    """Who is killed, or whose terminal is closed, cleans up nothing."""
    asking = subprocess.Popen([sys.executable, "-c", ENDLESS], env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        child = _soon(lambda: _children(asking.pid))[0]
        _soon(lambda: list(tmp_path.glob("*/stderr")))
        time.sleep(1)  # it loads its libraries
    finally:
        asking.send_signal(way)
        asking.wait()
    _soon(lambda: not _runs(child))


LIMITED = """
from pipelines.model_child import limit_this_process
limit_this_process(300_000_000)
try:
    held = bytearray(600_000_000)
except MemoryError:
    print("refused")
"""


def test_the_limit_on_memory_holds() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"


def _children(process_id: int | None = None) -> list[str]:
    """Processes of this one, or another, by number."""
    number = process_id or os.getpid()
    return Path(f"/proc/{number}/task/{number}/children").read_text().split()


def _runs(process_id: str) -> bool:
    """Whether a process does anything still; a dead one may wait for somebody to take notice."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _soon(answer: Callable[[], T]) -> T:
    """What is true within twenty seconds."""
    until = time.monotonic() + 20
    while not (found := answer()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found
