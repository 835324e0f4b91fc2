"""`python -m bench.enrolment IMAGES`: what the check of references finds of what was seeded, and what it finds in vain.

IMAGES holds photographs of people, `Name_0001.jpg`, or one folder per person. Everybody with three pictures or more is
enrolled as a list. That list as it is tells how often something is found in vain. Then every entry is given,
one kind at a time: somebody else's picture; a copy of its own first picture, encoded anew at another size; a
cropped copy of the next entry's. And the two people of the whole folder who are most alike are put on the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.enrol import Enrolment, PictureReport, Reference, enrol_picture
from pipelines.enrol_check import CheckedEnrolment, ListCheck, check_enrolment
from pipelines.errors import EnrolError
from pipelines.reference_findings import Kind
from pipelines.stages import Engines
from vision.identify.calibration import Calibration
from vision.images import decode_image, encode_jpeg
from weights.catalog import load_catalog
from weights.store import WeightStore

LEAST_PICTURES = 3
FALSE_ALERTS_PER_1000_FACES = 1.0
COPY_SCALE, COPY_QUALITY = 0.6, 60
CROP_PX = 12
"""Taken off the left and top of a seeded crop, twice as much off the right: a fifth of a picture of 250 px."""


@dataclass(frozen=True, slots=True)
class Seeding:
    """One kind of seed.

    Attributes:
        seeded: entries that were given one.
        found: of these, those the check named for it.
        refused: of these, those whose seed is no reference afterwards.
    """

    seeded: int
    found: int
    refused: int


@dataclass(frozen=True, slots=True)
class EnrolmentFigures:
    """What was measured.

    Attributes:
        embedder: catalogue id.
        people: entries of the clean list.
        pictures: accepted pictures of theirs.
        refused_pictures: pictures the face search refused before: no face, or several.
        people_with_false_findings: entries of the clean list with an outlier, conflict or copy found.
        false_finding_rate: their share.
        look_alike_pairs: pairs of entries of the clean list that will be confused at its threshold.
        lookalike_threshold: that threshold.
        seeded: by kind.
    """

    embedder: str
    people: int
    pictures: int
    refused_pictures: int
    people_with_false_findings: int
    false_finding_rate: float
    look_alike_pairs: int
    lookalike_threshold: float
    seeded: Mapping[str, Seeding]


@dataclass(frozen=True, slots=True, repr=False)
class _People:
    """Photographs of people, as read: by person, the file's bytes and its reference."""

    files: Mapping[str, Sequence[tuple[bytes, Reference]]]
    refused: int

    def entries(self, least: int) -> dict[str, list[Reference]]:
        """Everybody with so many accepted pictures."""
        return {
            name: [reference for _, reference in found]
            for name, found in self.files.items()
            if len(found) >= least
        }


def measure(
    images: Path, embedder: str = PerceptionOptions().embedder, *, people: int | None = None
) -> EnrolmentFigures:
    """Enrols, seeds and counts.

    Args:
        images: see the module's head.
        embedder: catalogue id.
        people: entries at most, in the order of their names; None for all.
    """
    config = load_config(None)
    store = WeightStore(config.paths.weights_dir, load_catalog(config.paths.weights_dir))
    perception = build_perception(store, PerceptionOptions(detector=None, embedder=embedder))
    engines = replace(perception.engines(), face_detector=perception.face_detector)
    found = _read(images, engines, people)
    entries = found.entries(LEAST_PICTURES)
    clean = _checked(entries, perception.calibration)
    false = {
        name
        for finding in clean.findings
        if finding.kind not in ("look_alike", "same_person")
        for name in finding.subjects[:1]
    }
    return EnrolmentFigures(
        embedder=embedder,
        people=len(entries),
        pictures=sum(len(one) for one in entries.values()),
        refused_pictures=found.refused,
        people_with_false_findings=len(false),
        false_finding_rate=len(false) / len(entries),
        look_alike_pairs=sum(one.kind in ("look_alike", "same_person") for one in clean.findings),
        lookalike_threshold=clean.limits.lookalike_similarity if clean.limits else 0.0,
        seeded=dict(_seedings(found, entries, engines, perception.calibration)),
    )


def _seedings(
    found: _People, entries: dict[str, list[Reference]], engines: Engines, calibration: Calibration
) -> Iterator[tuple[str, Seeding]]:
    strangers = [one for name in found.files if name not in entries for _, one in found.files[name][:1]]
    pairs = list(zip(sorted(entries), strangers, strict=False))
    seeds = {name: replace(one, subject_id=name, name=f"{name}/seed") for name, one in pairs}
    yield "outlier", _seeded(entries, seeds, calibration, "outlier")
    copies = {name: _copy(found.files[name][0][0], name, engines) for name in entries}
    made = {name: one for name, one in copies.items() if one is not None}
    yield "duplicate", _seeded(entries, made, calibration, "duplicate")
    names = sorted(entries)
    others = dict(zip(names, [*names[1:], names[0]], strict=True))
    crops = {name: _crop(found.files[other][0][0], name, engines) for name, other in others.items()}
    taken = {name: one for name, one in crops.items() if one is not None}
    yield "shared_picture", _seeded(entries, taken, calibration, "shared_picture")
    yield "look_alike", _most_alike(found, entries, calibration)


def _seeded(
    entries: dict[str, list[Reference]], seeds: Mapping[str, Reference], calibration: Calibration, kind: Kind
) -> Seeding:
    """One list in which every entry of `seeds` has its seed."""
    with_seeds = {name: [*own, *([seeds[name]] if name in seeds else [])] for name, own in entries.items()}
    checked = _checked(with_seeds, calibration)
    told = [set(one.pictures) for one in checked.findings if one.kind == kind]
    found = sum(any(f"{name}/seed" in pictures for pictures in told) for name in seeds)
    # Of two copies either may be kept: what counts is that not both are.
    kept = {one.name for one in checked.enrolment.references}
    pairs = {name: {f"{name}/seed", entries[name][0].name} for name in seeds}
    refused = sum(
        not pairs[name] <= kept if kind == "duplicate" else f"{name}/seed" not in kept for name in seeds
    )
    return Seeding(len(seeds), found, refused)


def _most_alike(found: _People, entries: dict[str, list[Reference]], calibration: Calibration) -> Seeding:
    """The two most alike people of the whole folder, each with all pictures, on the list."""
    firsts = {name: files[0][1] for name, files in found.files.items() if files}
    names = sorted(firsts)
    rows = np.stack([firsts[name].embedding for name in names])
    similarities = np.triu(rows @ rows.T, 1)
    first, second = (names[int(i)] for i in np.unravel_index(int(similarities.argmax()), similarities.shape))
    both = {name: [one for _, one in found.files[name]] for name in (first, second)}
    checked = _checked(entries | both, calibration)
    limit = checked.limits.lookalike_similarity if checked.limits else 1.0
    told = [one for one in checked.findings if set(one.subjects) == {first, second}]
    # Where nobody in the folder reaches the threshold there is no look-alike to be found.
    return Seeding(int(similarities.max() >= limit), min(1, len(told)), 0)


def _checked(entries: Mapping[str, Sequence[Reference]], calibration: Calibration) -> CheckedEnrolment:
    references = tuple(one for name in sorted(entries) for one in entries[name])
    reports = tuple(PictureReport(Path(one.name), one.subject_id, "ok") for one in references)
    against = ListCheck(calibration, FALSE_ALERTS_PER_1000_FACES)
    return check_enrolment(Enrolment(references, reports, ()), against)


def _read(images: Path, engines: Engines, people: int | None) -> _People:
    files: dict[str, list[tuple[bytes, Reference]]] = {}
    paths: dict[str, list[Path]] = {}
    for path in sorted(images.rglob("*.jpg")):
        name = path.parent.name if path.parent != images else path.stem.rpartition("_")[0]
        paths.setdefault(name, []).append(path)
    several = [name for name in sorted(paths) if len(paths[name]) >= LEAST_PICTURES][:people]
    others = [name for name in sorted(paths) if len(paths[name]) < LEAST_PICTURES]
    refused = 0
    for name in [*several, *others[: None if people is None else people]]:
        for path in paths[name]:
            data = path.read_bytes()
            try:
                reference = enrol_picture(data, name, f"{name}/{path.name}", engines)
            except EnrolError:
                refused += 1
                continue
            files.setdefault(name, []).append((data, reference))
    return _People(files, refused)


def _copy(data: bytes, name: str, engines: Engines) -> Reference | None:
    """The picture brought to another size and encoded anew."""
    image = decode_image(data)
    small = cv2.resize(image, None, fx=COPY_SCALE, fy=COPY_SCALE, interpolation=cv2.INTER_AREA)
    return _again(encode_jpeg(np.asarray(small, np.uint8), COPY_QUALITY), name, engines)


def _crop(data: bytes, name: str, engines: Engines) -> Reference | None:
    """The picture without its borders, encoded anew."""
    image = decode_image(data)[CROP_PX:, CROP_PX : -2 * CROP_PX]
    return _again(encode_jpeg(np.ascontiguousarray(image), COPY_QUALITY), name, engines)


def _again(data: bytes, name: str, engines: Engines) -> Reference | None:
    """The changed picture as a reference of that entry; None where the face search refuses it."""
    try:
        return enrol_picture(data, name, f"{name}/seed", engines)
    except EnrolError:
        return None


def main(
    images: Annotated[Path, typer.Argument(metavar="IMAGES")],
    embedder: Annotated[str, typer.Option("--embedder")] = PerceptionOptions().embedder,
    people: Annotated[int | None, typer.Option("--people", min=2)] = None,
) -> None:
    """Prints one JSON document."""
    typer.echo(json.dumps(asdict(measure(images, embedder, people=people)), indent=2))


if __name__ == "__main__":
    typer.run(main)
