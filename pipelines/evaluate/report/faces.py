"""The report of `aiqyn evaluate faces`."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate.faces import FacePairs, FaceSet, identities
from pipelines.evaluate.report import charts
from pipelines.evaluate.report.body import (
    MAX_EXHIBITS,
    Exhibit,
    Exhibits,
    Figure,
    Plot,
    ReportBody,
    Table,
    nominal,
    percent,
    percent_interval,
)
from pipelines.evaluate.report.pictures import thumbnail_of
from vision.types import Bool, Float32, Int64

_BLOCK_ROWS = 512
_BINS = 100
_RANGE = (-1.0, 1.0)
_LOWEST_RATE_PAIRS = 10


@dataclass(frozen=True, slots=True, repr=False)
class FacesMatter:
    """What the report shows beside the figures.

    Attributes:
        folder: of the pictures.
        images: their names, in the order of the rows.
        faces: of those.
        pairs: of the protocol; None where all pictures were compared without one.
    """

    folder: Path
    images: tuple[str, ...]
    faces: FaceSet
    pairs: FacePairs | None


@dataclass(frozen=True, slots=True, repr=False)
class _Everyone:
    """All pairs of pictures: how their similarities are spread, and the strangers most alike.

    Attributes:
        genuine: (100,) pairs of one person by similarity, in bins from −1 to 1.
        impostor: (100,) pairs of strangers likewise.
        alike: (similarity, row, row) of the strangers most alike, falling.
    """

    genuine: Int64
    impostor: Int64
    alike: tuple[tuple[float, int, int], ...]


def faces_body(matter: FacesMatter, document: Mapping[str, Any]) -> ReportBody:
    """Figures, plots and worst cases of a verification run."""
    everyone = _compare(matter)
    spread = {"one person": everyone.genuine, "strangers": everyone.impostor}
    plots = [
        Plot(
            "How alike pictures are",
            charts.binned(_trimmed(spread), _trimmed_range(spread), "cosine similarity"),
            "All pairs of pictures. Where the two overlap, no threshold parts them.",
        )
    ]
    if everyone.genuine.sum() and everyone.impostor.sum():
        plots.insert(0, _roc(everyone))
    return ReportBody(
        title="Faces: how well the embedder tells people apart",
        summary=_summary(document),
        figures=_headline(document),
        plots=tuple(plots),
        tables=tuple(_tables(document)),
        exhibits=tuple(_worst(matter, everyone)),
        cautions=(
            "Accuracy over listed pairs hides what a watchlist meets: evaluate identification measures that.",
            "Pictures of one person are alike; intervals of true accepts draw people again, those of accuracy count each pair as one trial.",
            "Photographs are not a street camera's frames.",
        ),
    )


def _compare(matter: FacesMatter) -> _Everyone:
    found = np.flatnonzero(matter.faces.found)
    rows, who = matter.faces.embeddings[found], identities(matter.images)[found]
    genuine, impostor = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
    alike: list[tuple[float, int, int]] = []
    for start in range(0, len(found), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        similarity: Float32 = rows[block] @ rows[start:].T
        later: Bool = np.triu(np.ones(similarity.shape, np.bool_), 1)
        same = who[block, None] == who[None, start:]
        genuine += np.histogram(similarity[later & same], _BINS, _RANGE)[0]
        impostor += np.histogram(similarity[later & ~same], _BINS, _RANGE)[0]
        alike = heapq.nlargest(MAX_EXHIBITS, alike + _highest(similarity, later & ~same, found, start))
    return _Everyone(genuine, impostor, tuple(alike))


def _highest(similarity: Float32, counts: Bool, found: Int64, start: int) -> list[tuple[float, int, int]]:
    values = np.where(counts, similarity, -np.inf).ravel()
    best = np.argpartition(values, -min(MAX_EXHIBITS, len(values)))[-MAX_EXHIBITS:]
    rows, columns = np.unravel_index(best, similarity.shape)
    return [
        (float(similarity[row, column]), int(found[start + row]), int(found[start + column]))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if counts[row, column]
    ]


def _trimmed(spread: Mapping[str, Int64]) -> dict[str, Int64]:
    first, last = _filled(spread)
    return {name: counts[first:last] for name, counts in spread.items()}


def _trimmed_range(spread: Mapping[str, Int64]) -> tuple[float, float]:
    first, last = _filled(spread)
    edges = np.linspace(*_RANGE, _BINS + 1)
    return float(edges[first]), float(edges[last])


def _filled(spread: Mapping[str, Int64]) -> tuple[int, int]:
    rows = np.flatnonzero(sum(spread.values()))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, _BINS)


def _roc(everyone: _Everyone) -> Plot:
    """From the bins: a curve to look at; the figures come from the similarities themselves."""
    accepted = np.cumsum(everyone.genuine[::-1]) / everyone.genuine.sum()
    matched = np.cumsum(everyone.impostor[::-1])
    points = [
        {"series": "true accepts", "x": float(false / everyone.impostor.sum()), "y": float(true)}
        for false, true in zip(matched, accepted, strict=True)
        if false >= _LOWEST_RATE_PAIRS
    ]
    reached = [
        float(true) for false, true in zip(matched, accepted, strict=True) if false >= _LOWEST_RATE_PAIRS
    ]
    least = max(0.0, math.floor(20 * min(reached, default=0.0) - 1) / 20)
    return Plot(
        "True accepts against false matches",
        charts.curves(
            points, "false match rate, all pairs of strangers", "true accepts", log_x=True, from_y=least
        ),
        "ROC over all pairs of pictures with a face, from where ten pairs of strangers match falsely.",
    )


def _summary(document: Mapping[str, Any]) -> str:
    listed = f"{document['pairs']} listed pairs, " if "pairs" in document else ""
    return f"{listed}{document['images']} pictures, {document['impostor_pairs']} pairs of different people."


def _headline(document: Mapping[str, Any]) -> tuple[Figure, ...]:
    figures = []
    if "accuracy" in document:
        figures.append(
            Figure("accuracy", percent(document["accuracy"]), percent_interval(document["interval_95"]))
        )
        figures += [
            Figure(
                f"true accepts at {nominal(rate)} false matches",
                percent(share),
                percent_interval(document["tar_at_fmr_interval_95"][rate]),
                "listed pairs" if share is not None else "too few pairs of strangers",
            )
            for rate, share in document["tar_at_fmr"].items()
        ]
    figures.append(Figure("pictures without a face", str(document["undetected"])))
    return tuple(figures)


def _tables(document: Mapping[str, Any]) -> Iterable[Table]:
    if "accuracy" in document:
        rates = document["tar_at_fmr"]
        yield Table(
            "True accepts",
            ("false match rate", "listed pairs", "95 %", "all pairs", "similarity above"),
            tuple(
                (
                    nominal(rate),
                    percent(rates[rate]),
                    percent_interval(document["tar_at_fmr_interval_95"][rate]) or "–",
                    percent(document["tar_at_fmr_all_pairs"][rate]),
                    "–" if at is None else f"{at:.4f}",
                )
                for rate, at in document["threshold_at_fmr"].items()
            ),
        )
    if "impostor_quantiles" in document:
        yield Table(
            "Similarity that strangers reach",
            ("false match rate", "pairs beyond", "similarity", "supported"),
            tuple(
                (
                    f"{row['false_match_rate']:.2g}",
                    str(row["pairs_beyond"]),
                    f"{row['similarity']:.4f}",
                    "yes" if row["supported"] else "no",
                )
                for row in document["impostor_quantiles"]
            ),
        )


def _worst(matter: FacesMatter, everyone: _Everyone) -> Iterable[Exhibits]:
    yield Exhibits(
        "Strangers most alike",
        "Of all pairs of pictures of different people. A wrong label in the data shows here first.",
        tuple(_pairs(matter, everyone.alike)),
    )
    if matter.pairs is not None:
        yield Exhibits(
            "One person, least alike",
            "Of the listed pairs of one person.",
            tuple(_pairs(matter, _least_alike(matter.pairs, matter.faces))),
        )
    yield Exhibits(
        "Pictures without a face",
        f"{len(matter.faces.undetected)} in all: none was found.",
        tuple(
            Exhibit((jpeg,), name)
            for name in matter.faces.undetected[:MAX_EXHIBITS]
            if (jpeg := thumbnail_of(matter.folder / name)) is not None
        ),
    )


def _least_alike(pairs: FacePairs, faces: FaceSet) -> list[tuple[float, int, int]]:
    first, second = pairs.first[pairs.same], pairs.second[pairs.same]
    similarity = (faces.embeddings[first] * faces.embeddings[second]).sum(axis=1)
    known = np.flatnonzero(~np.isnan(similarity))
    order = known[np.argsort(similarity[known])][:MAX_EXHIBITS].tolist()
    return [(float(similarity[row]), int(first[row]), int(second[row])) for row in order]


def _pairs(matter: FacesMatter, pairs: Iterable[tuple[float, int, int]]) -> Iterable[Exhibit]:
    for similarity, *rows in pairs:
        names = [matter.images[row] for row in rows]
        jpegs = [thumbnail_of(matter.folder / name) for name in names]
        if all(jpegs):
            shown = tuple(jpeg for jpeg in jpegs if jpeg)
            yield Exhibit(shown, f"{similarity:.3f}: {names[0]} and {names[1]}")
