"""The self-test itself: the model read as its family says, shown pictures, and asked the same thing twice.

Called inside a child process with limits of its own (`pipelines.model_child`); nothing here trusts the model
to end, to be small, or to say the truth about itself.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.errors import ModelCheckError
from pipelines.families import DETECTORS, EMBEDDERS, FACE_DETECTORS, ModelParts
from pipelines.model_batches import check_batches, check_determinism
from pipelines.model_examinee import Examinee, RecordingSession, examinee_of
from pipelines.model_families import check_layout, fitting_families
from pipelines.model_file import ModelFile, with_single_batch
from pipelines.model_labels import choose_labels
from pipelines.model_report import (
    IN_WORDS,
    Finding,
    ModelQuestion,
    ModelReport,
    TensorShape,
    all_families,
    scaling_of,
    task_of,
)
from vision.errors import ModelError
from vision.runtime import InferenceSession, Tensor, TensorInfo
from weights.spec import InputSpec, Task

TIMED_CALLS = 5
SAME_COSINE = 0.9999
"""Noise, black and a face embed to cosines far below this in any model that looks at its input."""

MANY_FINDS = 50
"""More confident finds than this on noise or on a flat picture speak against family, colour or scaling."""

OUT_OF_MEMORY = "wants more memory than the self-test allows"
_OUT_OF_MEMORY_PHRASES = ("bad_alloc", "bad allocation", "failed to allocate", "out of memory", "bfc_arena")
"""The last is the file of ONNX Runtime whose name is all that is left of a long message."""


@dataclass(frozen=True, slots=True)
class SelfTested:
    """A report and the file it is about, which is not always byte for byte the one that was given."""

    report: ModelReport
    content: bytes


def self_test(file: ModelFile, question: ModelQuestion) -> SelfTested:
    """Runs every test.

    Raises:
        ModelCheckError: the model is not what was said, or fails; one line.
    """
    try:
        return _tested(file, question)
    except ModelError as error:
        raise ModelCheckError(_in_plain_words(str(error), file.opset)) from error


def _tested(file: ModelFile, question: ModelQuestion) -> SelfTested:
    task = task_of(question.family)
    if task is None:
        raise ModelCheckError(
            f"no family is called {question.family!r}; there are: {', '.join(all_families())}"
        )
    findings: list[Finding] = []
    session = RecordingSession(file.content)
    wanted = _wanted(task, question, session)
    labels: tuple[str, ...] = ()
    if task == "detect":
        labels, named = choose_labels(question, file, session, wanted)
        findings.append(named)
    elif question.labels:
        raise ModelCheckError(f"is said to be of the family {question.family}, which has no labels")
    try:
        examinee = examinee_of(task, question.family, ModelParts(session, wanted, labels), session)
    except ModelError as error:
        raise ModelError(f"{error}{fitting_families(session, question.family)}") from error
    findings += [_fed(question, wanted), *_shown(examinee)]
    check_layout(question.family, examinee)
    repeatable = check_determinism(examinee)
    batches = check_batches(examinee, by_chance=repeatable.outcome == "doubtful")
    findings += [repeatable, batches.finding]
    if batches.single_only and task == "embed":
        file = with_single_batch(file)
        session = RecordingSession(file.content)
        examinee = examinee_of(task, question.family, ModelParts(session, wanted, labels), session)
    findings.append(_telling_apart(examinee))
    ms = _ms_per_picture(examinee)
    findings.append(
        Finding("speed", "noted", f"{ms:.1f} ms a picture on one thread of this machine's processor.")
    )
    report = ModelReport(
        family=question.family,
        task=task,
        sha256=hashlib.sha256(file.content).hexdigest(),
        size_bytes=len(file.content),
        opset=file.opset,
        producer=file.producer,
        inputs=tuple(map(_shape, session.inputs)),
        outputs=tuple(map(_shape, session.outputs)),
        input=wanted,
        labels=labels,
        dimension=examinee.dimension,
        batch=batches.batch,
        ms_per_picture=ms,
        findings=tuple(findings),
        rewritten=file.rewritten,
    )
    return SelfTested(report, file.content)


def _wanted(task: Task, question: ModelQuestion, session: InferenceSession) -> InputSpec:
    """How the model is fed: the family's usual way, with what was said."""
    if task == "detect":
        usual = DETECTORS[question.family].usual_input(session)
    elif task == "face":
        usual = FACE_DETECTORS[question.family].usual_input(session)
    else:
        usual = EMBEDDERS[question.family].usual_input(session)
    if question.size_wh and task == "face":
        raise ModelCheckError(
            f"of the family {question.family} takes the size of each picture; leave out --size"
        )
    return question.applied_to(usual)


def _fed(question: ModelQuestion, wanted: InputSpec) -> Finding:
    width, height = wanted.size_wh
    size = f"{width}×{height} pixels" if width else "at the picture's own size"
    if wanted.multiple_of_px:
        size += f", any multiple of {wanted.multiple_of_px}"
    sentence = f"Fed {wanted.colour.upper()}, {_scaling_in_words(wanted)}, {size}"
    assumed = [
        name for name, said in (("colour", question.colour), ("scaling", question.scaling)) if not said
    ]
    if assumed:
        sentence += f" ({' and '.join(assumed)}: as is usual for {question.family})"
    return Finding("input", "passed", sentence + ".")


def _scaling_in_words(wanted: InputSpec) -> str:
    name = scaling_of(wanted)
    if name:
        return f"values {IN_WORDS[name]}"
    mean, scale = wanted.mean, wanted.scale
    return f"values (x − {mean[0]:g}) × {scale[0]:.4g} and so on"


def _shown(examinee: Examinee) -> list[Finding]:
    """Every picture once; raises for what is not finite or empty, says what was found."""
    seen: dict[str, Mapping[str, int]] = {}
    empty: set[str] = set()
    filled: set[str] = set()
    for name, picture in examinee.pictures.items():
        try:
            seen[name] = examinee.see(picture)
        except ModelError as error:
            raise ModelError(f"shown {name}, {picture.shape[1]}×{picture.shape[0]}: {error}") from error
        for info, output in zip(examinee.session.outputs, examinee.session.found, strict=True):
            (filled if output.size else empty).add(info.name)
    if never := sorted(empty - filled):
        raise ModelCheckError(f"gives nothing at all in its output {never[0]!r}, whatever it is shown")
    sizes = {picture.shape[:2] for picture in examinee.pictures.values()}
    sentence = f"Finite values on noise, black, white and painted pictures, {len(sizes)} size(s)."
    return [Finding("values", "passed", sentence), *_plausible(examinee, seen)]


def _plausible(examinee: Examinee, seen: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    if examinee.dimension:
        return []
    *_, last = seen
    found = ", ".join(f"{label} × {count}" for label, count in seen[last].items() if count) or "nothing"
    flat = {name: sum(seen[name].values()) for name in ("noise", "black", "white")}
    worst = max(flat, key=lambda name: flat[name])
    if flat[worst] > MANY_FINDS:
        sentence = f"It finds {flat[worst]} things in {worst}: family, colour order or scaling may be wrong."
        return [Finding("plausible", "doubtful", sentence)]
    told = (
        f"On {last} it finds {found}; on noise, black and white {', '.join(map(str, flat.values()))} things."
    )
    told += " Paintings prove little: measure it with `aiqyn evaluate detection`."
    return [Finding("plausible", "noted", told)]


def _telling_apart(examinee: Examinee) -> Finding:
    """Whether the answer depends on the picture at all."""
    answers: list[list[Tensor]] = []
    for picture in examinee.pictures.values():
        examinee.see(picture)
        answers.append(examinee.session.found)
    if examinee.dimension:
        # A model of a fixed batch answers for what fills it up as well.
        rows = np.stack([answer[0].reshape(-1)[: examinee.dimension] for answer in answers]).astype(
            np.float64
        )
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
        if cosines.min() > SAME_COSINE:
            raise ModelCheckError("gives the same embedding for noise, black and a face: it is no embedder")
        sentence = f"Noise, flat pictures and painted faces are told apart (cosines {cosines.min():.2f} to "
        return Finding("telling apart", "passed", sentence + f"{cosines.max():.2f}).")
    first, *others = (b"".join(np.ascontiguousarray(part).tobytes() for part in answer) for answer in answers)
    if all(other == first for other in others):
        return Finding("telling apart", "doubtful", "It answers the same, bit for bit, whatever it is shown.")
    return Finding("telling apart", "passed", "Its answers depend on the picture.")


def _ms_per_picture(examinee: Examinee) -> float:
    picture = list(examinee.pictures.values())[-1]
    taken = []
    for _ in range(TIMED_CALLS):
        started = time.perf_counter()
        examinee.see(picture)
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def _shape(info: TensorInfo) -> TensorShape:
    return TensorShape(info.name, info.shape, str(info.dtype))


def _in_plain_words(message: str, opset: int) -> str:
    """The runtime's own words where they say what is wrong, ours where they do not."""
    lowered = message.lower()
    if any(phrase in lowered for phrase in _OUT_OF_MEMORY_PHRASES):
        return OUT_OF_MEMORY
    if "opset" in lowered or "ir version" in lowered or "ir_version" in lowered:
        return f"is of ONNX opset {opset}, newer than this runtime reads; export it with an older one, such as 17"
    return message
