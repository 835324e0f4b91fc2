"""From photographs to a clip, a list and the truth about both."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np

from aiqyn.demo.footage.camera import Camera
from aiqyn.demo.footage.cast import (
    CAST,
    CONTROL,
    CONTROL_PAIRED_WITH,
    CONTROL_SECONDS,
    Photograph,
    photographs,
)
from aiqyn.demo.footage.cutout import Cutout, cut_out
from aiqyn.demo.footage.encode import clip_writer
from aiqyn.demo.footage.errors import FootageError
from aiqyn.demo.footage.hall import HEIGHT_PX, WIDTH_PX, draw_hall
from aiqyn.demo.footage.photographs import PictureSource, load_photographs
from aiqyn.demo.footage.scene import compose
from aiqyn.demo.footage.truth import ControlSample, Footage, FrameTruth, GroundTruth, PersonTruth
from aiqyn.demo.footage.walks import DURATION_SECONDS, WALKS
from vision.images import encode_jpeg
from vision.types import Image
from vision.video import open_source

Progress: TypeAlias = Callable[[int, int], None]
"""Told after every frame: how many are done, and how many there will be."""

FPS = Fraction(25, 2)

_SIZE_WH = (WIDTH_PX, HEIGHT_PX)
_SEED = 20_260
_HEAD_MARGIN = 1.1
_REFERENCE_QUALITY = 92


def render(store: PictureSource, out: Path, progress: Progress | None = None) -> Footage:
    """The sample footage, the same on every machine but for what its FFmpeg makes of it.

    Args:
        store: the weights store with the photographs pulled (`cast.picture_ids`), or a folder of pictures.
        out: folder for `footage.mp4`, `ground-truth.json` and `references/`; made where it is missing.
        progress: told after every frame.

    Raises:
        FootageError: a photograph is missing, or the folder cannot be written.
        WeightsError: a photograph was not pulled, or is not the one the catalogue names.
    """
    pictures = load_photographs(store, photographs())
    references = out / "references"
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write_references(pictures, references)
    except OSError as error:
        raise FootageError(f"{out}: cannot be written ({error.strerror})") from error
    video = out / "footage.mp4"
    frames = _render_clip(pictures, video, progress)
    truth = GroundTruth(WIDTH_PX, HEIGHT_PX, float(FPS), _persons(), frames)
    truth_path = out / "ground-truth.json"
    truth.write(truth_path)
    return Footage(video, references, truth_path, _control(video, frames))


def _write_references(pictures: dict[str, Image], folder: Path) -> None:
    for person in CAST:
        if person.reference and person.subject_id:
            target = folder / person.subject_id
            target.mkdir(parents=True, exist_ok=True)
            head = _head_and_shoulders(pictures[person.reference.picture_id], person.reference)
            (target / "reference.jpg").write_bytes(encode_jpeg(head, _REFERENCE_QUALITY))


def _head_and_shoulders(image: Image, photograph: Photograph) -> Image:
    """The photograph around its one face: an enrolled picture must not hold a second one."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = photograph.face_xyxy
    margin = _HEAD_MARGIN * max(x1 - x0, y1 - y0)
    left, top = max(0, round(x0 - margin)), max(0, round(y0 - margin))
    right, bottom = min(width, round(x1 + margin)), min(height, round(y1 + margin))
    return np.ascontiguousarray(image[top:bottom, left:right])


def _render_clip(pictures: dict[str, Image], path: Path, progress: Progress | None) -> tuple[FrameTruth, ...]:
    rng = np.random.default_rng(_SEED)
    hall = draw_hall(rng)
    cutouts = _cutouts(pictures)
    camera = Camera(_SIZE_WH, rng)
    count = round(DURATION_SECONDS * FPS)
    frames: list[FrameTruth] = []
    with clip_writer(path, _SIZE_WH, FPS) as add:
        for index in range(count):
            seconds = float(index / FPS)
            moment = compose(hall, cutouts, WALKS, seconds, float(FPS))
            add(camera.expose(moment.scene, seconds))
            frames.append(FrameTruth(index, seconds, moment.faces))
            if progress:
                progress(index + 1, count)
    return tuple(frames)


def _cutouts(pictures: dict[str, Image]) -> dict[str, Cutout]:
    made: dict[str, Cutout] = {}
    for walk in WALKS:
        photograph = walk.person.photograph
        if photograph is None:
            raise FootageError(f"{walk.person.person_id} walks through the clip without a photograph")
        image = pictures[photograph.picture_id]
        made[walk.person.person_id] = cut_out(image, photograph, walk.largest_face_px)
    return made


def _persons() -> tuple[PersonTruth, ...]:
    walking = {walk.person.person_id for walk in WALKS}
    return tuple(PersonTruth(p.person_id, p.subject_id, p.person_id in walking) for p in CAST)


def _control(video: Path, frames: tuple[FrameTruth, ...]) -> ControlSample:
    """The bystander's face, read back from the clip so that a control looks like a candidate."""
    frame = min(frames, key=lambda candidate: abs(candidate.pts_seconds - CONTROL_SECONDS))
    face = next((face for face in frame.faces if face.person_id == CONTROL.person_id), None)
    subject_id = CONTROL_PAIRED_WITH.subject_id
    if face is None or not face.visible or subject_id is None:
        raise FootageError(
            f"no control at {CONTROL_SECONDS} s: its face must be in view, its pair on the list"
        )
    image = _frame_image(video, frame.frame_index)
    return ControlSample(
        image, face.xyxy, face.landmarks, frame.frame_index, frame.pts_seconds, face.person_id, subject_id
    )


def _frame_image(video: Path, frame_index: int) -> Image:
    with open_source(video) as source:
        for frame in source:
            if frame.frame_index == frame_index:
                return frame.image
    raise FootageError(f"{video}: frame {frame_index} cannot be read back")
