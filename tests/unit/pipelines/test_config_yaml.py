"""The reader behind the settings: lines, and files that are not settings."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipelines.config_yaml import MAX_FILE_BYTES, parse_scalar, read_yaml
from pipelines.errors import ConfigError


def written(tmp_path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path = tmp_path / "aiqyn.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_values_and_the_line_of_each(tmp_path: Path) -> None:
    path = written(tmp_path, "# a comment\na:\n  b: 1\n  c:\n    - x\n    - y\n")
    located = read_yaml(path)
    assert located.values == {"a": {"b": 1, "c": ["x", "y"]}}
    lines = {where: int(place.rsplit(":", 1)[1]) for where, place in located.places.items()}
    assert lines == {("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", 0): 5, ("a", "c", 1): 6}


@pytest.mark.parametrize("content", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_file_has_no_settings(tmp_path: Path, content: str) -> None:
    assert read_yaml(written(tmp_path, content)).values == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("a: 1\na: 2", r":2: 'a' is given twice \(first at .*:1\)", id="duplicate"),
        pytest.param("a: {b: 1, b: 1}", r":1: 'b' is given twice", id="duplicate inside"),
        pytest.param("a: &x [1]\n\nb: *x", r":3: aliases", id="alias"),
        pytest.param("a: &x [*x]", r":1: aliases", id="alias of itself"),
        pytest.param("a: &x {b: 1}\nc:\n  <<: *x", r":3: aliases", id="merge"),
        pytest.param("a:\n  - b\n c: 1", r":3: not valid YAML", id="indent"),
        pytest.param("a:\n\tb: 1", r":2: not valid YAML", id="tab"),
        pytest.param("a: !!python/object/apply:os.getcwd []", r":1: tags", id="python object"),
        pytest.param("a: !!python/name:os.system x", r":1: tags", id="python name"),
        pytest.param("a: !secret x", r":1: tags", id="custom tag"),
        pytest.param("a: 2026-13-45", r":1: not a valid YAML value", id="no such day"),
        pytest.param("? [a]\n: 1", r":1: a key must be a plain word", id="list as key"),
        pytest.param("- a", r":1: expected `section:` lines", id="list"),
        pytest.param("hello", r":1: expected `section:` lines", id="text"),
        pytest.param("a: 1\n---\nb: 2", r"not valid YAML", id="two documents"),
        pytest.param("[" * 100_000, r":1: nested deeper than", id="deep"),
        pytest.param("a: [" + "1," * 60_000 + "]", r":1: more than 50000 values", id="many"),
        pytest.param(b"a: 1\nb: \xff\xfe", r":2: not UTF-8", id="latin"),
        pytest.param(b"\x00\x01\x02", "characters that YAML does not allow", id="binary"),
        pytest.param(b"a" * (MAX_FILE_BYTES + 1), "larger than", id="large"),
    ],
)
def test_refuses_with_file_and_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(written(tmp_path, content))
    assert "aiqyn.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_billion_laughs_costs_nothing(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    start = time.monotonic()
    with pytest.raises(ConfigError, match="aliases"):
        read_yaml(written(tmp_path, "\n".join(levels)))
    assert time.monotonic() - start < 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("8750", 8750), ("null", None), ("", None), ("[a, b]", ["a", "b"]), ("0.5", 0.5), ("x: y", {"x": "y"})],
)
def test_values_of_variables(text: str, value: object) -> None:
    assert parse_scalar(text) == value


@pytest.mark.parametrize("text", ["[", "*a", "!!python/name:os.system", "\x00"])
def test_values_of_variables_that_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_scalar(text)
