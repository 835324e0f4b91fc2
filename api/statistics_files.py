"""Figures as JSON, as CSV, and as a plot (SVG) with their intervals."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from api.review.intervals import CONFIDENCE, Rate, Share
from api.statistics import Group, Statistics
from api.store.statistics import By

SCHEMA: Final = "aiqyn.statistics/1"
EVERYTHING: Final = "all"
SHARES: Final[Mapping[str, str]] = {
    "rejected_of_judged": "Alerts the judges rejected, of all they decided",
    "false_of_known": "Alerts that proved false at the contact, of those known",
    "agreed_of_pairs": "Pairs of answers that agree",
}
FACES: Final = "some faces were not counted, or so few at a camera that they are hidden: false alerts per 1,000 of all are not told"


def as_document(found: Statistics) -> dict[str, Any]:
    """Figures as JSON values. A hidden count is null."""
    return {
        "schema": SCHEMA,
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "by": found.by.value,
        "publishable": found.publishable,
        "least_cell": found.least_cell,
        "confidence": CONFIDENCE,
        "notes": [FACES]
        if found.by in (By.CAMERA, By.NOTHING) and found.total.faces_searched is None
        else [],
        "total": _group(found.total),
        "groups": [_group(one) for one in found.groups],
    }


def as_csv(found: Statistics) -> str:
    """Figures as a table, one row a group; a hidden count is an empty cell (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    counted = list(found.total.counts)
    shares = [f"{name}_{part}" for name in SHARES for part in ("share", "low", "high")]
    plain = ["kappa", "decision_median_seconds", "decision_p90_seconds", "frames_looked_at", "faces_searched"]
    rates = [f"false_alerts_per_1000_faces_{part}" for part in ("rate", "low", "high")]
    writer.writerow(["from", "to", "by", "group", *counted, *shares, *plain, *rates])
    place = [found.since.isoformat(), found.until.isoformat(), found.by.value]
    for one in (found.total, *found.groups):
        cells = [one.counts[name] for name in counted]
        ends = [value for name in SHARES for value in _ends(getattr(one, name))]
        writer.writerow(
            [
                *place,
                _safe(one.key) or EVERYTHING,
                *cells,
                *ends,
                *(getattr(one, name) for name in plain),
                *_rate_ends(one.false_alerts_per_1000_faces),
            ]
        )
    return out.getvalue()


def as_svg(found: Statistics) -> str:
    """The shares, and false alerts per 1,000 faces, with their intervals, a row a group.

    Raises:
        MissingExtraError: vl-convert-python is not installed.
    """
    from pipelines.evaluate.report.charts import to_svg

    return to_svg(_plot(found), alone=True)


def _plot(found: Statistics) -> dict[str, Any]:
    stretch = f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d} (UTC)"
    kept = "" if found.publishable else "; not for publication"
    return {
        "title": {
            "text": f"Aiqyn, {stretch}{kept}",
            "subtitle": f"counts below {found.least_cell} are hidden",
        },
        "vconcat": [_shares(found), *_rates(found)],
    }


def _shares(found: Statistics) -> dict[str, Any]:
    rows = [
        {
            "figure": title,
            "group": one.key or EVERYTHING,
            "value": shown.count / shown.of if shown.share is not None else None,
            "low": shown.low,
            "high": shown.high,
        }
        for name, title in SHARES.items()
        for one in (found.total, *found.groups)
        if (shown := getattr(one, name)) is not None and shown.of
    ]
    x = {"type": "quantitative", "axis": {"format": "%"}, "scale": {"domain": [0, 1]}}
    return {
        "data": {"values": rows},
        "facet": {
            "row": {
                "field": "figure",
                "type": "nominal",
                "title": None,
                "sort": list(SHARES.values()),
                "header": {"labelAngle": 0, "labelOrient": "top", "labelAnchor": "start"},
            }
        },
        "spec": {"width": 420, "layer": _points(x, "share, 95 % interval", found.by.value)},
        "resolve": {"scale": {"y": "independent"}},
    }


def _rates(found: Statistics) -> list[dict[str, Any]]:
    """False alerts per 1,000 faces; no plot where none is told."""
    rows = [
        {"group": one.key or EVERYTHING, "value": shown.per_1000, "low": shown.low, "high": shown.high}
        for one in (found.total, *found.groups)
        if (shown := one.false_alerts_per_1000_faces) is not None
    ]
    if not rows:
        return []
    x = {"type": "quantitative", "scale": {"zero": True}}
    title = "Alerts the judges rejected, per 1,000 faces searched, 95 % interval"
    return [{"data": {"values": rows}, "width": 420, "layer": _points(x, title, found.by.value)}]


def _points(x: Mapping[str, Any], title: str, groups: str) -> list[dict[str, Any]]:
    y = {"field": "group", "type": "nominal", "sort": None, "title": groups}
    interval = {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": {"x": {**x, "field": "low", "title": title}, "x2": {"field": "high"}, "y": y},
    }
    point = {
        "transform": [{"filter": "isValid(datum.value)"}],
        "mark": {"type": "point", "filled": True, "size": 60},
        "encoding": {"x": {**x, "field": "value"}, "y": y},
    }
    return [interval, point]


def _group(one: Group) -> dict[str, Any]:
    document = asdict(one)
    document["counts"] = dict(one.counts)
    return document | {"key": one.key or EVERYTHING}


def _ends(shown: Share | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if shown is None or not shown.of else (shown.share, shown.low, shown.high)


def _rate_ends(shown: Rate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if shown is None else (shown.per_1000, shown.low, shown.high)


def _safe(text: str) -> str:
    """A cell no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
