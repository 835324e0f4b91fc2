"""`python -m bench.fusion IMAGES`: how many listed people are missed by one look and one reference, and by several.

IMAGES holds photographs of people, one folder per person. Whoever has three or more is on the list; some of her
photographs are references, the others, each degraded like CCTV, are the looks of one probe: no photograph is both.
Everybody else is a probe too, who is on no list. Looks go through `TrackFusion` as in a session, refused where the
quality gate refuses them there, weighted as there; references lie in one `Gallery`, several to a subject.

The threshold of each condition is the similarity at which two in a hundred of those on no list raise an alert. The
split into references and looks is drawn anew many times; misses are averaged over the draws and the intervals
come from drawing people anew (bootstrap, percentiles): every person of either kind with all her draws.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.evaluate.degrade import SEPARATELY, TOGETHER, Degradation, degrade, seed_of
from pipelines.evaluate.faces import central_face, list_faces
from pipelines.face_track import look_weight
from pipelines.stages import Engines
from vision.identify.calibration import Calibration
from vision.identify.fusion import FusionOptions, TrackFusion
from vision.identify.gallery import Gallery
from vision.images import read_image
from vision.types import Float32
from weights.catalog import load_catalog
from weights.store import WeightStore

LEAST_PICTURES = 3
FALSE_ALERT_RATE = 0.02
DRAWS = 20
RESAMPLES = 1000
KINDS: Mapping[str, tuple[Degradation, ...]] = {"separately": SEPARATELY, "together": TOGETHER}
"""One thing at a time, drawn for each photograph: a face of 48, 32 or 24 px, or of 48 px smeared by motion or squeezed
by H.264. Or all three at once, which leaves so little of a face that nothing is found at a rate worth having."""

_NOTHING = -2.0
"""Below every cosine: nobody was resembled."""

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a probe and the list are given.

    Attributes:
        name: in the report.
        all_looks: every look of the probe, else one.
        all_references: every reference of a subject, else one.
        weighted: looks by their quality, else alike.
    """

    name: str
    all_looks: bool
    all_references: bool
    weighted: bool = True


ONE_AND_ONE = Condition("one look, one reference", all_looks=False, all_references=False)
EVERYTHING = Condition("all looks, all references", all_looks=True, all_references=True)
CONDITIONS = (
    ONE_AND_ONE,
    Condition("one look, all references", all_looks=False, all_references=True),
    Condition("all looks unweighted, one reference", all_looks=True, all_references=False, weighted=False),
    Condition("all looks, one reference", all_looks=True, all_references=False),
    Condition("all looks unweighted, all references", all_looks=True, all_references=True, weighted=False),
    EVERYTHING,
)


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """What a condition came to.

    Attributes:
        condition: its name.
        fnir: share of listed probes that are missed at the false alert rate, mean over the draws.
        interval_95: of it.
        fall: of the misses against one look and one reference, as a share of those.
        fall_interval_95: of it, by the same draws of people.
    """

    condition: str
    fnir: float
    interval_95: tuple[float, float]
    fall: float
    fall_interval_95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FusionFigures:
    """What was measured.

    Attributes:
        embedder: catalogue id.
        degradations: name of the set that each look's was drawn from.
        people_listed: probes on the list.
        people_not_listed: the others.
        false_alert_rate: at which misses are counted, a share of those not listed.
        draws: of references and looks.
        looks_refused: degraded photographs without a face, or refused by the quality gate.
        looks: degraded photographs in all.
        conditions: what each came to.
    """

    embedder: str
    degradations: str
    people_listed: int
    people_not_listed: int
    false_alert_rate: float
    draws: int
    looks_refused: int
    looks: int
    conditions: tuple[ConditionFigures, ...]

    def of(self, condition: Condition) -> ConditionFigures:
        """The figures of one condition."""
        return next(one for one in self.conditions if one.condition == condition.name)


@dataclass(frozen=True, slots=True, repr=False)
class Photograph:
    """What became of one photograph.

    Attributes:
        reference: its template; None where no face was found.
        look: the template of the degraded copy; None where nothing good enough was found.
        weight: of the look, as a session weighs it.
    """

    reference: Float32 | None
    look: Float32 | None
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class _Draw:
    """Which photographs are what, by person."""

    references: dict[str, list[Photograph]]
    looks: dict[str, list[Photograph]]


def read_people(
    images: Path, engines: Engines, kinds: Sequence[Degradation], told: Callable[[str], None], seed: int = 0
) -> dict[str, list[Photograph]]:
    """Every photograph as reference and, degraded by a kind drawn from its name, as look; by person."""
    people: dict[str, list[Photograph]] = {}
    for number, name in enumerate(list_faces(images)):
        if number % 200 == 0:
            told(f"{number} photographs")
        chance = np.random.default_rng(seed_of(seed, name))
        how = kinds[int(chance.integers(len(kinds)))]
        person = Path(name).parent.as_posix()
        people.setdefault(person, []).append(_photograph(images, name, engines, how, seed))
    return people


def _photograph(images: Path, name: str, engines: Engines, how: Degradation, seed: int) -> Photograph:
    image = read_image(images / name)
    face = central_face(engines.face_detector.detect(image), image)
    if not len(face):
        return Photograph(None, None)
    reference = engines.embedder.embed(image, face.landmarks)[0]
    shown = degrade(image, face.xyxy[0], how, seed_of(seed, name))
    found = central_face(engines.face_detector.detect(shown), shown)
    if not len(found):
        return Photograph(reference, None)
    (quality,) = engines.measure_quality(shown, found)
    if not quality.good:
        return Photograph(reference, None)
    return Photograph(reference, engines.embedder.embed(shown, found.landmarks)[0], look_weight(quality))


def similarities(
    people: Mapping[str, Sequence[Photograph]], calibration: Calibration, draws: int, seed: int = 0
) -> dict[str, tuple[Float64, Float64]]:
    """For each condition the similarities that count.

    Returns:
        Condition's name → ((draws, listed), (draws, not listed)): of a listed probe to herself where she is the most
        alike of the list, of the others to whoever they resemble most; −2 where there is none.
    """
    listed = sorted(name for name, pictures in people.items() if len(pictures) >= LEAST_PICTURES)
    others = sorted(set(people) - set(listed))
    chance = np.random.default_rng(seed)
    found: dict[str, tuple[list[list[float]], list[list[float]]]] = {c.name: ([], []) for c in CONDITIONS}
    for _ in range(draws):
        draw = _drawn(people, listed, chance)
        for condition in CONDITIONS:
            search = _Search(draw, condition, calibration)
            found[condition.name][0].append([search.own(name) for name in listed])
            found[condition.name][1].append([search.best(name)[1] for name in others])
    return {name: (np.array(mated), np.array(non_mated)) for name, (mated, non_mated) in found.items()}


def _drawn(
    people: Mapping[str, Sequence[Photograph]], listed: Sequence[str], chance: np.random.Generator
) -> _Draw:
    """Half of each listed person's photographs as references, an odd one on either side by chance."""
    references, looks = {}, {}
    for name in sorted(people):
        pictures = [people[name][i] for i in chance.permutation(len(people[name]))]
        half = (len(pictures) + int(chance.integers(2))) // 2 if name in set(listed) else 0
        references[name], looks[name] = pictures[:half], pictures[half:]
    return _Draw({name: references[name] for name in listed}, looks)


class _Search:
    """The list of one draw under one condition, and the tracks that are searched in it."""

    def __init__(self, draw: _Draw, condition: Condition, calibration: Calibration) -> None:
        self._draw = draw
        self._condition = condition
        rows, owners = [], []
        for name, pictures in draw.references.items():
            usable = [one.reference for one in pictures if one.reference is not None]
            kept = usable if condition.all_references else usable[:1]
            rows += kept
            owners += [name] * len(kept)
        self._gallery = Gallery(np.stack(rows), owners)
        self._options = FusionOptions(
            min_looks=2, disagreement_similarity=calibration.disagreement_similarity
        )
        self._point = calibration.operating_point(
            gallery_templates=self._gallery.template_count,
            gallery_subjects=len(self._gallery),
            false_alerts_per_1000_faces=1000 * FALSE_ALERT_RATE,
        )

    def best(self, name: str) -> tuple[str, float]:
        """Whom a probe's track resembles most, and how much."""
        pictures = self._draw.looks[name]
        fusion = TrackFusion(self._options)
        for one in pictures if self._condition.all_looks else pictures[:1]:
            if one.look is not None:
                weight = one.weight if self._condition.weighted else 1.0
                fusion.add(one.look, weight, self._gallery, self._point)
        answer = fusion.identification
        return (answer.subject_ids[0], answer.similarities[0]) if len(answer) else ("", _NOTHING)

    def own(self, name: str) -> float:
        """How much a listed probe resembles herself, where she resembles nobody more."""
        subject, similarity = self.best(name)
        return similarity if subject == name else _NOTHING


def miss_rate(mated: Float64, non_mated: Float64) -> float:
    """FNIR at the false alert rate, mean over draws.

    Args:
        mated: (draws, listed).
        non_mated: (draws, not listed).
    """
    alerts = int(FALSE_ALERT_RATE * non_mated.shape[1])
    # An alert is a similarity above the threshold: at the next one's similarity exactly so many are.
    thresholds = -np.partition(-non_mated, alerts, axis=1)[:, alerts]
    return float((mated <= thresholds[:, np.newaxis]).mean())


def summary(found: Mapping[str, tuple[Float64, Float64]], seed: int = 0) -> tuple[ConditionFigures, ...]:
    """Each condition's misses with intervals, all from the same draws of people."""
    first, second = found[ONE_AND_ONE.name]
    chance = np.random.default_rng(seed)
    resampled: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(RESAMPLES):
        who = chance.integers(first.shape[1], size=first.shape[1])
        others = chance.integers(second.shape[1], size=second.shape[1])
        for name, (mated, non_mated) in found.items():
            resampled[name].append(miss_rate(mated[:, who], non_mated[:, others]))
    base, base_drawn = miss_rate(first, second), np.array(resampled[ONE_AND_ONE.name])
    return tuple(
        ConditionFigures(
            condition=name,
            fnir=miss_rate(*found[name]),
            interval_95=_ends(np.array(resampled[name])),
            fall=1 - miss_rate(*found[name]) / base if base else 0.0,
            fall_interval_95=_ends(1 - np.array(resampled[name]) / np.maximum(base_drawn, 1e-9)),
        )
        for name in found
    )


def _ends(values: Float64) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def measure(
    images: Path, engines: Engines, degradations: str, told: Callable[[str], None] = lambda _: None
) -> FusionFigures:
    """The whole experiment.

    Args:
        images: one folder per person.
        engines: the models of a session.
        degradations: a key of `KINDS`.
        told: of progress.
    """
    people = read_people(images, engines, KINDS[degradations], told)
    told("searching")
    found = similarities(people, engines.calibration, DRAWS)
    listed, others = (part.shape[1] for part in found[ONE_AND_ONE.name])
    pictures = [one for several in people.values() for one in several]
    return FusionFigures(
        embedder=engines.embedder_id,
        degradations=degradations,
        people_listed=listed,
        people_not_listed=others,
        false_alert_rate=FALSE_ALERT_RATE,
        draws=DRAWS,
        looks_refused=sum(one.look is None for one in pictures),
        looks=len(pictures),
        conditions=summary(found),
    )


def table(figures: FusionFigures) -> Iterator[str]:
    """The figures as lines of text."""
    yield (
        f"{figures.people_listed} listed, {figures.people_not_listed} not; misses at "
        f"{figures.false_alert_rate:.0%} false alerts; degraded {figures.degradations}, "
        f"{figures.looks_refused} of {figures.looks} looks refused"
    )
    for one in figures.conditions:
        low, high = one.interval_95
        fall_low, fall_high = one.fall_interval_95
        yield (
            f"{one.condition:38} {one.fnir:6.1%} ({low:.1%} to {high:.1%})   fall {one.fall:6.1%} "
            f"({fall_low:.1%} to {fall_high:.1%})"
        )


def main(
    images: Annotated[Path, typer.Argument(metavar="IMAGES")],
    degradations: Annotated[str, typer.Option(help=" or ".join(KINDS))] = "separately",
    embedder: Annotated[str, typer.Option()] = PerceptionOptions().embedder,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Prints a table, or one JSON document."""
    root = load_config(None).paths.weights_dir
    options = PerceptionOptions(detector=None, embedder=embedder)
    engines = build_perception(WeightStore(root, load_catalog(root)), options).engines()
    figures = measure(images, engines, degradations, lambda text: typer.echo(text, err=True))
    if as_json:
        document: dict[str, Any] = asdict(figures)
        typer.echo(json.dumps(document, indent=2))
        return
    for line in table(figures):
        typer.echo(line)


if __name__ == "__main__":
    typer.run(main)
