"""The benchmark of a whole run: what is divided by what, and a real run in a process of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.pipeline import PipelineBench, Round, measure
from bench.pipeline_child import Ran, Threads
from pipelines.config import load_config
from pipelines.errors import PipelineError
from tests.builders import write_video
from vision.images import decode_image
from weights.catalog import load_catalog
from weights.store import WeightStore

RAN = Ran(
    total_seconds=11.0,
    decode_seconds=2.0,
    model_seconds={"detector": 5.0, "embedder": 3.0},
    cpu_seconds=11.0,
    busy_share=1.0,
    frames=100,
    result_sha256="a",
)
TWICE = replace(RAN, total_seconds=5.5, cpu_seconds=11.5, busy_share=0.98)


def test_the_figures_are_those_of_the_line() -> None:
    one = Round(RAN, TWICE)
    assert one.ratio == pytest.approx(11 / (2 + 5 + 3))
    assert one.speedup == 2
    assert one.undisturbed_speedup == pytest.approx(2 * 0.98 * 11 / 11.5)


def test_the_median_of_the_rounds_counts() -> None:
    rounds = tuple(Round(RAN, replace(TWICE, total_seconds=seconds)) for seconds in (11.0, 5.5, 1.1))
    found = PipelineBench("a.mp4", 10, rounds)
    assert found.speedup == 2
    assert found.document()["identical"] is True
    assert json.dumps(found.document())


def test_one_run_that_said_something_else_is_told() -> None:
    different = Round(RAN, replace(TWICE, result_sha256="b"))
    assert not PipelineBench("a.mp4", 10, (Round(RAN, TWICE), different)).identical


def test_a_machine_of_one_core_has_no_speed_up() -> None:
    found = PipelineBench("a.mp4", 10, (Round(RAN, None),))
    assert (found.speedup, found.undisturbed_speedup, found.identical) == (None, None, True)


def test_time_of_threads_is_counted() -> None:
    threads = Threads()
    sum(range(3_000_000))
    threads.look()
    assert threads.seconds > 0


@pytest.fixture
def store() -> WeightStore:
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "aiqyn.yaml"
    path.write_text("models: {detector: null}\n", "utf-8")
    return path


@pytest.mark.system  # takes its time
@pytest.mark.models("centerface", "mobilefacenet-faceplugin", "photo-eileen-collins")
def test_runs_in_processes_of_their_own(tmp_path: Path, store: WeightStore, config: Path) -> None:
    photograph = store.read("photo-eileen-collins")
    (tmp_path / "list" / "collins").mkdir(parents=True)
    (tmp_path / "list" / "collins" / "1.jpg").write_bytes(photograph)
    picture = np.asarray(cv2.resize(decode_image(photograph), (320, 240)), np.uint8)
    video = write_video(tmp_path / "film.mp4", [picture] * 4, fps=5)
    told: list[str] = []
    found = measure(video, tmp_path / "list", told.append, rounds=1, config=config)
    assert [ran.frames for one in found.rounds for ran in (one.one, one.two) if ran] == [4] * len(told)
    assert told[0] == "film.mp4 on 1 core"
    assert found.identical
    seconds = found.rounds[0].one.model_seconds
    assert set(seconds) == {"centerface", "mobilefacenet-faceplugin"}
    assert 0 < sum(seconds.values()) < found.rounds[0].one.total_seconds
    assert found.ratio > 0


@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_a_run_that_fails_says_why(tmp_path: Path, config: Path) -> None:
    (tmp_path / "list" / "nobody").mkdir(parents=True)
    with pytest.raises(PipelineError, match=r"none\.mp4: the run failed: .*none\.mp4"):
        measure(tmp_path / "none.mp4", tmp_path / "list", lambda _: None, rounds=1, config=config)
