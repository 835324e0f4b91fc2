"""`aiqyn bench NAME`: what our code costs beside what lies under it, side by side in one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from bench.api import DatabaseFigures
    from bench.pipeline import PipelineBench
    from bench.vision import VisionBench
    from weights.store import WeightStore

bench_app = typer.Typer(
    help="Speed as ratios, both sides measured in turn in one run on one core.", no_args_is_help=True
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here, else the defaults."
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.add_typer(bench_app, name="bench")


@bench_app.command("vision")
def bench_vision(
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds of each model call.")] = 15,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every pulled model beside the bare ONNX Runtime call, gallery search beside the matrix product,
    and following fifty faces, in milliseconds a frame."""
    from bench import vision
    from pipelines.errors import ConfigError
    from weights.errors import WeightsError

    try:
        found = vision.measure(_store(config), lambda text: typer.echo(f"{text} …", err=True), rounds)
    except (ConfigError, WeightsError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        _print(found)


def _store(config: Path | None) -> WeightStore:
    from pipelines.config import default_config_path, load_config
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    root = load_config(config or default_config_path()).paths.weights_dir
    return WeightStore(root, load_catalog(root))


def _print(found: VisionBench) -> None:
    typer.echo(f"{'model':28} {'ours ms':>9} {'bare ms':>9} {'ratio':>7}")
    for call in found.models:
        figures = call.figures
        typer.echo(
            f"{call.model:28} {figures.ours_us / 1000:9.2f} {figures.bare_us / 1000:9.2f} {figures.ratio:7.3f}"
        )
    typer.echo(f"\n{'gallery search':28} {'ours µs':>9} {'bare µs':>9} {'ratio':>7} {'extra µs':>9}")
    for search in found.searches:
        figures = search.figures
        title = f"{search.templates:,} × {search.templates_per_subject} a subject, {search.probes} probe(s)"
        typer.echo(
            f"{title:28} {figures.ours_us:9.0f} {figures.bare_us:9.0f} {figures.ratio:7.3f} {figures.extra_us:9.0f}"
        )
    cost = found.frame
    typer.echo(
        f"\n{cost.tracks} faces tracked, measured and fused: {cost.mean_ms:.2f} ms a frame "
        f"({cost.steady_ms:.2f} once everybody is known, 95 % below {cost.p95_ms:.2f})"
    )


@bench_app.command("pipeline")
def bench_pipeline(
    video: Annotated[Path | None, typer.Argument(help="A recording; else the demo's footage.")] = None,
    watchlist: Annotated[
        Path | None, typer.Option("--watchlist", help="Folder of references; else the demo's.")
    ] = None,
    fps: Annotated[float, typer.Option("--fps", min=0.1, help="Frames a second the models see.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Runs on one core and on two.")] = 3,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """A whole `analyze` on one core beside its decoding and its models, and on two cores."""
    from tempfile import TemporaryDirectory

    from aiqyn.demo.footage import render
    from aiqyn.demo.footage.errors import FootageError
    from bench import pipeline
    from pipelines.config import default_config_path
    from pipelines.errors import PipelineError
    from weights.errors import WeightsError

    def told(text: str) -> None:
        typer.echo(f"{text} …", err=True)

    try:
        with TemporaryDirectory() as folder:
            if video is None or watchlist is None:
                told("the demo's footage")
                footage = render(_store(config), Path(folder))
                video, watchlist = video or footage.video, watchlist or footage.references
            found = pipeline.measure(
                video,
                watchlist,
                told,
                rounds=rounds,
                inference_fps=fps,
                config=config or default_config_path(),
            )
    except (PipelineError, WeightsError, FootageError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2))
    else:
        _print_pipeline(found)


def _print_pipeline(found: PipelineBench) -> None:
    typer.echo(f"{'one core':12} {'total s':>9} {'decode s':>9} {'models s':>9} {'ratio':>7}")
    for each in found.rounds:
        ran = each.one
        typer.echo(
            f"{'':12} {ran.total_seconds:9.2f} {ran.decode_seconds:9.2f} "
            f"{sum(ran.model_seconds.values()):9.2f} {each.ratio:7.3f}"
        )
    if found.speedup is not None:
        typer.echo(f"\n{'two cores':12} {'total s':>9} {'faster':>9} {'undisturbed':>12}")
    for each in found.rounds:
        if each.two is not None:
            typer.echo(
                f"{'':12} {each.two.total_seconds:9.2f} {each.speedup:9.2f} {each.undisturbed_speedup:12.2f}"
            )
    typer.echo("\nevery run said the same" if found.identical else "\nthe runs differ in what they said")


@bench_app.command("api")
def bench_api(
    candidates: Annotated[int, typer.Option(min=0, help="Judged candidates in the full store.")] = 1_000_000,
    operators: Annotated[int, typer.Option(min=2, help="Clients that ask once a second each.")] = 50,
    seconds: Annotated[float, typer.Option(min=3, help="Of each round.")] = 30.0,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds of each store, in turn.")] = 3,
    database: Annotated[
        list[str] | None, typer.Option("--database", help="sqlite or postgresql; else both. Repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Queue pages, judgements and intake over an empty store and a full one; clients share this machine."""
    from bench import api
    from bench.postgres import NoPostgresError
    from pipelines.errors import PipelineError
    from weights.errors import WeightsError

    chosen = tuple(database or api.DATABASES)
    if unknown := set(chosen) - set(api.DATABASES):
        fail(f"--database {', '.join(sorted(unknown))}: choose {' or '.join(api.DATABASES)}")
    plan = api.ApiPlan(
        candidates=candidates, operators=operators, seconds=seconds, rounds=rounds, databases=chosen
    )
    found = []
    try:
        for figures in api.measure(lambda text: typer.echo(f"{text} …", err=True), plan):
            found.append(figures)
            if not as_json:
                _print_api(figures)
    except (NoPostgresError, PipelineError, WeightsError, TimeoutError) as error:
        fail(str(error))
    if as_json:
        documents = [figures.document() for figures in found]
        typer.echo(json.dumps({"cores": api.cores(), "databases": documents}, indent=2))


def _print_api(found: DatabaseFigures) -> None:
    typer.echo(
        f"{found.database:12} {'queue p50':>10} {'p95 ms':>8} {'judged p50':>11} {'p95 ms':>8} {'intake/s':>9}"
    )
    for store in (found.empty, found.full):
        typer.echo(
            f"{store.candidates:>12,} {store.queue_p50_ms:10.1f} {store.queue_p95_ms:8.1f} "
            f"{store.judgement_p50_ms:11.1f} {store.judgement_p95_ms:8.1f} {store.ingest_per_second:9.0f}"
        )
    typer.echo(f"{'ratio':>12} {found.queue_ratio:19.2f} {found.judgement_ratio:20.2f}\n")


@bench_app.command("dlib")
def bench_dlib() -> None:
    """One face through dlib's own network and through ours; needs the package dlib-bin."""
    from bench import dlib

    dlib.main()
