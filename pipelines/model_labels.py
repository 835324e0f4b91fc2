"""Which names a detector's classes get: those said, those in the file, COCO's where the number fits, else numbers."""

from __future__ import annotations

from pipelines.errors import ModelCheckError
from pipelines.model_file import ModelFile
from pipelines.model_report import Finding, ModelQuestion
from vision.detect.layout import output_shapes
from vision.runtime import InferenceSession
from weights.catalog import shared_labels
from weights.spec import InputSpec

_USUAL_COUNT = 80
_MOST_CLASSES = 20_000


def choose_labels(
    question: ModelQuestion, file: ModelFile, session: InferenceSession, wanted: InputSpec
) -> tuple[tuple[str, ...], Finding]:
    """The names and where they come from.

    Args:
        question: what was said.
        file: for names it carries.
        session: for the number of classes its output has room for.
        wanted: how it is fed.

    Raises:
        ModelCheckError: more classes than any detector has.
        ModelError: as `output_shapes`.
    """
    if question.labels:
        return question.labels, Finding("labels", "passed", f"{len(question.labels)} class names, as given.")
    if file.labels:
        return file.labels, Finding("labels", "passed", f"{len(file.labels)} class names are in the file.")
    count = class_count(question.family, session, wanted)
    if count > _MOST_CLASSES:
        raise ModelCheckError(f"has an output that would mean {count:,} classes; no detector has so many")
    for name, labels in shared_labels().items():
        if len(labels) == count:
            sentence = f"It names no classes; their number, {count}, is that of {name}, whose names it gets. "
            return labels, Finding(
                "labels", "noted", sentence + "If they are others, name them with --labels."
            )
    numbers = tuple(f"class-{index}" for index in range(count))
    sentence = f"It names none of its {count} classes; they are numbered. Name them with --labels."
    return numbers, Finding("labels", "noted", sentence)


def class_count(family: str, session: InferenceSession, wanted: InputSpec) -> int:
    """How many classes a detector's outputs have room for; the usual number where that cannot be seen."""
    pictures = [info for info in session.inputs if len(info.shape) == 4]
    if len(session.inputs) != 1 or not pictures or not all(wanted.size_wh):
        return _USUAL_COUNT
    shapes = output_shapes(session, pictures[0], wanted.size_wh)
    last = [shape[-1] for shape in shapes if len(shape) == 3]
    count: int | None = None
    if family in ("yolo", "yolox") and len(last) == 1 and last[0]:
        count = last[0] - 5
    elif family == "ultralytics" and len(last) == 1 and last[0] != 6:
        count = (shapes[0][1] or 0) - 4
    elif family == "detr":
        count = next((length for length in last if length != 4), None)
    return count if count and count > 0 else _USUAL_COUNT
