"""What is written as TOML reads back as it was."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.toml_text import toml_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = (
    TEXT | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(SCALARS) | st.dictionaries(KEYS, inner) | st.lists(st.dictionaries(KEYS, inner), min_size=1)
    ),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES))
def test_it_reads_back(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table


@dataclass(frozen=True, slots=True)
class Sample:
    """Something to write."""

    name: str
    size: tuple[int, int] = (0, 0)
    more: str | None = None


def test_dataclasses_are_tables_without_their_defaults() -> None:
    document = toml_text({"entry": [Sample("one"), Sample("two", (3, 4), "x")]})
    assert document == '[[entry]]\nname = "one"\n\n[[entry]]\nname = "two"\nsize = [3, 4]\nmore = "x"\n'


def test_what_toml_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml_text({"nothing": None})
