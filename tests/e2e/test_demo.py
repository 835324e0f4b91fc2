"""The demo from the command line: real footage, models, Redis, API, worker, two operators, a verified receipt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aiqyn.demo.footage.cast import picture_ids

MODELS = ("centerface", "mobilefacenet-faceplugin", "yolov3-tiny", "redis-server", *picture_ids())


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `aiqyn demo --once --json` printed, with the folder it ran in."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    command = [sys.executable, "-m", "aiqyn", "demo", "--once", "--json", "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    document: dict[str, Any] = json.loads(done.stdout)
    return {**document, "folder": folder}


@pytest.mark.models(*MODELS)
def test_one_candidate_is_confirmed_and_the_control_rejected(summary: dict[str, Any]) -> None:
    assert summary["passed"]
    assert summary["problems"] == []
    assert summary["controls"] == ["rejected"]
    assert [item["verified"] for item in summary["confirmed"]] == [True]


@pytest.mark.models(*MODELS)
def test_its_receipt_verifies_with_the_command_and_the_public_key_alone(
    summary: dict[str, Any], tmp_path: Path
) -> None:
    receipt = tmp_path / "receipt.jws"
    receipt.write_text(summary["confirmed"][0]["receipt"])
    key = tmp_path / "public.json"
    key.write_bytes((summary["folder"] / "keys" / "api" / "receipts.jwks.json").read_bytes())
    command = [sys.executable, "-m", "aiqyn", "receipt", "verify", str(receipt), "--key", str(key), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    receipt.write_text(summary["confirmed"][0]["receipt"][:-8] + "AAAAAAAA")
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0


@pytest.mark.models(*MODELS)
def test_no_name_of_the_list_stands_in_the_clear(summary: dict[str, Any]) -> None:
    data = summary["folder"] / "data"
    holding = [path for path in data.rglob("*") if path.is_file() and b"sample-person" in path.read_bytes()]
    assert holding == []
