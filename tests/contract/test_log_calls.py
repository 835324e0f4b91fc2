"""Every log call there is: what it passes under which name, and that nothing hostile in it would be written down."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import structlog

from pipelines.logs import HIDDEN, log_to_stderr
from tests.contract.project import SHIPPED, SourceFile, source_files

LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
LOGGERS = frozenset({"_log", "log", "logger"})
ALIASES = frozenset({"log", "tell"})
FORBIDDEN = re.compile(
    r"(^|_)(password|secret|token|template|embedding|portrait|image|frame|picture|landmarks|subject_name|username"
    r"|full_name|display_name|address|url|source)$"
)
"""What no argument of a log call may be read from: the thing itself. Ids, counts, reasons and shapes are fine."""

PASSWORD, NAME, NUMBER = "hunter2-Qyzyl", "Akmaral Zhaksybekova", "0.123456"
HOSTILE = {
    "address": f"cannot open rtsp://viewer:{PASSWORD}@10.0.0.7/stream",
    "assigned": f"password={PASSWORD}",
    "bearer": f"Authorization: Bearer {PASSWORD}",
    "array": np.full(512, float(NUMBER), np.float32),
    "row": [float(NUMBER)] * 512,
    "bytes": NUMBER.encode(),
    "nested": {"token": PASSWORD, "name": NAME, "row": [float(NUMBER)] * 5},
    "error": OSError(f"redis://:{PASSWORD}@bus"),
}


@dataclass(frozen=True, slots=True)
class LogCall:
    """One call: where, at which level, its event, and the expression of each argument."""

    place: str
    level: str
    event: str
    arguments: dict[str, ast.expr]


def calls_of(file: SourceFile) -> Iterator[LogCall]:
    """The log calls of a file."""
    for node in ast.walk(file.tree()):
        if not isinstance(node, ast.Call):
            continue
        level = _level(node)
        if level is not None:
            event = ast.unparse(node.args[0]) if node.args else ""
            arguments = {one.arg or "**": one.value for one in node.keywords}
            yield LogCall(f"{file.path}:{node.lineno}", level, event, arguments)


def _level(call: ast.Call) -> str | None:
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr in LEVELS:
        return function.attr if ast.unparse(function.value) in LOGGERS else None
    # `tell = _log.info if before else _log.error`, and then an event; other things are told, too.
    event = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    is_event = isinstance(event, str) and re.fullmatch(r"[a-z][a-z0-9_]*", event)
    return "info" if isinstance(function, ast.Name) and function.id in ALIASES and is_event else None


def read_from(expression: ast.expr) -> set[str]:
    """The last names an expression's values are read from, not those of functions it calls."""
    called = {id(node.func) for node in ast.walk(expression) if isinstance(node, ast.Call)}
    inside = {
        id(inner) for node in ast.walk(expression) if isinstance(node, ast.Call) for inner in node.args
        if ast.unparse(node.func) in {"len", "type", "redact_url"}
    }  # fmt: skip
    names: set[str] = set()
    for node in ast.walk(expression):
        if id(node) in called or id(node) in inside:
            continue
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Name):
            names.add(node.id)
    return names


def problems(call: LogCall) -> list[str]:
    """What a log call must not do."""
    found = []
    if not re.fullmatch(r"'[a-z][a-z0-9_]*'( if .* else '[a-z][a-z0-9_]*')?", call.event):
        found.append(f"{call.place}: the event is no plain word: {call.event}")
    if "**" in call.arguments:
        found.append(f"{call.place}: passes whatever it was given")
    for name, value in call.arguments.items():
        if FORBIDDEN.search(name) or any(FORBIDDEN.search(one) for one in read_from(value)):
            found.append(f"{call.place}: {name}={ast.unparse(value)}")
    return found


@pytest.fixture(scope="module")
def calls() -> list[LogCall]:
    return [call for file in source_files(*SHIPPED) for call in calls_of(file)]


def test_there_are_log_calls(calls: list[LogCall]) -> None:
    assert len(calls) > 25


def test_every_call_passes_ids_counts_and_reasons(calls: list[LogCall]) -> None:
    assert [problem for call in calls for problem in problems(call)] == []


@pytest.mark.parametrize(
    "text",
    [
        '_log.info("told", subject_name=row.x)',
        '_log.info("told", reason=row.subject_name)',
        '_log.info("told", camera_id=camera.source)',
        '_log.info("told", place=config.address)',
        '_log.info("told", who=account.username)',
        '_log.info("told", values=package.template)',
        '_log.info("told", **fields)',
        '_log.info(f"told {name}")',
        'tell("told", token=x)',
    ],
)
def test_a_call_that_says_too_much_is_caught(text: str) -> None:
    (call,) = calls_of(SourceFile("sample.py", text))
    assert problems(call)


@pytest.mark.parametrize(
    "text",
    [
        '_log.error("failed", error=type(error).__name__)',
        '_log.info("opened", templates=len(package.template))',
        '_log.warning("lost", camera_id=self.camera_id, reason=str(error))',
        '_log.info("a" if more else "b", count=3)',
    ],
)
def test_a_call_that_does_not_is_not(text: str) -> None:
    (call,) = calls_of(SourceFile("sample.py", text))
    assert problems(call) == []


def test_whatever_a_call_is_given_nothing_hostile_is_written(calls: list[LogCall]) -> None:
    """Every argument of every call in turn holds each hostile thing; the second line of defence must hold."""
    root = logging.getLogger()
    handlers, level, out = list(root.handlers), root.level, io.StringIO()
    try:
        log_to_stderr(out, {"AIQYN_LOG_FORMAT": "json"})
        log = structlog.get_logger("test")
        for call in calls:
            for hostile in HOSTILE.values():
                log.error("event", **dict.fromkeys(call.arguments, hostile))
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
    written = out.getvalue()
    assert len(written.splitlines()) == len(calls) * len(HOSTILE)
    assert [one for one in (PASSWORD, NAME, NUMBER) if one in written] == []
    assert HIDDEN in written
    assert all(json.loads(line)["event"] == "event" for line in written.splitlines()[:100])
