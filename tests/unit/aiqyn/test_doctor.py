"""`aiqyn doctor`: each check on machines that lack something, and the whole report on this one."""

from __future__ import annotations

import json
import socket
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from aiqyn.commands import doctor as command
from aiqyn.doctor import installation, libraries, machine
from aiqyn.doctor.examine import examine
from pipelines.config import Config
from pipelines.live.clock_check import KernelClock
from weights.catalog import load_catalog


def config(tmp_path: Path, **sections: object) -> Config:
    """Settings whose folders all lie in a folder of this test."""
    folders = {
        "data_dir": tmp_path / "data",
        "keys_dir": tmp_path / "keys",
        "weights_dir": tmp_path / "weights",
    }
    return Config.model_validate({"paths": folders, **sections})


def written(folder: Path, **files: str) -> Path:
    """A folder with these files; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_an_old_python_fails() -> None:
    assert machine.check_python((3, 10)).status == "fail"
    assert machine.check_python().status == "ok"


def test_a_processor_without_avx2_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert (
        "without AVX2"
        in machine.check_processor(written(tmp_path, cpuinfo="flags : sse2 avx"), tmp_path).found
    )


def test_a_share_of_a_core_is_seen(tmp_path: Path) -> None:
    cgroup = written(tmp_path, **{"cpu.max": "50000 100000\n"})
    assert machine.usable_cores(cgroup) == 0.5
    assert machine.check_processor(tmp_path / "none", cgroup).status == "warn"
    assert machine.usable_cores(written(tmp_path, **{"cpu.max": "max 100000\n"})) >= 1


@pytest.mark.parametrize(("available_kib", "status"), [(8_000_000, "ok"), (500_000, "warn")])
def test_memory(tmp_path: Path, available_kib: int, status: str) -> None:
    proc = written(tmp_path, meminfo=f"MemTotal: 9 kB\nMemAvailable:    {available_kib} kB\n")
    assert machine.check_memory(proc).status == status
    assert machine.check_memory(tmp_path / "none").status == "warn"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("", "ok"),
        ("/dev/zram0 partition 1 0 1", "ok"),
        ("/dev/sda2 partition 1 0 1", "warn"),
        ("/swapfile file 1 0 1", "warn"),
    ],
)
def test_swap_on_a_plain_disk_is_told(tmp_path: Path, line: str, status: str) -> None:
    assert (
        machine.check_swap(written(tmp_path, swaps=f"Filename Type Size Used Priority\n{line}\n")).status
        == status
    )


@pytest.mark.parametrize("pattern", ["|/lib/systemd/systemd-coredump %P", "core"])
def test_core_dumps(tmp_path: Path, pattern: str) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, limits[1]))
    try:
        found = machine.check_core_dumps(written(tmp_path, sys__kernel__core_pattern=pattern))
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    assert found.status == ("warn" if pattern.startswith("|") else "ok")


@pytest.mark.parametrize(
    ("kernel", "status", "said"),
    [
        (KernelClock(True, 0.012), "ok", "0.012 s"),
        (KernelClock(True, 3.0), "warn", "3.000 s"),
        (KernelClock(False, 16.0), "warn", "not synchronised"),
        (None, "warn", "not known"),
    ],
)
def test_the_clock(kernel: KernelClock | None, status: str, said: str) -> None:
    found = machine.judge_clock(kernel)
    assert found.status == status
    assert said in found.found


def test_disk_is_judged_where_the_folder_will_be(tmp_path: Path) -> None:
    found = machine.check_disk("data folder", tmp_path / "a/b")
    assert found.status in {"ok", "warn"}
    assert machine.existing_part(tmp_path / "a/b") == tmp_path


def test_a_folder_nobody_may_write_fails(tmp_path: Path) -> None:
    found = machine.check_disk("data folder", Path("/proc/aiqyn"))
    assert (found.status, "/proc" in found.found) == ("fail", True)


@pytest.mark.parametrize(
    ("builds", "status"),
    [
        (["opencv-python-headless"], "ok"),
        ([], "fail"),
        (["opencv-contrib-python", "opencv-python-headless"], "fail"),
    ],
)
def test_opencv(builds: list[str], status: str) -> None:
    assert libraries.judge_opencv(builds).status == status


@pytest.mark.parametrize(
    ("codecs", "status"),
    [
        ({"h264", "hevc", "mjpeg", "libx264"}, "ok"),
        ({"h264", "hevc", "mjpeg"}, "warn"),
        ({"mjpeg", "libx264"}, "fail"),
    ],
)
def test_codecs(codecs: set[str], status: str) -> None:
    assert libraries.judge_codecs("FFmpeg", frozenset(codecs)).status == status


def test_inference_runs_here_and_names_its_version() -> None:
    found = libraries.check_inference()
    assert found.status in {"ok", "warn"}
    assert metadata.version("onnxruntime") in found.found


def test_a_gpu_that_is_not_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not libraries.nvidia_present(tmp_path, tmp_path)
    written(tmp_path, driver__nvidia__version="x", nvidia0="")
    assert libraries.nvidia_present(tmp_path, tmp_path)
    monkeypatch.setattr(libraries, "nvidia_present", lambda: True)
    monkeypatch.setattr("vision.runtime.available_providers", lambda: ("CPUExecutionProvider",))
    assert "GPU that is not used" in libraries.check_inference().found


def test_cuda_that_is_installed_and_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    if libraries.nvidia_present():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(
        "vision.runtime.available_providers", lambda: ("CUDAExecutionProvider", "CPUExecutionProvider")
    )
    with pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        found = libraries.check_inference()
    assert (found.status, "cannot be used" in found.found) == ("warn", True)


def test_absent_and_damaged_weights_fail_with_the_command_to_run(tmp_path: Path) -> None:
    checks = list(installation.check_weights(config(tmp_path), load_catalog()))
    assert {check.status for check in checks} == {"fail"}
    assert "aiqyn weights pull centerface" in {check.fix for check in checks}
    unknown = config(tmp_path, models={"detector": None, "embedder": "none-such"})
    names = {check.name: check.found for check in installation.check_weights(unknown, load_catalog())}
    assert set(names) == {"weights centerface", "weights none-such"}
    assert "unknown id" in names["weights none-such"]


def test_keys(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert installation.check_keys(keys).fix == "aiqyn keys init"
    (keys / "api").mkdir(parents=True, mode=0o700)
    keys.chmod(0o700)
    secret = keys / "api/receipts.pem"
    secret.touch(mode=0o600)
    assert installation.check_keys(keys).found.endswith("1 files, closed to others")
    secret.chmod(0o640)
    assert installation.check_keys(keys).status == "fail"
    secret.chmod(0o600)
    (keys / "api").chmod(0o755)
    assert installation.check_keys(keys).status == "fail"


def test_no_redis_server_anywhere_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = installation.check_redis(config(tmp_path), load_catalog())
    assert (found.status, found.fix) == ("fail", "aiqyn weights pull redis-server")


def test_an_old_redis_server_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text(
        "#!/bin/sh\necho 'Redis server v=6.2.14 sha=0 malloc=libc bits=64'\n", encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = installation.check_redis(config(tmp_path), load_catalog())
    assert (found.status, "redis 6.2.14" in found.found) == ("warn", True)
    assert "lacks fixes" in (found.fix or "")


def test_a_redis_that_does_not_answer_fails_without_its_password(tmp_path: Path) -> None:
    settings = config(tmp_path, redis={"url": f"unix://{tmp_path}/none.sock", "password": "hunter2"})
    found = installation.check_redis(settings, load_catalog())
    assert found.status == "fail"
    assert "hunter2" not in str(found)


def test_the_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert installation.check_port(config(tmp_path, api={"port": port})).status == "warn"
    assert installation.check_port(config(tmp_path, api={"port": 0})).status == "ok"
    assert installation.check_port(config(tmp_path, api={"host": "192.0.2.1"})).status == "fail"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATA", "KEYS", "WEIGHTS"):
        monkeypatch.setenv(f"AIQYN_{name}_DIR", str(tmp_path / name.lower()))
    return tmp_path


def test_every_finding_that_is_not_well_says_what_to_do(environment: Path) -> None:
    checks = examine(None)
    assert [check.name for check in checks if check.status != "ok" and not check.fix] == []
    assert len({check.name for check in checks}) == len(checks)


def test_the_command_prints_one_document_and_fails_where_something_fails(environment: Path) -> None:
    app = typer.Typer()
    command.register(app)
    done = CliRunner().invoke(app, ["--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == 1, "no weights in this environment"
    assert document["counts"]["fail"] >= 3
    assert {check["status"] for check in document["checks"]} <= {"ok", "warn", "fail"}
    assert CliRunner().invoke(app, []).stdout.splitlines()[0].startswith("ok    python")


def test_wrong_settings_are_a_finding_and_not_the_end(environment: Path) -> None:
    path = environment / "aiqyn.yaml"
    path.write_text("api:\n  prt: 1\n", encoding="utf-8")
    settings = next(check for check in examine(path) if check.name == "settings")
    assert settings.status == "fail"
    assert f"{path}:2: api.prt" in settings.found


def test_looking_changes_nothing(environment: Path) -> None:
    examine(None)
    assert list(environment.iterdir()) == []
    assert sys.executable
