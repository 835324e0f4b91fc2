"""`aiqyn evaluate faces|detection|tracking`: models and trackers measured on labelled data."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from aiqyn.commands.exits import ALL_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.evaluate.progress import Progress
    from pipelines.evaluate.runs import Models, Outcome

group = typer.Typer(
    name="evaluate", help="Measure models and trackers on labelled data.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file; else aiqyn.yaml.")]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, max=256, help="Threads of one inference; else the settings'."),
]


class Format(StrEnum):
    """How pictures are labelled."""

    YOLO = "yolo"
    WIDER_JSON = "wider-json"


class TrackerChoice(StrEnum):
    """The trackers there are."""

    OC_SORT = "oc-sort"
    BYTETRACK = "bytetrack"


def register(app: typer.Typer) -> None:
    """Adds the group to the program."""
    app.add_typer(group)


@group.command("faces")
def faces(
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures, a sub-folder per person.")],
    pairs: Annotated[
        Path | None, typer.Option("--pairs", help="CSV: image_a,image_b,same; paths relative to --images.")
    ] = None,
    embedder: Annotated[str | None, typer.Option("--embedder", help="Model that compares faces.")] = None,
    thresholds: Annotated[
        bool,
        typer.Option("--thresholds", help="Add the similarity strangers reach at falling false match rates."),
    ] = False,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures how well an embedder tells people apart: accuracy over folds, true accepts."""
    from pipelines.evaluate.runs import FacesRequest, run_faces

    if pairs is None and not thresholds:
        fail("--pairs is needed; only --thresholds does without")
    settings = _settings(config)
    request = FacesRequest(
        images=images,
        pairs=pairs,
        embedder=embedder or settings.models.embedder,
        face_detector=settings.models.face_detector,
        quantiles=thresholds,
    )
    models = _models(settings, threads)
    _finish(lambda progress: run_faces(models, request, progress), as_json=as_json)


@group.command("detection")
def detection(  # noqa: PLR0913 - a command's options are its user's
    images: Annotated[Path, typer.Option("--images", help="Folder of pictures.")],
    labels: Annotated[
        Path, typer.Option("--labels", help="yolo: folder of text files; wider-json: one JSON file.")
    ],
    label_format: Annotated[Format, typer.Option("--format", help="Of the labels; wider-json scores faces.")],
    detector: Annotated[
        str | None, typer.Option("--detector", help="Model; else the settings' detector of objects or faces.")
    ] = None,
    min_size_px: Annotated[
        float,
        typer.Option("--min-size-px", min=0, help="Ignore smaller ground truth (root of its area)."),
    ] = 0.0,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures a detector: recall, precision, average precision, false boxes a picture."""
    from pipelines.evaluate.runs import DetectionRequest, run_detection

    settings = _settings(config)
    configured = (
        settings.models.face_detector if label_format is Format.WIDER_JSON else settings.models.detector
    )
    request = DetectionRequest(
        images=images,
        labels=labels,
        label_format=label_format.value,
        detector=_chosen(detector, configured),
        min_size_px=min_size_px,
    )
    models = _models(settings, threads)
    _finish(lambda progress: run_detection(models, request, progress), as_json=as_json)


@group.command("tracking")
def tracking(  # noqa: PLR0913 - a command's options are its user's
    video: Annotated[Path, typer.Option("--video", help="Video file, or folder of its pictures.")],
    ground_truth: Annotated[
        Path, typer.Option("--ground-truth", help="gt.txt in MOTChallenge format, or its sequence folder.")
    ],
    scale: Annotated[
        float, typer.Option("--scale", help="Multiplies the ground truth's boxes, for a resized video.")
    ] = 1.0,
    detector: Annotated[str | None, typer.Option("--detector", help="Model; else the settings'.")] = None,
    tracker: Annotated[
        TrackerChoice | None, typer.Option("--tracker", help="Tracker; else the settings'.")
    ] = None,
    detections: Annotated[
        Path | None,
        typer.Option("--detections", help="det.txt in MOTChallenge format, instead of a detector."),
    ] = None,
    threads: Threads = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Measures a tracker on people: HOTA, IDF1, MOTA, identity switches."""
    from pipelines.evaluate.runs import TrackingRequest, run_tracking

    settings = _settings(config)
    request = TrackingRequest(
        video=video,
        ground_truth=ground_truth,
        scale=scale,
        detector="" if detections else _chosen(detector, settings.models.detector),
        tracker=tracker.value if tracker else settings.tracking.tracker,
        detections=detections,
    )
    models = _models(settings, threads)
    _finish(lambda progress: run_tracking(models, request, progress), as_json=as_json)


def _settings(path: Path | None) -> Config:
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError

    try:
        return load_config(path or default_config_path())
    except ConfigError as error:
        fail(str(error))


def _chosen(asked: str | None, configured: str | None) -> str:
    if not (asked or configured):
        fail("the settings name no detector; name one with --detector")
    return asked or configured or ""


def _models(settings: Config, threads: int | None) -> Models:
    from pipelines.evaluate.runs import Models
    from vision.runtime import RuntimeOptions
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    runtime = RuntimeOptions(settings.worker.providers, threads or settings.worker.intra_op_threads)
    return Models(WeightStore(settings.paths.weights_dir, load_catalog()), runtime)


def _finish(run: Callable[[Progress], Outcome], *, as_json: bool) -> None:
    from pipelines.errors import PipelineError
    from vision.errors import VisionError
    from weights.errors import WeightsError

    with _Bar() as bar:
        try:
            outcome = run(bar.progress())
        except (PipelineError, VisionError, WeightsError) as error:
            bar.stop()
            fail(str(error))
    if as_json:
        typer.echo(json.dumps(outcome.document, ensure_ascii=False, indent=2))
    else:
        _show(outcome.document)
    raise typer.Exit(SOME_FAILED if outcome.problems else ALL_DONE)


class _Bar:
    """A bar on a terminal, nothing elsewhere; on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bars = Bars(*columns, console=self._console, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bar away. Twice is once."""
        if self._bars.live.is_started:
            self._bars.stop()

    def progress(self) -> Progress:
        """What a run tells of itself, shown."""
        from pipelines.evaluate.progress import Progress

        bars = self._bars

        class Shown(Progress):
            def begin(self, what: str, total: int) -> None:
                bars.add_task(what, total=total)

            def advance(self) -> None:
                bars.advance(bars.task_ids[-1])

            def problem(self, line: str) -> None:
                report(line)

        return Shown()


def _show(document: dict[str, Any]) -> None:
    """One table of the figures, and one for each list or group of them."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    figures = Table(box=None, show_header=False)
    for name, value in document.items():
        if not isinstance(value, list | dict):
            figures.add_row(_words(name), _text(value))
    console.print(figures)
    for name, value in document.items():
        rows = _rows(value)
        if rows:
            table = Table(*map(_words, rows[0]), title=_words(name), box=None, title_justify="left")
            for row in rows:
                table.add_row(*map(_text, row.values()))
            console.print(table)


def _rows(value: Any) -> list[dict[str, Any]]:
    """A list of records, or a group of figures or records by name, as records."""
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, dict)]
    if not isinstance(value, dict):
        return []
    if all(isinstance(item, dict) for item in value.values()):
        return [{"": name, **item} for name, item in value.items()]
    return [dict(value)]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " to ".join(map(_text, value))
    return str(value)
