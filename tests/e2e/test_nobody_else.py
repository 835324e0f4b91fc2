"""Everyone else is nobody: after a run no template is anywhere but in the process that made it.

Every template the run computed is looked for, of strangers and of the listed, in every file it left
behind, in what it printed and logged, and live in Redis' own files. Runs that leak on purpose, one in
each encoding and place, show that the search would find it.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import pickle
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.analyze import AnalyzeOptions
from pipelines.analyze_run import AnalyzeRequest, Listeners, RunResult, run_analysis
from pipelines.build import Perception, PerceptionOptions, build_perception
from pipelines.config import load_config
from tests.fake_engine import FakeEmbedder, fake_quality
from tests.fake_footage import standing, write_reference, write_video
from tests.template_scan import Leak, TemplateScanner
from tests.worker_bench import ANN, STRANGER, Bench, make_perception
from vision.face.base import Embedder
from vision.types import Float32, Image
from weights.catalog import load_catalog
from weights.store import WeightStore


@dataclass
class Remembering:
    """An embedder that keeps what it made, so that the test knows what to look for; and may leak it."""

    inner: Embedder
    leak: Callable[[Float32], None] = lambda _: None
    made: list[Float32] = field(default_factory=list)

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        rows = self.inner.embed(image, landmarks)
        for row in rows:
            self.made.append(row.copy())
            self.leak(row)
        return rows


class Quiet:
    """Listens to a run and says nothing."""

    def input_started(self, path: Path) -> None: ...

    def reached(self, media_seconds: float) -> None: ...

    def input_ended(self, result: object) -> None: ...


def analyze(perception: Perception, video: Path, watchlist: Path, out: Path) -> RunResult:
    request = AnalyzeRequest((video,), watchlist, AnalyzeOptions(explain=True), out)
    result = run_analysis(request, perception, Listeners(Quiet(), lambda _: None, lambda _: None))
    # What `--json` prints, and what a debugger or a log line would make of the result.
    print(json.dumps(result.analysis.document()))  # noqa: T201
    print(repr(result))  # noqa: T201
    return result


def leaks(made: list[Float32], folder: Path, printed: str) -> list[Leak]:
    scanner = TemplateScanner(np.stack(made))
    return scanner.scan_paths([folder]) + scanner.scan_text(printed, "printed")


@pytest.mark.system  # takes its time
@pytest.mark.evaldata
@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_analyze_leaves_no_template_behind(
    eval_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    perception = build_perception(store, PerceptionOptions(detector=None))
    embedder = Remembering(perception.embedder)
    watchlist = tmp_path / "list"
    watchlist.mkdir()
    hamilton = eval_data / "faces" / "hamilton"
    (watchlist / "obama").symlink_to(hamilton / "references" / "barack-obama")
    out = tmp_path / "out"
    result = analyze(
        replace(perception, embedder=embedder), hamilton / "short_hamilton_clip.mp4", watchlist, out
    )
    assert len(result.analysis.tracks or ()) > 10  # most of them on no list
    assert len(embedder.made) > 50
    assert leaks(embedder.made, out, "".join(capfd.readouterr()) + caplog.text) == []


PaintedRun = Callable[[Callable[[Path, Float32], None]], list[Leak]]


@pytest.fixture
def painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaintedRun:
    """A run over painted people, one listed and one not, with a leak of the test's choice."""
    watchlist = tmp_path / "list"
    write_reference(watchlist, "ann", ANN)
    video = write_video(tmp_path / "in" / "a.mkv", [[standing(ANN, 20), standing(STRANGER, 200)]] * 8)
    out = tmp_path / "out"
    out.mkdir()

    def run(leak: Callable[[Path, Float32], None]) -> list[Leak]:
        embedder = Remembering(FakeEmbedder(), lambda row: leak(out, row))
        result = analyze(replace(make_perception(), embedder=embedder), video, watchlist, out)
        assert [track.frames_fused for track in result.analysis.tracks or ()] == [8, 8]
        assert [candidate.subject_id for candidate in result.analysis.candidates] == ["ann"]
        return leaks(embedder.made, out, "")

    monkeypatch.setattr("tests.worker_bench.FakePerception.engines", Perception.engines)
    monkeypatch.setattr("pipelines.build.measure", fake_quality)
    return run


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(content)


def into_sqlite(path: Path, value: bytes | str) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute("create table if not exists seen (value)")
        database.execute("insert into seen values (?)", (value,))
    database.close()


def npz(row: Float32) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, row=row)
    return buffer.getvalue()


LEAKS: dict[str, Callable[[Path, Float32], None]] = {
    "2-byte floats": lambda out, row: append(out / "spool.bin", b"\x01" + row.astype("<f2").tobytes()),
    "4-byte floats": lambda out, row: append(out / "spool.bin", b"\x01\x02\x03" + row.tobytes()),
    "8-byte floats": lambda out, row: append(out / "spool.bin", row.astype("<f8").tobytes()),
    "pickle": lambda out, row: append(out / "dump.pickle", pickle.dumps({"track": 2, "template": row})),
    "npz": lambda out, row: append(out / f"{abs(hash(row.tobytes()))}.npz", npz(row)),
    "base64": lambda out, row: append(out / "queue.txt", b'"' + base64.b64encode(row.tobytes()) + b'"\n'),
    "JSON": lambda out, row: append(out / "log.jsonl", json.dumps({"v": row.tolist()}).encode() + b"\n"),
    "a log line": lambda out, row: append(out / "a.log", np.array2string(row, threshold=9999).encode()),
    "gzip": lambda out, row: append(out / "log.gz", gzip.compress(json.dumps(row.tolist()).encode())),
    "zlib": lambda out, row: append(out / "cache", zlib.compress(row.tobytes())),
    "SQLite": lambda out, row: into_sqlite(out / "a.db", row.tobytes()),
    "SQLite, JSON": lambda out, row: into_sqlite(out / "a.db", json.dumps(row.tolist())),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_run_that_leaks_is_caught(painted: PaintedRun, leak: str) -> None:
    assert painted(LEAKS[leak])


def test_the_same_run_without_the_leak_is_clean(painted: PaintedRun) -> None:
    assert painted(lambda _out, _row: None) == []


def test_a_worker_leaves_no_template_in_redis_spool_evidence_or_log(
    redis_server: EmbeddedRedis,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    made = _work(Bench(tmp_path, redis_server), leaky=False)
    assert len(made) >= 6
    assert leaks(made, tmp_path, "".join(capfd.readouterr()) + caplog.text) == []


def test_a_worker_that_leaks_into_redis_is_caught(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    made = _work(Bench(tmp_path, redis_server), leaky=True)
    assert leaks(made, tmp_path, "")


def _work(bench: Bench, *, leaky: bool) -> list[Float32]:
    """A listed and an unlisted person pass a live worker; what it computed of them."""
    remembering = RememberingFake()
    bench.perception = replace(bench.perception, embedder=remembering)
    bench.add_recording("gate", [ANN, STRANGER])
    bench.publish()
    bench.run()
    (candidate,) = bench.candidates()
    assert candidate.subject_id == "s-ann"
    worker: Any = bench.redis
    if leaky:  # by the worker's own user: on Redis 7 the service's may only read that stream
        worker.xadd("aiqyn:candidates", {"event": json.dumps(remembering.made[-1].tolist())})
    bench.close()
    return remembering.made


class RememberingFake(FakeEmbedder):
    """The fake, keeping what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Float32] = []

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        """See `vision.face.base.Embedder.embed`."""
        rows = super().embed(image, landmarks)
        self.made += [row.copy() for row in rows]
        return rows
