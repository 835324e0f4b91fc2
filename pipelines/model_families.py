"""Whether a model really is of the family it was read as, where shapes alone cannot tell, and which ones would fit."""

from __future__ import annotations

import numpy as np

from pipelines.errors import ModelCheckError
from pipelines.families import DETECTORS, EMBEDDERS, FACE_DETECTORS, ModelParts, SearchOptions
from pipelines.model_examinee import Examinee, RecordingSession
from pipelines.model_labels import class_count
from vision.errors import ModelError
from vision.face.embed import EmbedderOptions
from vision.runtime import Tensor

_LEAST_SPREAD = 0.25
"""Of the input's sides: decoded boxes have their centres all over it, offsets within cells a few units."""

END_TO_END_VALUES = 6
"""Of a box without overlaps: two corners, confidence, class."""


def check_layout(family: str, examinee: Examinee) -> None:
    """Refuses outputs whose shape fits and whose meaning does not; looks at the answer to the last picture.

    Raises:
        ModelCheckError: naming what does not fit.
    """
    if family in ("yolo", "yolox"):
        _check_rows(family, examinee.session)
    if family == "yolo":
        _check_decoded(examinee)
    if family == "ultralytics":
        _check_anchors(examinee)


def fitting_families(session: RecordingSession, but: str) -> str:
    """The other families whose inputs and outputs a model has, as the end of a sentence; empty for none."""
    fitting = [
        name for name in (*DETECTORS, *FACE_DETECTORS, *EMBEDDERS) if name != but and _fits(name, session)
    ]
    return f"; what it fits: --family {' or '.join(fitting)}" if fitting else ""


def _fits(family: str, session: RecordingSession) -> bool:
    try:
        if family in DETECTORS:
            detector = DETECTORS[family]
            wanted = detector.usual_input(session)
            count = class_count(family, session, wanted)
            detector.build(ModelParts(session, wanted, ("thing",) * count), SearchOptions())
        elif family in FACE_DETECTORS:
            faces = FACE_DETECTORS[family]
            faces.build(ModelParts(session, faces.usual_input(session)), SearchOptions())
        else:
            embedder = EMBEDDERS[family]
            embedder.build(ModelParts(session, embedder.usual_input(session)), EmbedderOptions())
    except ModelError:
        return False
    return family != "ultralytics" or not _upside_down(session)


def _check_rows(family: str, session: RecordingSession) -> None:
    shape = session.found[0].shape
    if shape[1] < shape[2]:
        raise ModelCheckError(
            f"not a {family.upper()}: (N, boxes, 5 + classes) expected, with more boxes than classes, found "
            f"{shape}{fitting_families(session, family)}"
        )


def _check_decoded(examinee: Examinee) -> None:
    """A YOLOX has the same columns; before they are decoded its centres are offsets."""
    session = examinee.session
    output = session.found[0][0]
    if output.shape[1] == END_TO_END_VALUES and _whole(output[:, -1]):
        raise ModelCheckError(
            "not a YOLO of one class: the last of its 6 values a box is a whole number, the class, and no "
            "probability; try --family ultralytics"
        )
    picture = next(iter(session.given.values()))
    sides = np.array([picture.shape[3], picture.shape[2]])
    low, high = np.percentile(output[:, :2], [5, 95], axis=0)
    if ((high - low) < _LEAST_SPREAD * sides).all():
        raise ModelCheckError(
            f"not a YOLO whose boxes are decoded: their centres lie between {low.min():.1f} and {high.max():.1f} "
            f"on an input of {sides[0]}×{sides[1]} pixels, as the offsets of a YOLOX do; try --family yolox"
        )


def _check_anchors(examinee: Examinee) -> None:
    """Anchors in columns; or boxes without overlaps, whose class is a number and no probability."""
    session = examinee.session
    shape = session.found[0].shape
    if _upside_down(session):
        raise ModelCheckError(
            "not a YOLO by Ultralytics: (N, 4 + classes, anchors) expected, with more anchors than classes, found "
            f"{shape}{fitting_families(session, 'ultralytics')}"
        )
    if shape[2] == END_TO_END_VALUES and not _whole(session.found[0][0, :, -1]):
        raise ModelCheckError(
            f"not a YOLO by Ultralytics: the last of the 6 values of {shape} would be a class, and is no whole "
            f"number{fitting_families(session, 'ultralytics')}"
        )


def _whole(values: Tensor) -> bool:
    return bool((values == np.round(values)).all())


def _upside_down(session: RecordingSession) -> bool:
    shapes = [info.shape for info in session.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][2] == END_TO_END_VALUES:
        return False
    rows, columns = shapes[0][1:]
    if rows is None or columns is None:
        found = session.found[0].shape if session.found else (1, 0, 1)
        rows, columns = found[1:]
    return rows > columns
