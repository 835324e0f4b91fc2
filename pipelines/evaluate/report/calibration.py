"""The report of `aiqyn evaluate calibration`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate.report.body import MAX_EXHIBITS, Exhibit, Exhibits, Figure, Plot, ReportBody, Table
from pipelines.evaluate.report.charts import HEIGHT_PX, WIDTH_PX
from pipelines.evaluate.report.pictures import thumbnail_of
from vision.identify.calibration import Calibration

_LIST_SIZES = (1, 10, 100, 1000)
_POINTS = 40


@dataclass(frozen=True, slots=True, repr=False)
class CalibrationMatter:
    """What the report shows beside the figures.

    Attributes:
        folder: of the pictures.
        images: names of those with a face, in the order of the sample's pictures.
        calibration: what came of them.
    """

    folder: Path
    images: tuple[str, ...]
    calibration: Calibration


def calibration_body(matter: CalibrationMatter, document: Mapping[str, Any]) -> ReportBody:
    """Rates by threshold, operating points, and the strangers most alike."""
    return ReportBody(
        title="Calibration: how often a stranger resembles somebody listed",
        summary=(
            f"{document['pictures']} pictures of {document['people']} people, "
            f"{document['picture_pairs']} pairs of pictures of different people."
        ),
        figures=(
            Figure("calibration", str(document["calibration"])),
            Figure(
                "strictest supported similarity",
                f"{document['strictest_threshold']:.3f}",
                note="beyond it too few pairs of people are left to promise a rate",
            ),
            Figure("looks of one face agree above", f"{document['disagreement_similarity']:.3f}"),
        ),
        plots=(
            Plot(
                "False alerts by similarity asked for",
                _rates(matter.calibration),
                "One line for each length of list, with the 95 % interval in which as many other people would "
                "show the rate. The lines end where the sample does.",
            ),
        ),
        tables=(_table(document),),
        exhibits=(_most_alike(matter),),
        cautions=(
            "The pictures decide what the rates mean: portraits are not a street camera's frames.",
            "One look against one reference was compared; a track has several looks.",
            "One rate over everybody hides that some groups are taken for each other more often.",
        ),
    )


def _rates(calibration: Calibration) -> dict[str, Any]:
    model = calibration.model
    rows = []
    for size in _LIST_SIZES:
        for threshold in np.linspace(model.least_threshold, model.strictest_threshold, _POINTS).tolist():
            at = model.rate_at(threshold, size)
            rates = {"rate": 1000 * at.rate, "low": 1000 * at.low, "high": 1000 * at.high}
            rows.append({"list": f"{size} listed", "similarity": threshold, **rates})
    x = {"field": "similarity", "type": "quantitative", "title": "similarity", "scale": {"zero": False}}
    y = {
        "field": "rate",
        "type": "quantitative",
        "title": "false alerts per 1,000 faces",
        "scale": {"type": "log"},
    }
    colour = {"field": "list", "type": "nominal", "sort": None}
    band = {"x": x, "y": dict(y, field="low"), "y2": {"field": "high"}, "color": colour}
    return {
        "width": WIDTH_PX,
        "height": HEIGHT_PX,
        "data": {"values": rows},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.2}, "encoding": band},
            {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, "color": colour}},
        ],
    }


def _table(document: Mapping[str, Any]) -> Table:
    return Table(
        "Thresholds",
        ("listed", "wanted per 1,000", "similarity", "one look alone", "expected per 1,000", "95 %"),
        tuple(
            (
                f"{row['gallery_size']}",
                f"{row['wanted_false_alerts_per_1000_faces']:g}",
                f"{row['threshold']:.3f}",
                _number(row["single_look_threshold"], ".3f"),
                _number(row["expected_false_alerts_per_1000_faces"], ".3g"),
                " to ".join(f"{end:.2g}" for end in row["expected_interval_95"]),
            )
            for row in document["operating_points"]
        ),
        "A dash: the sample cannot support so low a rate. The similarity is then the strictest supported one, and "
        "the interval is that of the rate there, which is higher than the one wanted.",
    )


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def _most_alike(matter: CalibrationMatter) -> Exhibits:
    return Exhibits(
        "Strangers most alike",
        "One pair of pictures for each pair of people. A wrong name in the data shows here first, and every rate "
        "for long lists rests on pairs like these.",
        tuple(_exhibits(matter)),
    )


def _exhibits(matter: CalibrationMatter) -> Iterable[Exhibit]:
    sample = matter.calibration.model.sample
    people = np.stack([sample.person_of(sample.first), sample.person_of(sample.second)], axis=1)
    _, once = np.unique(np.sort(people, axis=1), axis=0, return_index=True)
    for pair in np.sort(once)[:MAX_EXHIBITS].tolist():
        names = [matter.images[int(column[pair])] for column in (sample.first, sample.second)]
        jpegs = [thumbnail_of(matter.folder / name) for name in names]
        caption = f"{sample.similarity[pair]:.3f}: {names[0]} and {names[1]}"
        yield Exhibit(tuple(jpeg for jpeg in jpegs if jpeg), caption)
