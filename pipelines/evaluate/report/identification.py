"""The report of `aiqyn evaluate identification`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate.degrade import Degradation, degrade, seed_of
from pipelines.evaluate.identification import NO_FACE, Searches
from pipelines.evaluate.identification_protocol import Draw
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
from pipelines.evaluate.report.pictures import thumbnail, thumbnail_of
from vision.errors import ImageError
from vision.images import read_image
from vision.types import Float32

_HEADLINE = "0.01"


@dataclass(frozen=True, slots=True, repr=False)
class IdentificationMatter:
    """What the report shows beside the figures: pictures by name, and how alike they were.

    Attributes:
        folder: of the pictures.
        draw: who was searched for among whom.
        searches: of the photographs.
        boxes: (4,) xyxy of the central face, by picture.
        without_face: probes and references in which none was found.
        conditions: the degradations measured.
        seed: of the degradations.
    """

    folder: Path
    draw: Draw
    searches: Searches
    boxes: Mapping[str, Float32] = field(default_factory=dict)
    without_face: tuple[str, ...] = ()
    conditions: tuple[Degradation, ...] = ()
    seed: int = 0


def identification_body(matter: IdentificationMatter, document: Mapping[str, Any]) -> ReportBody:
    """Figures, plots and worst cases of an identification run."""
    searches = matter.searches
    plots = [
        Plot(
            "Misses against false alerts",
            det_spec(document),
            "DET curve, both axes logarithmic, log scale per NIST. Dotted: fewer than ten false alerts lie behind "
            "the threshold. Bars: 95 % intervals.",
        ),
        Plot(
            "How alike probes are to the gallery",
            charts.histogram(
                {
                    "listed people: to their own reference": searches.mate[searches.mate > NO_FACE],
                    "strangers: to whom they resemble most": searches.non_mated[searches.non_mated > NO_FACE],
                },
                "cosine similarity",
            ),
            "Where the two overlap, no threshold parts them.",
        ),
    ]
    tables = [_operating_points(document)]
    if "cctv" in document:
        plots.append(_cctv_plot(document))
        tables.append(_cctv_table(document))
    if "groups" in document:
        plots.append(_group_plot(document["groups"]))
        tables.append(_group_table(document["groups"]))
    return ReportBody(
        title="Identification: who is found among listed people, and who is taken for one",
        summary=_summary(document),
        figures=_headline(document),
        plots=tuple(plots),
        tables=tuple(tables),
        exhibits=tuple(_worst(matter)),
        cautions=CAUTIONS,
    )


CAUTIONS = (
    "The intervals cover other people in the same kind of picture. Photographs are not a street camera's frames, and a simulated camera is no camera.",
    "Rates belong to this gallery size and number of references: a larger gallery raises more false alerts at the same threshold.",
    "One look decides here. A track of several looks is decided by fusion, which is measured apart.",
    "Without groups nothing is known of differences between groups of people; published measurements of other models found large ones.",
)


def det_spec(document: Mapping[str, Any]) -> dict[str, Any]:
    """The DET curve of a document of `aiqyn evaluate identification`, as Vega-Lite."""
    points = [
        {"fpir": float(rate), "fnir": fnir, "low": low, "high": high}
        for rate, fnir in document["fnir_at_fpir"].items()
        if fnir is not None
        for low, high in [document["fnir_at_fpir_interval_95"][rate]]
    ]
    return charts.det_chart({"photographs": document["det"]}, points)


def _summary(document: Mapping[str, Any]) -> str:
    references = document["references_each"]
    return (
        f"{document['gallery_size']} people enrolled with {references} reference{'s' if references > 1 else ''} "
        f"each; {document['mated_probes']} probes of them and {document['non_mated_probes']} of other people, "
        f"one picture a person. Definitions of ISO/IEC 19795-1, rank 1."
    )


def _headline(document: Mapping[str, Any]) -> tuple[Figure, ...]:
    figures = [
        Figure(
            f"misses at {nominal(rate)} false alerts",
            percent(fnir),
            percent_interval(document["fnir_at_fpir_interval_95"][rate]),
            "" if fnir is not None else "too few strangers measured: ten false alerts are needed",
        )
        for rate, fnir in document["fnir_at_fpir"].items()
    ]
    rank1 = Figure(
        "right person first",
        percent(document["rank1"]),
        percent_interval(document["rank1_interval_95"]),
        "without a threshold",
    )
    return (*figures, rank1)


def _operating_points(document: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            nominal(rate),
            percent(fnir),
            percent_interval(document["fnir_at_fpir_interval_95"][rate]) or "–",
            _number(document["threshold_at_fpir"][rate]),
        )
        for rate, fnir in document["fnir_at_fpir"].items()
    )
    return Table(
        "Operating points",
        ("false alerts (FPIR)", "misses (FNIR)", "95 %", "similarity above"),
        rows,
        f"Probes without a face: {document['mated_without_face']} of listed people (missed), "
        f"{document['non_mated_without_face']} of strangers (no alert). "
        f"References without a face: {document['references_without_face']}.",
    )


def _rate_shown(document: Mapping[str, Any]) -> str:
    """The strictest usual rate that the sample supports."""
    known = [rate for rate, fnir in document["fnir_at_fpir"].items() if fnir is not None]
    return _HEADLINE if _HEADLINE in known or not known else known[-1]


def _cctv_plot(document: Mapping[str, Any]) -> Plot:
    rate = _rate_shown(document)
    rows = [
        {
            "name": name,
            "series": "FNIR",
            "value": figures["fnir_at_fpir"][rate],
            "low": interval[0],
            "high": interval[1],
        }
        for name, figures in {"photographs": document, **document["cctv"]}.items()
        if (interval := figures["fnir_at_fpir_interval_95"][rate]) is not None
    ]
    title = f"misses at {nominal(rate)} false alerts"
    return Plot(
        "Under simulated CCTV",
        charts.intervals(rows, title),
        "References are photographs, probes are degraded; the threshold is taken anew under each condition.",
    )


def _cctv_table(document: Mapping[str, Any]) -> Table:
    rate = _rate_shown(document)
    rows = []
    for name, figures in document["cctv"].items():
        fixed = figures["at_clean_threshold"].get(rate)
        rows.append(
            (
                name,
                percent(figures["fnir_at_fpir"][rate]),
                percent_interval(figures["fnir_at_fpir_interval_95"][rate]) or "–",
                percent(figures["rank1"]),
                str(figures["mated_without_face"] + figures["non_mated_without_face"]),
                percent(fixed["fnir"]) if fixed else "–",
                percent(fixed["fpir"]) if fixed else "–",
            )
        )
    columns = (
        "condition",
        "misses",
        "95 %",
        "right first",
        "no face",
        "misses, fixed threshold",
        "false alerts, fixed",
    )
    return Table(
        f"Simulated CCTV at {nominal(rate)} false alerts",
        columns,
        tuple(rows),
        "Fixed: the threshold measured on photographs, as a calibration on photographs would set it.",
    )


def _group_rows(groups: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for label, rates in groups["by_group"].items():
        for rate, value in rates["fnir_at_fpir"].items():
            interval = rates["fnir_at_fpir_interval_95"][rate]
            if interval is not None:
                series = f"misses at {nominal(rate)}"
                rows.append(
                    {"name": label, "series": series, "value": value, "low": interval[0], "high": interval[1]}
                )
    return rows


def _group_plot(groups: Mapping[str, Any]) -> Plot:
    return Plot(
        "Misses by group",
        charts.intervals(_group_rows(groups), "misses"),
        f"Groups as supplied; everybody's threshold. Groups of fewer than {groups['min_cell']} are not shown.",
    )


def _group_table(groups: Mapping[str, Any]) -> Table:
    rows = [
        (
            label,
            nominal(rate),
            str(rates["mated_probes"]),
            percent(rates["fnir_at_fpir"][rate]),
            percent_interval(rates["fnir_at_fpir_interval_95"][rate]) or "–",
            str(rates["non_mated_probes"]),
            percent(rates["fpir_at_fpir"][rate]),
            percent_interval(rates["fpir_at_fpir_interval_95"][rate]) or "–",
        )
        for label, rates in groups["by_group"].items()
        for rate in rates["fnir_at_fpir"]
    ]
    columns = ("group", "everybody's FPIR", "listed", "misses", "95 %", "strangers", "false alerts", "95 %")
    note = f"{groups['unlabelled_probes']} probes are in no group. A dash: too few to tell."
    return Table("By group", columns, tuple(rows), note)


def _worst(matter: IdentificationMatter) -> Iterable[Exhibits]:
    draw, searches = matter.draw, matter.searches
    alike = [
        (
            draw.non_mated[row],
            draw.references[searches.non_mated_subject[row]][0],
            float(searches.non_mated[row]),
        )
        for row in np.argsort(-searches.non_mated)[:MAX_EXHIBITS].tolist()
        if searches.non_mated_subject[row] >= 0
    ]
    seen = np.flatnonzero(searches.mate > NO_FACE)
    unlike = [
        (draw.mated[row], draw.references[row][0], float(searches.mate[row]))
        for row in seen[np.argsort(searches.mate[seen])][:MAX_EXHIBITS].tolist()
    ]
    yield Exhibits(
        "Strangers most like a listed person",
        "Left: the probe. Right: the reference of the person it was taken for. A wrong label in the data shows here first.",
        tuple(_pairs(matter, alike)),
    )
    yield Exhibits(
        "Listed people least like their own reference",
        "Left: the probe. Right: the reference of the same person.",
        tuple(_pairs(matter, unlike)),
    )
    yield Exhibits(
        "Pictures without a face",
        f"{len(matter.without_face)} in all: none was found.",
        tuple(
            Exhibit((jpeg,), name)
            for name in matter.without_face[:MAX_EXHIBITS]
            if (jpeg := thumbnail_of(matter.folder / name)) is not None
        ),
    )
    if matter.conditions:
        yield Exhibits(
            "What the simulated camera saw", "One probe under each condition.", tuple(_conditions(matter))
        )


def _pairs(matter: IdentificationMatter, pairs: list[tuple[str, str, float]]) -> Iterable[Exhibit]:
    for probe, reference, similarity in pairs:
        jpegs = [thumbnail_of(matter.folder / name, matter.boxes.get(name)) for name in (probe, reference)]
        if all(jpegs):
            shown = tuple(jpeg for jpeg in jpegs if jpeg)
            yield Exhibit(shown, f"{similarity:.3f}: {probe} and {reference}")


def _conditions(matter: IdentificationMatter) -> Iterable[Exhibit]:
    name = next((name for name in matter.draw.mated if name in matter.boxes), None)
    if name is None:
        return
    try:
        image = read_image(matter.folder / name)
    except ImageError:
        return
    for how in matter.conditions:
        seen = degrade(image, matter.boxes[name], how, seed_of(matter.seed, name))
        yield Exhibit((thumbnail(seen),), how.name)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
