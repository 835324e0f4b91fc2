"""`aiqyn weights add`: a file of the site's own, tested, then an entry of its catalogue, or nothing at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.build import build_face_detector
from pipelines.errors import ModelCheckError
from pipelines.evaluate.faces import read_pairs
from pipelines.model_check import CheckedModel, CheckLimits, check_margins, check_model
from pipelines.model_export import ExportedModel, export_to_onnx
from pipelines.model_faces import faces_of_pairs
from pipelines.model_registration import Voucher, spec_of, usual_id
from pipelines.model_report import ModelQuestion, ModelReport, all_families, task_of
from vision.runtime import RuntimeOptions
from weights.added import id_is_taken, register
from weights.errors import CatalogError
from weights.spec import ModelSpec
from weights.store import WeightStore

MOST_BYTES = 2_000_000_000
"""Of one ONNX file: protobuf holds no more."""


@dataclass(frozen=True, slots=True)
class AddRequest:
    """What somebody asks to be added.

    Attributes:
        path: of the ONNX or PyTorch file.
        question: what it is said to be.
        voucher: who adds it; the file's name and a conversion are filled in here.
        entry_id: it shall get; empty for one made of the file's name.
        pairs: CSV of pairs of pictures; None for no margin test.
        images: folder of the pictures; None without pairs.
        face_detector: catalogue id of what finds the faces in them.
        replace_same: an added model of the same id is replaced.
        despite_answers: it is added even where the margin test says that something was declared wrongly.
        limits: of the self-test.
    """

    path: Path
    question: ModelQuestion
    voucher: Voucher
    entry_id: str = ""
    pairs: Path | None = None
    images: Path | None = None
    face_detector: str = "centerface"
    replace_same: bool = False
    despite_answers: bool = False
    limits: CheckLimits = field(default_factory=CheckLimits)


@dataclass(frozen=True, slots=True)
class AddOutcome:
    """What became of it.

    Attributes:
        spec: the entry, registered or not.
        report: of the tests.
        refusal: why it was not registered; empty where it was.
    """

    spec: ModelSpec
    report: ModelReport
    refusal: str


@dataclass(frozen=True, slots=True)
class AddListener:
    """Told what is going on.

    Attributes:
        begin: a step begins; its name.
        advance: so much of it is done, and of how much.
    """

    begin: Callable[[str], None] = lambda _: None
    advance: Callable[[int, int], None] = lambda _done, _of: None


def add_model(store: WeightStore, request: AddRequest, listener: AddListener | None = None) -> AddOutcome:
    """Tests a model and registers it.

    Raises:
        ModelCheckError: the file cannot be read, or fails a test; nothing was registered.
        EvaluationError: pairs that cannot be used.
        WeightsError: the id is taken, the folder cannot be written, or the face detector is not there.
    """
    listener = listener or AddListener()
    _check_usage(request)
    entry_id = _free_id(store, request)
    content = read_model(request.path)
    try:
        given = _as_onnx(request, content, listener)
        listener.begin("testing the model")
        checked = check_model(given.content, request.question, request.path.parent, request.limits)
        if request.pairs and request.images:
            checked = _with_margins(store, request, checked, listener)
    except ModelCheckError as error:
        raise ModelCheckError(f"{request.path.name}: {error}") from error
    voucher = replace(request.voucher, file_name=request.path.name, converted_from=given.origin)
    spec = spec_of(checked.report, entry_id, voucher)
    refusal = "" if request.despite_answers else _refusal(checked.report)
    if not refusal:
        listener.begin("registering it")
        register(store.root, spec, checked.content, shipped_ids(store), replace_same=request.replace_same)
    return AddOutcome(spec, checked.report, refusal)


def read_model(path: Path) -> bytes:
    """A model's file, whole.

    Raises:
        ModelCheckError: no regular file, not readable, or too large; one line that names it.
    """
    try:
        # Without waiting: opening a pipe nobody writes to would never end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ModelCheckError(f"{path}: {error.strerror or 'cannot be read'}") from error
    except ValueError as error:
        raise ModelCheckError(f"{str(path)!r}: is no file's name") from error
    try:
        _check_regular(path, os.fstat(handle))
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise ModelCheckError(f"{path}: {error.strerror or 'cannot be read'}") from error
    finally:
        os.close(handle)


def shipped_ids(store: WeightStore) -> frozenset[str]:
    """Ids of the catalogue's own, which no added model may take."""
    return frozenset(spec.id for spec in store.catalog if spec.added is None)


def _check_regular(path: Path, about: os.stat_result) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise ModelCheckError(f"{path}: is a folder; name the model's file in it")
    if not stat.S_ISREG(about.st_mode):
        raise ModelCheckError(f"{path}: is no regular file")
    if about.st_size > MOST_BYTES:
        raise ModelCheckError(
            f"{path}: has {about.st_size / 1e9:.1f} GB; a model of {MOST_BYTES / 1e9:.0f} GB is the largest read"
        )


def _check_usage(request: AddRequest) -> None:
    task = task_of(request.question.family)
    if task is None:
        raise ModelCheckError(
            f"no family is called {request.question.family!r}; there are: {', '.join(all_families())}"
        )
    if (request.pairs is None) != (request.images is None):
        raise ModelCheckError("--pairs and --images go together: the list, and the folder its names are in")
    if request.pairs and task != "embed":
        raise ModelCheckError(
            f"--pairs tests embedders; there is no test of colour order for {request.question.family}: "
            "add it both ways with --colour and compare what `aiqyn evaluate detection` says"
        )
    if request.pairs:
        read_pairs(request.pairs)  # a list that cannot be used is told before anything takes time


def _free_id(store: WeightStore, request: AddRequest) -> str:
    shipped = shipped_ids(store)
    entry_id = request.entry_id or usual_id(request.path.name, shipped)
    if entry_id in shipped:
        raise CatalogError(f"the id {entry_id!r} is the catalogue's own; give the model another with --id")
    if not request.replace_same and entry_id in {*store.catalog.entries, *store.catalog.broken}:
        raise id_is_taken(entry_id)
    return entry_id


def _as_onnx(request: AddRequest, content: bytes, listener: AddListener) -> ExportedModel:
    if request.path.suffix.lower() not in (".pt", ".pth"):
        return ExportedModel(content, "")
    if request.question.family != "ultralytics":
        raise ModelCheckError(
            f"a PyTorch file is converted for --family ultralytics only; export it to ONNX with the tools of its own "
            f"project to add it as {request.question.family}"
        )
    listener.begin("converting to ONNX")
    return export_to_onnx(content, request.path.name)


def _with_margins(
    store: WeightStore, request: AddRequest, checked: CheckedModel, listener: AddListener
) -> CheckedModel:
    if request.pairs is None or request.images is None:
        return checked
    declared = checked.report.input
    listener.begin("finding the faces")
    detector = build_face_detector(store, request.face_detector, RuntimeOptions())
    faces = faces_of_pairs(request.pairs, request.images, detector, declared, listener.advance)
    listener.begin("embedding them in every setting")
    margins = check_margins(checked.content, declared, faces, listener.advance, request.limits)
    return CheckedModel(replace(checked.report, margins=margins), checked.content)


def _refusal(report: ModelReport) -> str:
    """Why a model that works is not registered as declared."""
    if report.margins is None or not report.margins.wrong:
        return ""
    wrong = " and ".join(
        f"{answer.subject} {answer.declared} is wrong (p = {answer.p_value:.2g})"
        for answer in report.margins.wrong
    )
    margins = report.margins
    return (
        f"{wrong}; add it with --colour {margins.best_colour} --scaling {margins.best_scaling}, "
        "or with --yes as it was declared"
    )
