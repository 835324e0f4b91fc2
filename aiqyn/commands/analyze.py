"""`aiqyn analyze VIDEO… --watchlist DIR`: recorded footage searched for listed people, without a service.

Terminal and video show candidate numbers, never names: a name shown beside a number becomes a fact in
the reader's mind before anybody has looked. The names are in the JSON.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import ALL_DONE, NOTHING_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from pipelines.analysis import Thresholds
    from pipelines.analyze import AnalyzeOptions
    from pipelines.analyze_run import AnalyzeRequest, RunResult
    from pipelines.build import Perception
    from pipelines.config import Config
    from pipelines.thread_budget import ThreadPlan

MAX_THREADS = 16
"""At work on one file: what can only be done frame after frame is about one part in sixteen of all."""

EARLIEST_YEAR, LATEST_YEAR = 1970, 9000
"""Of a recording's begin: what follows in it must still be a date."""


group = typer.Typer()


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.add_typer(group)


@group.command("analyze")
def analyze(  # noqa: PLR0913 - a command's options are its user's
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Files, or folders of them.")],
    watchlist: Annotated[
        Path, typer.Option("--watchlist", help="Folder with one sub-folder of pictures per subject.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell whom every track resembled, found or not.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for evidence, annotated video and manifest; repeat to go on."),
    ] = None,
    recorded_at: Annotated[
        str | None, typer.Option("--recorded-at", help="Time of the first frame: 2026-05-01T12:00:00+05:00")
    ] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help="What for; kept in the manifest.")] = None,
    fps: Annotated[
        float, typer.Option("--fps", min=0, help="Frames a second the models see; 0 for every frame.")
    ] = 10.0,
    detector: Annotated[
        str | None, typer.Option("--detector", help="Model for people and vehicles, or `none`.")
    ] = None,
    embedder: Annotated[str | None, typer.Option("--embedder", help="Model that compares faces.")] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, max=256, help="Threads that work at once; else all CPUs."),
    ] = None,
    false_alerts: Annotated[
        float | None,
        typer.Option("--false-alerts-per-1000-faces", help="Wanted rate; sets the threshold."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file; else aiqyn.yaml.")] = None,
) -> None:
    """Searches recorded footage for the people of a list; what it finds is unconfirmed."""
    from pipelines.analyze_run import AnalyzeRequest

    settings = _settings(config)
    models = settings.models
    chosen = settings.model_copy(
        update={
            "models": models.model_copy(
                update={
                    "detector": _detector(detector, models.detector),
                    "embedder": embedder or models.embedder,
                }
            ),
            "worker": settings.worker.model_copy(update={"threads": threads or settings.worker.threads}),
        }
    )
    rate = settings.identification.false_alerts_per_1000_faces if false_alerts is None else false_alerts
    plan = _plan(chosen)
    options = replace(
        _options(chosen, fps, rate, _time(recorded_at), explain=explain), threads=plan.inference_threads
    )
    request = AnalyzeRequest(tuple(videos), watchlist, options, out, purpose)
    result = _run(request, _perception(chosen, plan))
    _show(result, out, as_json=as_json)
    raise typer.Exit(_exit_code(result))


def _settings(path: Path | None) -> Config:
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError

    try:
        return load_config(path or default_config_path())
    except ConfigError as error:
        fail(str(error))


def _detector(asked: str | None, configured: str | None) -> str | None:
    if asked is None:
        return configured
    return None if asked.lower() == "none" else asked


def _plan(config: Config) -> ThreadPlan:
    """How this process divides its threads; told to the libraries, too."""
    from pipelines.thread_budget import apply_threads, plan_threads

    plan = plan_threads(config.worker)
    apply_threads(plan.library_threads)
    return replace(plan, inference_threads=min(plan.inference_threads, MAX_THREADS))


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--recorded-at: {text!r} is no RFC 3339 time; write for example 2026-05-01T12:00:00+05:00")
    if moment.tzinfo is None:
        fail(f"--recorded-at: {text!r} lacks its offset from UTC; add for example +05:00, or Z")
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        fail(f"--recorded-at: {text!r} is not a time of a recording; give a year from 1970 to 9000")
    return moment


def _options(
    config: Config, fps: float, rate: float, recorded_at: datetime | None, *, explain: bool
) -> AnalyzeOptions:
    from pipelines.analyze import AnalyzeOptions
    from pipelines.session import SessionOptions

    if not math.isfinite(fps):
        fail(f"--fps must be a number of frames a second, got {fps}")
    if not 0 < rate <= 1000:
        fail(f"--false-alerts-per-1000-faces must be above 0 and at most 1000, got {rate:g}")
    session = SessionOptions(
        inference_fps=fps or None,
        false_alerts_per_1000_faces=rate,
        min_looks=config.identification.min_looks,
        region_crops=config.camera_defaults.region_crops,
    )
    return AnalyzeOptions(session=session, recorded_at=recorded_at, explain=explain)


def _perception(config: Config, plan: ThreadPlan) -> Perception:
    from pipelines.build import PerceptionOptions, build_perception
    from pipelines.errors import ConfigError
    from vision.errors import VisionError
    from weights.catalog import load_catalog
    from weights.errors import WeightsError
    from weights.store import WeightStore

    try:
        store = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
        return build_perception(store, PerceptionOptions.of(config, plan))
    except (WeightsError, ConfigError, VisionError) as error:
        fail(str(error))


def _run(request: AnalyzeRequest, perception: Perception) -> RunResult:
    from aiqyn.commands.analyze_progress import AnalyzeBars
    from pipelines.analyze_run import Listeners, run_analysis
    from pipelines.errors import PipelineError
    from vision.errors import VisionError

    with AnalyzeBars() as bars:
        try:
            return run_analysis(request, perception, Listeners(bars, bars.reference, report))
        except (PipelineError, VisionError) as error:
            fail(str(error))


def _caveats(point: Thresholds) -> list[str]:
    """What the calibration could not give, so that "no candidate" is not taken for "not there"."""
    lines = []
    if point.expected_false_alerts_per_1000_faces is None and point.expected_interval_95 is not None:
        low, high = point.expected_interval_95
        lines.append(
            f"the calibration does not support {point.wanted_false_alerts_per_1000_faces:g} false alerts per 1,000 "
            f"faces for a list of this size; the strictest threshold it supports gives {low:.2g} to {high:.2g}"
        )
    if point.single_look_threshold is None:
        lines.append(
            "one look decides nothing at this rate and list size: who is seen in one frame only is not found, nor is "
            "anybody in a folder of pictures or at one frame a second"
        )
    return lines


def _show(result: RunResult, out: Path | None, *, as_json: bool) -> None:
    for line in _caveats(result.analysis.thresholds):
        typer.echo(f"note: {line}", err=True)
    if as_json:
        typer.echo(json.dumps(result.analysis.document(), ensure_ascii=False, indent=2))
        return
    analysis = result.analysis
    for candidate in analysis.candidates:
        looks = "one look" if candidate.single_look else f"{candidate.frames_fused} looks"
        typer.echo(
            f"{' '.join(candidate.input.split())}: candidate {candidate.number} at {candidate.pts_seconds:.2f} s, "
            f"track {candidate.track_id}, {looks}, unconfirmed"
        )
    frames = analysis.frame_accounting
    typer.echo(
        f"{len(analysis.candidates)} unconfirmed candidates in {analysis.media_seconds:.1f} s of footage; "
        f"frames: {frames.read} read, {frames.inferred} inferred, {frames.not_sampled} not sampled, "
        f"{frames.undecodable} undecodable; took {analysis.elapsed_seconds:.1f} s"
    )
    typer.echo(f"Names are in {out / 'analysis.json'}" if out else "Names are shown with --json only.")


def _exit_code(result: RunResult) -> int:
    if not result.inputs_searched:
        return NOTHING_DONE
    return SOME_FAILED if result.failures else ALL_DONE
