"""`pipelines.canonical`: one byte string per document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.canonical import canonical_json
from pipelines.errors import SealingError

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({}, b"{}", id="empty"),
        pytest.param(
            {"b": 1, "a": [1.5, None, True]}, b'{"a":[1.5,null,true],"b":1}', id="sorted, no spaces"
        ),
        pytest.param({"a": {"z": 1, "y": 2}}, b'{"a":{"y":2,"z":1}}', id="sorted at every depth"),
        pytest.param({"ә": "қ"}, '{"ә":"қ"}'.encode(), id="UTF-8, not escapes"),
        pytest.param({"a": (1, 2)}, b'{"a":[1,2]}', id="a tuple is a list"),
    ],
)
def test_canonical_bytes(document: dict[str, Any], expected: bytes) -> None:
    assert canonical_json(document) == expected


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON_VALUES, max_size=4))
def test_any_number_of_parsings_leaves_the_same_bytes(document: dict[str, Any]) -> None:
    once = canonical_json(document)
    indented = json.dumps(json.loads(once), indent=3, ensure_ascii=True)
    assert canonical_json(json.loads(indented)) == once


@pytest.mark.parametrize(
    ("document", "place"),
    [
        pytest.param({"a": {"b": float("nan")}}, "document.a.b", id="not a number"),
        pytest.param({"a": [1.0, float("inf")]}, r"document.a\[1\]", id="infinite"),
        pytest.param({"a": {1: "x"}}, "document.a: a key is int", id="a key json would turn into text"),
        pytest.param({"a": b"secret"}, "document.a: bytes", id="bytes"),
        pytest.param({"a": "\ud800"}, "lone surrogates", id="a lone surrogate"),
    ],
)
def test_what_has_no_canonical_form_is_refused_by_place_not_value(
    document: dict[str, Any], place: str
) -> None:
    with pytest.raises(SealingError, match=place) as caught:
        canonical_json(document)
    assert "secret" not in str(caught.value)
