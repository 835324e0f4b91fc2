"""`aiqyn weights add|remove`: a model of the site's own, tested, described and registered, or refused in one line."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import ALL_DONE, NOTHING_DONE, fail, report
from aiqyn.commands.weights_folder import AsJson, EntryId, WeightsDir, open_store
from aiqyn.commands.weights_pin import account

if TYPE_CHECKING:
    from pipelines.model_adding import AddOutcome, AddRequest
    from weights.store import WeightStore

_MOST_LABELS_BYTES = 1 << 20


class ColourChoice(StrEnum):
    """Order of the channels a model wants."""

    BGR = "bgr"
    RGB = "rgb"


class ScalingChoice(StrEnum):
    """Values a model wants."""

    MINUS_ONE_TO_ONE = "minus-one-to-one"
    ZERO_TO_ONE = "zero-to-one"
    ZERO_TO_255 = "zero-to-255"
    IMAGENET = "imagenet"


def add(  # noqa: PLR0913 - a command's options are its user's
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ONNX file, or a .pt file of Ultralytics.")],
    family: Annotated[
        str,
        typer.Option(
            "--family", help="yolo, yolox, ultralytics, detr, centerface, yunet, scrfd or embedding."
        ),
    ],
    entry_id: Annotated[str, typer.Option("--id", help="Id it gets; else made of the file's name.")] = "",
    colour: Annotated[
        ColourChoice | None, typer.Option("--colour", help="Channels it wants; else usual for the family.")
    ] = None,
    scaling: Annotated[
        ScalingChoice | None, typer.Option("--scaling", help="Values it wants; else usual for the family.")
    ] = None,
    size: Annotated[
        str, typer.Option("--size", metavar="WxH", help="Input size, where the file leaves it open.")
    ] = "",
    labels: Annotated[
        Path | None, typer.Option("--labels", help="Text file of class names, one a line, in order.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs", help="CSV image_a,image_b,same: tests an embedder's colour order and scaling."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder the pairs' pictures are in.")
    ] = None,
    licence: Annotated[str, typer.Option("--licence", help="Licence of the model, for its card.")] = "",
    training_data: Annotated[
        str, typer.Option("--training-data", help="What it was trained on, for its card.")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace an added model of this id.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Add it as declared, even where the pairs say otherwise.")
    ] = False,
    weights_dir: WeightsDir = None,
    as_json: AsJson = False,
) -> None:
    """Tests a model of your own in a process of its own, writes its card and registers it."""
    from pipelines.model_adding import AddRequest
    from pipelines.model_registration import Voucher
    from pipelines.model_report import ModelQuestion

    store = open_store(weights_dir)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    question = ModelQuestion(
        family=family,
        colour=colour.value if colour else None,
        scaling=scaling.value if scaling else None,
        size_wh=_size_wh(size) if size else None,
        labels=_labels(labels) if labels else (),
    )
    request = AddRequest(
        path=file,
        question=question,
        voucher=Voucher(account(), now, file.name, licence.strip(), training_data.strip()),
        entry_id=_checked_id(entry_id),
        pairs=pairs,
        images=images,
        face_detector=_face_detector() if pairs else "",
        replace_same=replace,
        despite_answers=yes,
    )
    outcome = _added(store, request)
    _show(store, outcome, as_json=as_json)
    raise typer.Exit(NOTHING_DONE if outcome.refusal else ALL_DONE)


def remove(entry_id: EntryId, weights_dir: WeightsDir = None, as_json: AsJson = False) -> None:
    """Removes a model that was added here, and its file; what the catalogue has stays."""
    from weights.added import unregister
    from weights.errors import WeightsError

    store = open_store(weights_dir)
    if entry_id in store.catalog.entries and store.catalog.get(entry_id).added is None:
        fail(f"{entry_id!r} is the catalogue's own; only models that were added here are removed")
    try:
        unregister(store.root, entry_id)
    except WeightsError as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps({"weights_dir": str(store.root), "id": entry_id, "removed": True}, indent=2))
    else:
        typer.echo(f"{entry_id}: removed from {store.root}")


def _added(store: WeightStore, request: AddRequest) -> AddOutcome:
    from aiqyn.commands.weights_add_view import StepBars
    from pipelines.errors import PipelineError
    from pipelines.model_adding import add_model
    from vision.errors import VisionError
    from weights.errors import WeightsError

    with StepBars() as bars:
        try:
            return add_model(store, request, bars.listener())
        except (PipelineError, VisionError, WeightsError) as error:
            bars.stop()
            fail(str(error))


def _show(store: WeightStore, outcome: AddOutcome, *, as_json: bool) -> None:
    from aiqyn.commands.weights_add_view import show_report
    from weights.added import card_path

    if outcome.refusal:
        report(f"{outcome.spec.id}: not added: {outcome.refusal}")
    if as_json:
        document = {
            "id": outcome.spec.id,
            "registered": not outcome.refusal,
            "refusal": outcome.refusal or None,
            "weights_dir": str(store.root),
            "card": None if outcome.refusal else str(card_path(store.root, outcome.spec.id)),
            "report": asdict(outcome.report),
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    show_report(outcome)


def _checked_id(entry_id: str) -> str:
    if entry_id and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", entry_id):
        fail("--id must be 1 to 64 small letters, digits, dots and dashes, and begin with a letter or digit")
    return entry_id


def _size_wh(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{2,4})[x×](\d{2,4})", text.strip().lower())
    if not found or min(map(int, found.groups())) < 16:
        fail(f"--size must be width x height in pixels, such as 640x640, got {text!r}")
    return int(found[1]), int(found[2])


def _labels(file: Path) -> tuple[str, ...]:
    try:
        if not file.is_file() or file.stat().st_size > _MOST_LABELS_BYTES:
            fail(f"{file}: is no file of class names")
        names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        fail(f"{file}: {reason or 'cannot be read'}")
    if not names:
        fail(f"{file}: holds no class names; one a line is wanted")
    return names


def _face_detector() -> str:
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import ConfigError

    try:
        return load_config(default_config_path()).models.face_detector
    except ConfigError as error:
        fail(str(error))
