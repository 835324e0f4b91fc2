"""The benchmark of perception: both sides are really called, and what was fed is what the bare model gets."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from aiqyn.commands.bench import register
from bench import vision_calls, vision_frames, vision_search
from bench.side_by_side import compare
from pipelines.build import tracker_factory
from pipelines.config import load_config
from weights.catalog import load_catalog
from weights.store import WeightStore


def test_both_sides_are_called_as_often_and_in_turn() -> None:
    order: list[str] = []
    found = compare(lambda: order.append("ours"), lambda: order.append("bare"), rounds=4)
    assert found.rounds == 4
    assert order == ["bare", "ours"] * 2 + ["ours", "bare"] + ["bare", "ours"] + ["ours", "bare"]


def test_a_slower_side_is_told() -> None:
    found = compare(lambda: sum(range(60_000)), lambda: sum(range(3_000)), rounds=15)
    assert found.ratio > 4
    assert found.extra_us > 0


@pytest.mark.models("centerface")
def test_the_bare_call_is_given_what_ours_was() -> None:
    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    session = vision_calls.RecordingSession(store.read("centerface"))
    session.recording = True
    image = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    ours = session.run({session.inputs[0].name: image})
    (fed,) = session.fed
    bare = vision_calls.bare_session(store.read("centerface")).run(None, fed)
    for mine, theirs in zip(ours, bare, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_search_is_compared_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_search, "SIZES", (10, 200))
    found = list(vision_search.measure(rounds=2))
    assert [(call.templates, call.templates_per_subject, call.probes) for call in found] == [
        (10, 1, 1), (10, 4, 1), (10, 1, 8), (200, 1, 1), (200, 4, 1), (200, 1, 8),
    ]  # fmt: skip


def test_fifty_faces_are_followed_and_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_frames, "FRAMES", 20)
    cost = vision_frames.measure(tracker_factory("oc-sort", 0.35, confirm_hits=1), "mobilefacenet-faceplugin")
    assert cost.looks >= 100  # else nothing was measured
    assert cost.mean_ms > 0


@pytest.mark.system  # takes its time
@pytest.mark.models("centerface", "mobilefacenet-faceplugin")
def test_the_command_prints_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision_search, "SIZES", (10,))
    monkeypatch.setattr(vision_frames, "FRAMES", 5)
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["bench", "vision", "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    models = {call["model"] for call in document["models"]}
    assert {"centerface", "mobilefacenet-faceplugin"} <= models
    assert all(call["figures"]["bare_us"] > 0 for call in document["models"])
