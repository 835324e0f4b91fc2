"""Whether a calibration's intervals hold for people it has not seen: `python -m bench.calibration --images DIR`.

The people are split in two at random, again and again. One half gives the calibration: for a size of list
and a wanted rate a threshold, and the interval in which other people's rate should lie. The other half tells
the rate: over all lists that can be drawn of it, and over a single list with everybody else before it, where
the alerts are so few that chance must be allowed for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import nbinom

from pipelines.build import build_embedder, build_face_detector
from pipelines.config import load_config
from pipelines.evaluate.faces import embed_images, identities, list_faces
from vision.errors import GalleryError
from vision.identify.false_matches import WIDEST_INTERVAL, FalseMatchModel, RateEstimate
from vision.identify.impostors import ImpostorSample
from vision.runtime import RuntimeOptions
from vision.types import Float32, Int64
from weights.catalog import load_catalog
from weights.store import WeightStore

SPLITS = 50
GALLERY_SIZES = (1, 10, 50, 100, 200, 500, 1000, 2000)
WANTED_RATES = (0.001, 0.003, 0.01, 0.03, 0.1)
_OBSERVED_SHARE = 0.02
"""Of its pairs, what the observing half keeps: it must see below every threshold of the other."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One split, one size of list, one wanted rate that the calibrating half supports.

    Attributes:
        threshold: that follows.
        low, high: stated ends of the 95 % interval, false alerts per face.
        observed: rate of the other half, over all its lists.
        held: whether it lies between the ends.
        alerts: with a single list of the other half.
        faces: before that list.
        alerts_held: whether so many were to be expected, chance allowed for; None where too few people are left.
    """

    gallery_size: int
    wanted: float
    threshold: float
    low: float
    high: float
    observed: float
    held: bool
    alerts: int
    faces: int
    alerts_held: bool | None


def split_trials(embeddings: Float32, identity: Int64, seed: int) -> Iterator[Trial]:
    """All trials of one random split.

    Args:
        embeddings: (N, D) float32 of unit length.
        identity: (N,) who is in each picture, 0 to P − 1.
        seed: of the split.
    """
    rng = np.random.default_rng(seed)
    people = int(identity.max()) + 1
    ours = np.isin(identity, rng.permutation(people)[: people // 2])
    model = FalseMatchModel(ImpostorSample.from_embeddings(embeddings[ours], identity[ours]))
    other = ImpostorSample.from_embeddings(embeddings[~ours], identity[~ours], kept_share=_OBSERVED_SHARE)
    observer = FalseMatchModel(other)
    for size in (size for size in GALLERY_SIZES if size < other.people):
        for wanted in WANTED_RATES:
            threshold = model.threshold_for(wanted, size)
            if threshold is None or threshold <= max(model.least_threshold, observer.least_threshold):
                continue
            stated = model.rate_at(threshold, size)
            if not stated.supported:
                continue
            observed = observer.rate_at(threshold, size).rate
            alerts, faces = _single_list(embeddings[~ours], identity[~ours], size, threshold, rng)
            yield Trial(
                size,
                wanted,
                threshold,
                stated.low,
                stated.high,
                observed,
                stated.low <= observed <= stated.high,
                alerts,
                faces,
                _expected_count(stated, alerts, faces),
            )


def _single_list(
    embeddings: Float32, identity: Int64, size: int, threshold: float, rng: np.random.Generator
) -> tuple[int, int]:
    """One picture of each person; `size` of them listed, the others before the list."""
    people = np.unique(identity)
    rows = np.array([rng.choice(np.flatnonzero(identity == person)) for person in rng.permutation(people)])
    listed, faces = embeddings[rows[:size]], embeddings[rows[size:]]
    return int(((faces @ listed.T).max(axis=1) >= threshold).sum()) if len(faces) else 0, len(faces)


def _expected_count(stated: RateEstimate, alerts: int, faces: int) -> bool | None:
    """Whether the count lies where 95 % should: a Poisson count whose rate itself varies as stated."""
    if not faces:
        return None
    mean = stated.rate * faces
    spread = math.log(stated.high / stated.low) / (2 * 1.959964)
    shape = 1 / spread**2
    low, high = nbinom.ppf((0.025, 0.975), shape, shape / (shape + mean))
    return bool(low <= alerts <= high)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What fifty splits came to.

    Attributes:
        splits: made.
        unsupported_splits: of those, how many calibrating halves support no rate at all.
        trials: splits × sizes × rates that were supported.
        held_share: of the trials, whose observed rate lay in the stated interval.
        alerts_held_share: whose count with a single list lay where 95 % should.
        widest_factor: between the ends of an interval.
        points: for each size and rate: trials, share held, median and widest factor, median observed rate.
    """

    splits: int
    unsupported_splits: int
    trials: int
    held_share: float
    alerts_held_share: float
    widest_factor: float
    points: tuple[dict[str, Any], ...]


def examine(embeddings: Float32, identity: Int64, splits: int = SPLITS) -> Verdict:
    """The experiment on templates already made.

    Raises:
        ValueError: no half supported any rate.
    """
    trials: list[Trial] = []
    unsupported = 0
    for seed in range(splits):
        try:
            trials.extend(split_trials(embeddings, identity, seed))
        except GalleryError:
            unsupported += 1
    if not trials:
        raise ValueError("no half of these people supports any rate of false alerts: more people are needed")
    counted = [trial.alerts_held for trial in trials if trial.alerts_held is not None]
    return Verdict(
        splits,
        unsupported,
        len(trials),
        float(np.mean([trial.held for trial in trials])),
        float(np.mean(counted)),
        max(trial.high / trial.low for trial in trials),
        tuple(_points(trials)),
    )


def _points(trials: Sequence[Trial]) -> Iterator[dict[str, Any]]:
    for size, wanted in sorted({(trial.gallery_size, trial.wanted) for trial in trials}):
        own = [trial for trial in trials if (trial.gallery_size, trial.wanted) == (size, wanted)]
        factors = [trial.high / trial.low for trial in own]
        yield {
            "gallery_size": size,
            "wanted_per_1000_faces": 1000 * wanted,
            "supported_splits": len(own),
            "held_share": float(np.mean([trial.held for trial in own])),
            "median_factor": float(np.median(factors)),
            "widest_factor": max(factors),
            "median_observed_per_1000_faces": 1000 * float(np.median([trial.observed for trial in own])),
        }


def measure(images: Path, embedder_id: str | None = None, splits: int = SPLITS) -> Verdict:
    """The experiment on a folder of pictures, one sub-folder per person, with the settings' models."""
    settings = load_config(None)
    store = WeightStore(settings.paths.weights_dir, load_catalog(settings.paths.weights_dir))
    runtime = RuntimeOptions(settings.worker.providers, settings.worker.intra_op_threads)
    detector = build_face_detector(store, settings.models.face_detector, runtime)
    embedder = build_embedder(store, embedder_id or settings.models.embedder, runtime)
    names = list_faces(images)
    faces = embed_images(images, names, detector, embedder)
    identity = np.unique(identities(names)[faces.found], return_inverse=True)[1].astype(np.int64)
    return examine(faces.embeddings[faces.found], identity, splits)


def main(
    images: Annotated[Path, typer.Option(help="Folder of pictures, a sub-folder per person.")],
    embedder: Annotated[str | None, typer.Option(help="Catalogue id; the settings' otherwise.")] = None,
    splits: Annotated[int, typer.Option(min=1, help="Random halvings.")] = SPLITS,
) -> None:
    """Prints one JSON document: how often the stated intervals held, and how wide they were."""
    verdict = measure(images, embedder, splits)
    typer.echo(json.dumps({"widest_supported": WIDEST_INTERVAL} | asdict(verdict), indent=2))


if __name__ == "__main__":
    typer.run(main)
