"""Pairs of pictures, as `aiqyn evaluate faces` reads them, into aligned faces for the margin test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.errors import ModelCheckError
from pipelines.evaluate.faces import FacePairs, central_face, read_pairs
from pipelines.model_check import Tell
from pipelines.model_margins import FacesInPairs
from vision.errors import ImageError
from vision.face.align import align
from vision.face.base import FaceDetector
from vision.images import read_image
from vision.types import Image, Int64
from weights.spec import InputSpec

MOST_PICTURES = 400
"""Enough: on LFW a hundred tell the settings of a good embedder apart, and each is embedded five times."""


def faces_of_pairs(
    pairs: Path, images: Path, detector: FaceDetector, declared: InputSpec, tell: Tell
) -> FacesInPairs:
    """Finds and aligns the faces of the pairs.

    Of a long list only so many of the first pairs are taken as hold `MOST_PICTURES` pictures.

    Args:
        pairs: CSV file of image_a, image_b, same.
        images: folder the names are relative to.
        detector: of faces.
        declared: its template and size are what the faces are aligned to.
        tell: told how many pictures are done, and of how many.

    Raises:
        EvaluationError: no such list.
        ModelCheckError: pictures that cannot be found; pairs that contradict each other; no face in any.
    """
    listed = _shortened(read_pairs(pairs))
    if not any((images / name).is_file() for name in listed.images):
        raise ModelCheckError(
            f"cannot be tested: {images} holds none of the {len(listed.images)} pictures, such as {listed.images[0]}"
        )
    chips: list[Image | None] = []
    for number, name in enumerate(listed.images, 1):
        chips.append(_chip(images / name, detector, declared))
        tell(number, len(listed.images))
    return _faces(listed, chips)


def _shortened(listed: FacePairs) -> FacePairs:
    """Whole pairs from all over the list, as many as `MOST_PICTURES` pictures allow.

    Protocols list pairs of one person and of strangers in blocks: the first rows alone would be one kind.
    """
    if len(listed.images) <= MOST_PICTURES:
        return listed
    order = np.random.default_rng(0).permutation(len(listed))
    kept: list[int] = []
    used: set[int] = set()
    for row in order:
        ends = {int(listed.first[row]), int(listed.second[row])}
        if len(used | ends) <= MOST_PICTURES:
            used |= ends
            kept.append(int(row))
    rows = np.sort(np.array(kept))
    index = {old: new for new, old in enumerate(sorted(used))}
    first = np.array([index[int(end)] for end in listed.first[rows]], np.int64)
    second = np.array([index[int(end)] for end in listed.second[rows]], np.int64)
    return FacePairs(tuple(listed.images[old] for old in sorted(used)), first, second, listed.same[rows])


def _chip(path: Path, detector: FaceDetector, declared: InputSpec) -> Image | None:
    try:
        image = read_image(path)
    except ImageError:
        return None
    face = central_face(detector.detect(image), image)
    if not len(face):
        return None
    chip: Image = align(image, face.landmarks, declared.landmarks_template or (), declared.size_wh[0])[0]
    return chip


def _faces(listed: FacePairs, chips: list[Image | None]) -> FacesInPairs:
    found = np.array([chip is not None for chip in chips])
    if not found.any():
        raise ModelCheckError("cannot be tested: not one face was found in these pictures")
    row = np.cumsum(found) - 1
    person = _people(listed)
    genuine = np.flatnonzero(listed.same & found[listed.first] & found[listed.second])
    return FacesInPairs(
        chips=np.stack([chip for chip in chips if chip is not None]),
        person=np.unique(person[found], return_inverse=True)[1].astype(np.int64),
        first=row[listed.first[genuine]].astype(np.int64),
        second=row[listed.second[genuine]].astype(np.int64),
        without_face=int((~found).sum()),
    )


def _people(listed: FacePairs) -> Int64:
    """(M,) who each picture shows: those that pairs or a folder of their own say are one person.

    A folder is a person's only where the pictures lie in more than one.

    Raises:
        ModelCheckError: a pair is said to be strangers whom other pairs or the folders say to be one person.
    """
    folders = [Path(name).parent.as_posix() for name in listed.images]
    several = len(set(folders)) > 1
    _, group = np.unique(folders if several else list(listed.images), return_inverse=True)
    for first, second in zip(listed.first[listed.same], listed.second[listed.same], strict=True):
        group[group == group[second]] = group[first]
    clash = np.flatnonzero(~listed.same & (group[listed.first] == group[listed.second]))
    if len(clash):
        one, other = (listed.images[int(ends[clash[0]])] for ends in (listed.first, listed.second))
        raise ModelCheckError(
            f"cannot be tested: {one} and {other} are listed as strangers, and as one person by other pairs or "
            "their folder"
        )
    return np.asarray(group, np.int64)
