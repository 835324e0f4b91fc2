"""Plots as Vega-Lite, and Vega-Lite as SVG: no browser, no network, no script in the result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.evaluate.errors import MissingExtraError
from pipelines.evaluate.report.body import readable
from vision.types import Float32

WIDTH_PX, HEIGHT_PX = 460, 300
_PALETTE = ("#1f83c4", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7a5195")
"""Told apart by colour-blind readers too, and seen on white and on black (after Okabe and Ito 2008)."""

_QUIET = {"grid": True, "gridColor": "currentColor", "gridOpacity": 0.14, "domainColor": "currentColor"}
_CONFIG: Mapping[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": _QUIET
    | {
        "tickColor": "currentColor",
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "labelOverlap": "greedy",
        "titleFontSize": 12,
    },
    "legend": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "labelLimit": 420,
        "title": None,
        "orient": "bottom",
        "columns": 1,
    },
    "range": {"category": list(_PALETTE)},
}
_BINS = 80
_LEAST_RANGE = 0.01
_DECADES_WITH_STEPS = 4
_PADDING_PX = 14
"""Room for letters that are wider in the reader's font than in the one the plot was measured with."""

_VEGA_LITE = "5.21"
"""Of those the package carries; named, so that a plot stays as it is when a newer one comes with it."""


def require_plots() -> None:
    """Makes sure that plots can be drawn.

    Raises:
        MissingExtraError: vl-convert-python is not installed.
    """
    _drawer()


def to_svg(spec: Mapping[str, Any], *, alone: bool = False) -> str:
    """The plot as one SVG element.

    Args:
        spec: Vega-Lite.
        alone: as a file of its own, black on white; else in the colour of the text around it, on nothing.

    Raises:
        MissingExtraError: vl-convert-python is not installed.
    """
    config = dict(_CONFIG, background="white") if alone else _CONFIG
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        **_readable(spec),
        "config": config,
    }
    # Nothing is ever fetched: the data are in the specification, and no address is allowed.
    svg: str = _drawer().vegalite_to_svg(whole, vl_version=_VEGA_LITE, allowed_base_urls=[])
    return svg


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {name: _readable(item) for name, item in value.items()}
    return [_readable(item) for item in value] if isinstance(value, list | tuple) else value


def _drawer() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        raise MissingExtraError("vl-convert-python", "it draws the plots") from error
    return vl_convert


def det_chart(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], points: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Misses against false alerts, both on logarithmic axes, as NIST draws them.

    Args:
        curves: by name, points with `fpir`, `fnir` and `supported`; those without any miss cannot stand on
            a logarithmic axis and are left out.
        points: `fpir`, `fnir`, `low` and `high`: the figures with their intervals.
    """
    rows = [
        {"curve": name, "fpir": point["fpir"], "fnir": point["fnir"], "supported": point["supported"]}
        for name, curve in curves.items()
        for point in curve
        if point["fnir"] > 0
    ]
    floor = _decade([row["fnir"] for row in rows] + [point["low"] for point in points if point["low"] > 0])
    x = _log_axis(
        "fpir",
        "False alerts: share of strangers who raise one (FPIR)",
        _decade([row["fpir"] for row in rows]),
    )
    y = _log_axis("fnir", "Misses: share of listed people not found (FNIR)", floor)
    colour: dict[str, Any] = {
        "field": "curve",
        "type": "nominal",
        "sort": None,
        "legend": {} if len(curves) > 1 else None,
    }
    lines = [
        {
            "data": {"values": [row for row in rows if row["supported"] is supported]},
            "mark": {"type": "line", "strokeDash": dash, "strokeWidth": 2, "clip": True},
            "encoding": {"x": x, "y": y, "color": colour, "order": {"field": "fpir", "type": "quantitative"}},
        }
        for supported, dash in ((True, [1, 0]), (False, [3, 4]))
    ]
    known = [dict(point, low=max(point["low"], floor)) for point in points if point["fnir"] > 0]
    bars = {"type": "rule", "strokeWidth": 1.5, "stroke": "currentColor", "clip": True}
    marks = [
        {
            "data": {"values": known},
            "mark": bars,
            "encoding": {"x": x, "y": dict(y, field="low"), "y2": {"field": "high"}},
        },
        {
            "data": {"values": known},
            "mark": {"type": "point", "filled": True, "size": 50, "fill": "currentColor", "clip": True},
            "encoding": {"x": x, "y": y},
        },
    ]
    return _sized({"layer": lines + marks})


def histogram(
    samples: Mapping[str, Float32], title: str, range_xy: tuple[float, float] | None = None
) -> dict[str, Any]:
    """How similarities are spread, each sample as shares of itself.

    Args:
        samples: values by name.
        title: of the horizontal axis.
        range_xy: of it; None for that of the values.
    """
    known = [values for values in samples.values() if len(values)]
    low, high = range_xy or (
        min((float(values.min()) for values in known), default=0.0),
        max((float(values.max()) for values in known), default=1.0),
    )
    # Of one value, or of equal ones, there is no range; a narrower one has no room for the bins.
    range_xy = (low, max(high, low + _LEAST_RANGE))
    counted = {name: np.histogram(values, _BINS, range_xy)[0] for name, values in samples.items()}
    return binned(counted, range_xy, title)


def binned(counts: Mapping[str, Any], range_xy: tuple[float, float], title: str) -> dict[str, Any]:
    """The same from counts of equal bins over a range."""
    low, high = range_xy
    rows = []
    for name, values in counts.items():
        step = (high - low) / len(values)
        whole = max(1, int(values.sum()))
        rows += [
            {"sample": name, "x": low + (row + 0.5) * step, "share": int(value) / whole}
            for row, value in enumerate(values)
        ]
    return _sized(
        {
            "data": {"values": rows},
            "mark": {"type": "area", "interpolate": "step", "opacity": 0.45, "line": {"strokeWidth": 1.5}},
            "encoding": {
                "x": {
                    "field": "x",
                    "type": "quantitative",
                    "title": title,
                    "scale": {"domain": [low, high], "nice": False},
                },
                "y": {
                    "field": "share",
                    "type": "quantitative",
                    "title": "share",
                    "stack": None,
                    "axis": {"format": "%"},
                },
                "color": {"field": "sample", "type": "nominal", "sort": None},
            },
        }
    )


def intervals(rows: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """Shares by name as points with their intervals, in the order given.

    Args:
        rows: `name`, `series`, `value`, `low`, `high`.
        title: of the axis of shares.
    """
    series = list(dict.fromkeys(str(row["series"]) for row in rows))
    name = {"field": "name", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 240}}
    # The schema's `yOffset` keeps several series of one name apart.
    shared = {
        "y": name,
        "yOffset": {"field": "series", "sort": None},
        "color": {
            "field": "series",
            "type": "nominal",
            "sort": None,
            "legend": {} if len(series) > 1 else None,
        },
    }
    x = {
        "field": "value",
        "type": "quantitative",
        "title": title,
        "axis": {"format": "%"},
        "scale": {"zero": True},
    }
    drawn = {
        "data": {"values": [dict(row) for row in rows if row["value"] is not None]},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": shared | {"x": dict(x, field="low"), "x2": {"field": "high"}},
            },
            {"mark": {"type": "point", "filled": True, "size": 55}, "encoding": shared | {"x": x}},
        ],
    }
    return _sized(drawn, height={"step": 18 if len(series) > 1 else 26})


def bars(rows: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """Shares by name as bars, each with its figure; `name` and `value`, which may lie below 0."""
    x = {"field": "value", "type": "quantitative", "title": title, "axis": {"format": "%"}}
    y = {"field": "name", "type": "nominal", "sort": None, "title": None}
    words = {"field": "value", "type": "quantitative", "format": ".1%"}
    drawn = {
        "data": {"values": [dict(row) for row in rows]},
        "encoding": {"x": dict(x, scale={"domainMax": 1}), "y": y},
        "layer": [
            {"mark": {"type": "bar", "color": _PALETTE[0], "opacity": 0.8}},
            {
                "mark": {"type": "text", "align": "left", "dx": 4, "fill": "currentColor"},
                "encoding": {"text": words},
            },
        ],
    }
    return _sized(drawn, height={"step": 26})


def curves(
    rows: Sequence[Mapping[str, Any]], x_title: str, y_title: str, *, log_x: bool = False, from_y: float = 0.0
) -> dict[str, Any]:
    """Lines of `x` and `y` by `series`, both shares.

    Args:
        rows: `series`, `x` and `y`.
        x_title: of the horizontal axis.
        y_title: of the vertical axis.
        log_x: a logarithmic horizontal axis.
        from_y: where the vertical axis begins; it ends at 1.
    """
    series = {row["series"] for row in rows}
    drawn = [row for row in rows if row["x"] > 0] if log_x else list(rows)
    least = _decade([row["x"] for row in drawn])
    x = _log_axis("x", x_title, least) if log_x else _share_axis("x", x_title)
    return _sized(
        {
            "data": {"values": drawn},
            "mark": {"type": "line", "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": _share_axis("y", y_title, from_y),
                "color": {
                    "field": "series",
                    "type": "nominal",
                    "sort": None,
                    "legend": {} if len(series) > 1 else None,
                },
                "order": {"field": "x", "type": "quantitative"},
            },
        }
    )


def spans(rows: Sequence[Mapping[str, Any]], switches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Who was tracked under which id, over the frames.

    Args:
        rows: `person`, `start`, `end` (frames), `track`.
        switches: `person`, `frame`.
    """
    y = {
        "field": "person",
        "type": "nominal",
        "sort": None,
        "title": "person in the ground truth",
        "axis": {"labelLimit": 120},
    }
    x = {"field": "start", "type": "quantitative", "title": "frame", "scale": {"zero": False, "nice": False}}
    bars = {
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "height": 9, "cornerRadius": 2},
        "encoding": {
            "x": x,
            "x2": {"field": "end"},
            "y": y,
            "color": {"field": "track", "type": "nominal", "legend": None},
        },
    }
    marks = {
        "data": {"values": list(switches)},
        "mark": {"type": "point", "shape": "cross", "filled": True, "size": 60, "fill": "currentColor"},
        "encoding": {"x": dict(x, field="frame"), "y": y},
    }
    return _sized({"layer": [bars, marks] if switches else [bars]}, height={"step": 18})


def _sized(spec: dict[str, Any], height: int | dict[str, int] = HEIGHT_PX) -> dict[str, Any]:
    return {"width": WIDTH_PX, "height": height, "padding": _PADDING_PX, **spec}


def _log_axis(field: str, title: str, least: float) -> dict[str, Any]:
    decades = [10.0**power for power in range(round(math.log10(least)), 1)]
    steps = (1, 3) if len(decades) <= _DECADES_WITH_STEPS else (1,)
    ticks = sorted({step * decade for decade in decades for step in steps if step * decade <= 1})
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domain": [least, 1], "nice": False},
        "axis": {"values": ticks, "format": "~g", "labelOverlap": True},
    }


def _share_axis(field: str, title: str, least: float = 0.0) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"domain": [least, 1], "zero": least == 0},
        "axis": {"format": "~%"},
    }


def _decade(values: Sequence[float]) -> float:
    """The power of ten at or below the least of the values; a thousandth without any, never above a tenth."""
    known = [value for value in values if value > 0]
    return float(10.0 ** math.floor(math.log10(min(known)) + 1e-9)) if known and min(known) < 1 else 1e-3
