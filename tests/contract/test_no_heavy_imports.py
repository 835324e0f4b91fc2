"""What `aiqyn --help` may load: nothing that takes long or could fail for want of a library."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from aiqyn.cli import COMMANDS

HEAVY = frozenset({
    "alembic", "av", "cryptography", "cv2", "fastapi", "fsspec", "httpx", "joserfc", "matplotlib", "numpy", "onnx",
    "onnxruntime", "PIL", "psycopg", "pycocotools", "pydantic", "redis", "scipy", "sqlalchemy", "structlog",
    "trackeval", "uvicorn",
})  # fmt: skip


def heavy_modules_after(statement: str) -> set[str]:
    """Which heavy packages a fresh Python has loaded after a statement."""
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1])) & HEAVY


def test_the_front_door_opens_without_heavy_modules() -> None:
    assert heavy_modules_after("import aiqyn.cli") == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_registering_a_command_loads_no_heavy_module(name: str) -> None:
    statement = f"import aiqyn.cli, aiqyn.commands.{name} as command; command.register(aiqyn.cli.app)"
    assert heavy_modules_after(statement) == set()


@pytest.mark.parametrize("room", ["vision", "weights", "pipelines", "api", "aiqyn", "bench"])
def test_importing_a_room_loads_nothing_and_prints_nothing(room: str) -> None:
    assert heavy_modules_after(f"import {room}") == set()


def test_a_heavy_module_would_be_seen() -> None:
    assert heavy_modules_after("import pipelines.config") >= {"pydantic"}
