"""The thread budget: how it is divided, what limits it, and that the libraries really obey."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from pydantic import ValidationError

from pipelines.config_worker import WorkerConfig
from pipelines.thread_budget import (
    ThreadPlan,
    apply_threads,
    plan_threads,
    quota_cpus,
    threads_in_force,
    usable_cpus,
)
from pipelines.thread_variables import thread_variables

CPU = ("CPUExecutionProvider",)
CUDA = ("CUDAExecutionProvider",)


@pytest.mark.parametrize(
    ("settings", "cpus", "plan"),
    [
        pytest.param({}, 2, ThreadPlan(2, 2, 1, 1, 1, 0.002), id="one thread a frame"),
        pytest.param({}, 1, ThreadPlan(1, 1, 1, 1, 1, 0.002), id="one core"),
        pytest.param({"threads": 6}, 16, ThreadPlan(6, 6, 1, 1, 1, 0.002), id="less than there is"),
        pytest.param({"intra_op_threads": 4}, 16, ThreadPlan(16, 4, 4, 4, 1, 0.002), id="four in a frame"),
        pytest.param({"intra_op_threads": 8}, 2, ThreadPlan(2, 1, 2, 2, 1, 0.002), id="more than there is"),
        pytest.param({"inference_threads": 1}, 8, ThreadPlan(8, 1, 1, 8, 1, 0.002), id="one frame"),
        pytest.param({"max_batch": 4}, 2, ThreadPlan(2, 4, 1, 1, 4, 0.002), id="who waits does not run"),
        pytest.param({"providers": CUDA}, 4, ThreadPlan(4, 8, 1, 1, 8, 0.002), id="a GPU joins calls"),
        pytest.param(
            {"providers": CUDA, "max_batch": 1}, 4, ThreadPlan(4, 4, 1, 1, 1, 0.002), id="unless told not to"
        ),
    ],
)
def test_how_the_budget_is_divided(settings: dict[str, object], cpus: int, plan: ThreadPlan) -> None:
    assert plan_threads(WorkerConfig.model_validate({"providers": CPU, **settings}), cpus) == plan


@pytest.mark.parametrize("cpus", [1, 2, 3, 5, 8, 64])
@pytest.mark.parametrize("intra_op", [1, 2, 3, 8])
@pytest.mark.parametrize("at_once", [None, 1, 2, 100])
def test_never_more_threads_than_the_budget(cpus: int, intra_op: int, at_once: int | None) -> None:
    worker = WorkerConfig(providers=CPU, intra_op_threads=intra_op, inference_threads=at_once)
    plan = plan_threads(worker, cpus)
    within_a_frame = max(plan.intra_op_threads, plan.library_threads)
    assert plan.inference_threads * within_a_frame <= plan.budget == cpus


def test_a_budget_that_is_overdrawn_is_refused() -> None:
    with pytest.raises(ValidationError, match="is 6, more than threads"):
        WorkerConfig(threads=4, inference_threads=3, intra_op_threads=2)


@pytest.fixture
def restored() -> Iterator[None]:
    before = threads_in_force()
    yield
    apply_threads(max([before.opencv, *before.blas.values()]))


def test_the_libraries_say_what_they_were_told(restored: None) -> None:
    for threads in (1, 2):
        told = apply_threads(threads)
        assert told == threads_in_force()
        assert told.opencv == cv2.getNumThreads() == threads
        assert told.blas, "NumPy brings an OpenBLAS"
        assert set(told.blas.values()) == {threads}


CHILD = """
import json, os, sys
import numpy as np
from pipelines.thread_budget import apply_threads, threads_in_force
if sys.argv[1] != "by variables":
    apply_threads(int(sys.argv[1]))
a = np.ones((600, 600))
for _ in range(20):
    a @ a
force = threads_in_force()
print(json.dumps([force.opencv, sorted(set(force.blas.values())), len(os.listdir("/proc/self/task"))]))
"""


def in_a_child(how: str, **environment: str) -> tuple[int, list[int], int]:
    kept = {name: value for name, value in os.environ.items() if name not in thread_variables(1)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, how],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    opencv, blas, tasks = json.loads(done.stdout)
    return opencv, blas, tasks


def test_a_child_with_the_variables_starts_no_threads_at_all() -> None:
    assert in_a_child("by variables", **thread_variables(1)) == (1, [1], 1)


def test_a_child_obeys_what_it_is_told_while_it_runs() -> None:
    opencv, blas, _ = in_a_child("1", **thread_variables(2))
    assert (opencv, blas) == (1, [1])


def group(root: Path, name: str, files: dict[str, str]) -> None:
    folder = root / name.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text, "ascii")


V2 = "0::/site/cameras\n"
V1 = "4:memory:/m\n3:cpu,cpuacct:/site\n"


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        pytest.param(V2, {"site/cameras": {"cpu.max": "150000 100000\n"}}, 1.5, id="of its own"),
        pytest.param(
            V2,
            {"site": {"cpu.max": "200000 100000"}, "site/cameras": {"cpu.max": "max 100000"}},
            2,
            id="of one above",
        ),
        pytest.param(
            V2,
            {"site": {"cpu.max": "50000 100000"}, "site/cameras": {"cpu.max": "300000 100000"}},
            0.5,
            id="the least",
        ),
        pytest.param("0::/\n", {"": {"cpu.max": "400000 100000"}}, 4, id="inside a container"),
        pytest.param(V2, {"site/cameras": {"cpu.max": "max 100000"}}, None, id="no limit"),
        pytest.param(V2, {}, None, id="nothing mounted"),
        pytest.param(V2, {"site/cameras": {"cpu.max": "nonsense"}}, None, id="nonsense"),
        pytest.param(
            V1,
            {"cpu,cpuacct/site": {"cpu.cfs_quota_us": "300000", "cpu.cfs_period_us": "100000"}},
            3,
            id="version 1",
        ),
        pytest.param(
            "1:cpu:/\n",
            {"cpu": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}},
            None,
            id="version 1, none",
        ),
    ],
)
def test_what_control_groups_allow(
    tmp_path: Path, groups: str, files: dict[str, dict[str, str]], quota: float | None
) -> None:
    (tmp_path / "groups").write_text(groups, "ascii")
    for name, content in files.items():
        group(tmp_path / "mounted", name, content)
    assert quota_cpus(tmp_path / "groups", tmp_path / "mounted") == quota


def test_no_groups_at_all(tmp_path: Path) -> None:
    assert quota_cpus(tmp_path / "none", tmp_path) is None


def test_this_process_may_use_a_cpu() -> None:
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)
