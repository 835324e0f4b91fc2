"""The demo from the command line: real footage, models, Redis, API, worker, two operators, a verified receipt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiqyn.demo.footage.cast import picture_ids
from aiqyn.demo.setup import INFERENCE_FPS
from pipelines.build import build_embedder, build_face_detector
from pipelines.config import load_config
from tests.template_scan import TemplateScanner
from vision.types import Float32
from vision.video import open_source
from weights.catalog import load_catalog
from weights.store import WeightStore

pytestmark = pytest.mark.system  # takes its time

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


@pytest.fixture(scope="module")
def templates(summary: dict[str, Any]) -> Float32:
    """Templates of every face the worker can have seen in the clip, listed or not, (N, D)."""
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    detector, embedder = (
        build_face_detector(store, "centerface"),
        build_embedder(store, "mobilefacenet-faceplugin"),
    )
    rows, due_seconds = [], 0.0
    with open_source(str(summary["folder"] / "footage" / "footage.mp4")) as source:
        for frame in source:
            if frame.pts_seconds < due_seconds:
                continue
            due_seconds = frame.pts_seconds + 1 / INFERENCE_FPS - 1e-6
            faces = detector.detect(frame.image)
            if len(faces):
                rows.append(embedder.embed(frame.image, faces.landmarks))
    return np.concatenate(rows)


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


@pytest.mark.models(*MODELS)
def test_nobodys_template_lies_anywhere(summary: dict[str, Any], templates: Float32) -> None:
    """Database and its journal, Redis' append-only file, spool, sealed evidence, logs, keys, summary."""
    folder: Path = summary["folder"]
    assert len(templates) > 100
    scanner = TemplateScanner(templates)
    read = [path.relative_to(folder).parts[1] for path in (folder / "data").rglob("*") if path.is_file()]
    assert {"aiqyn.db", "redis", "evidence", "logs"} <= set(read)
    assert scanner.scan_paths([folder / "data", folder / "keys", folder / "aiqyn.yaml"]) == []
    assert scanner.scan_text(json.dumps({name: summary[name] for name in summary if name != "folder"})) == []


@pytest.mark.models(*MODELS)
def test_a_template_beside_them_is_found(summary: dict[str, Any], templates: Float32, tmp_path: Path) -> None:
    """Else the scan above could be blind."""
    database = (summary["folder"] / "data" / "aiqyn.db").read_bytes()
    leaky = tmp_path / "aiqyn.db"
    leaky.write_bytes(
        database[:777] + templates[len(templates) // 2].astype("<f4").tobytes() + database[777:]
    )
    assert TemplateScanner(templates).scan_paths([leaky])
