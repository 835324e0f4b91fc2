"""Plots drawn by Vega-Lite: what is in them, and that nothing is fetched to draw them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipelines.evaluate.report import charts

CURVE = [{"fpir": 10.0**-k, "fnir": 0.01 * k, "supported": k < 3} for k in range(1, 4)]
ROW = {"name": "Қала", "series": "a", "value": 0.5, "low": 0.4, "high": 0.6}

SPECS: dict[str, dict[str, Any]] = {
    "det": charts.det_chart({"photographs": CURVE}, [{"fpir": 0.1, "fnir": 0.01, "low": 0.0, "high": 0.03}]),
    "det without a miss": charts.det_chart({"photographs": [dict(CURVE[0], fnir=0.0)]}, []),
    "histogram": charts.histogram(
        {"a": np.linspace(0, 1, 50, dtype=np.float32), "b": np.zeros(0, np.float32)}, "x"
    ),
    "histogram of nothing": charts.histogram({"a": np.zeros(0, np.float32)}, "x"),
    "histogram of one value": charts.histogram({"a": np.array([0.75], np.float32)}, "x"),
    "intervals": charts.intervals([ROW, ROW | {"series": "b"}], "share"),
    "curves": charts.curves(
        [{"series": "s", "x": x / 10, "y": 0.5} for x in range(11)], "x", "y", log_x=True
    ),
    "spans": charts.spans(
        [{"person": "1", "start": 1, "end": 9, "track": "4"}], [{"person": "1", "frame": 5}]
    ),
    "bars": charts.bars([{"name": "MOTA", "value": -0.4}, {"name": "HOTA", "value": 0.5}], "share"),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_plot_is_drawn_without_a_script_or_an_address(name: str) -> None:
    svg = charts.to_svg(SPECS[name])
    elements = [element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()]  # noqa: S314
    assert {"script", "foreignObject", "image", "use"}.isdisjoint(elements)
    assert re.findall(r"(?:href|src|url\((?!#))\S*", svg) == []
    assert "NaN" not in svg
    assert "currentColor" in svg, "text takes the colour of the page, light or dark"


def test_letters_of_every_alphabet_and_signs_of_markup_are_kept() -> None:
    svg = charts.to_svg(charts.intervals([ROW | {"name": 'Әңһ"<&>'}], "Қате үлесі"))
    texts = [element.text for element in ET.fromstring(svg).iter() if element.text]  # noqa: S314
    assert {'Әңһ"<&>', "Қате үлесі"} <= set(texts)


def test_both_axes_of_the_det_curve_are_logarithmic() -> None:
    axes = [layer["encoding"] for layer in SPECS["det"]["layer"]]
    assert {axis["scale"]["type"] for encoding in axes for axis in (encoding["x"], encoding["y"])} == {"log"}


def test_what_few_alerts_support_is_dotted() -> None:
    solid, dotted = SPECS["det"]["layer"][:2]
    assert [row["supported"] for row in solid["data"]["values"]] == [True, True]
    assert [row["supported"] for row in dotted["data"]["values"]] == [False]
    assert dotted["mark"]["strokeDash"] != solid["mark"]["strokeDash"]


def test_nothing_is_fetched_for_a_plot() -> None:
    spec = dict(SPECS["bars"], data={"url": "http://127.0.0.1:9/data.json"})
    with pytest.raises(ValueError, match=r"not allowed|denied|base url|Failed"):
        charts.to_svg(spec)


def test_a_file_of_its_own_has_a_white_ground() -> None:
    assert "white" in charts.to_svg(SPECS["det"], alone=True)
    assert "white" not in charts.to_svg(SPECS["det"])
