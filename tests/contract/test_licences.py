"""`THIRD_PARTY.md` says the licence of everything that is locked, pulled or bundled."""

from __future__ import annotations

import re

import pytest

from tests.contract import licence_table
from tests.contract.licence_table import PAGE, UNKNOWN, licence_of, names_in, tables
from tests.contract.project import locked

GPL_ENCODERS = {"libx264", "libx264rgb", "libx265", "libxvid", "libxavs", "libxavs2"}
"""Encoders of libraries under the GPL, by FFmpeg's own list of external libraries in its `configure`."""

MAY_BE_COPYLEFT = {"certifi", "pathspec", "psycopg", "psycopg-binary"}
"""Runtime packages that are not permissive; each is told of at the top of the page."""


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def rows_of(page: str, block: str) -> dict[str, str]:
    """First and last cells of a block's rows."""
    found = re.search(rf"<!-- {block} -->\n(.*?)\n<!-- end -->", page, re.DOTALL)
    assert found, block
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()[2:]]
    return {row[0]: row[1] for row in cells}


def test_the_page_is_current(page: str) -> None:
    assert licence_table.filled(page) == page, "run: python -m tests.contract.licence_table"


@pytest.mark.parametrize(
    ("lock", "block"), [("runtime", "runtime packages"), ("dev", "development packages")]
)
def test_every_locked_package_has_its_row(page: str, lock: str, block: str) -> None:
    expected = names_in("runtime") if lock == "runtime" else names_in("dev") - names_in("runtime")
    rows = rows_of(page, block)
    assert set(rows) == expected
    assert [name for name, licence in rows.items() if licence in {UNKNOWN, ""}] == []


def test_copyleft_among_runtime_packages_is_known_and_told(page: str) -> None:
    top = page.split("## Runtime packages", maxsplit=1)[0]
    copyleft = {name for name in names_in("runtime") if re.search(r"GPL|MPL|EUPL|SSPL", licence_of(name))}
    assert copyleft == MAY_BE_COPYLEFT
    assert [name for name in copyleft if f"**{name}**" not in top] == []


def test_every_bundled_encoder_library_is_named(page: str) -> None:
    from av.codec import codecs_available

    outside = {name for name in codecs_available if name.startswith("lib") and can_encode(name)}
    assert [name for name in sorted(outside) if f"`{name}`" not in page] == []
    gpl = re.search(r"\*\*x264 \((.*?)\) and x265 \((.*?)\) are GPL-2.0-or-later\*\*", page)
    assert gpl
    assert set(re.findall(r"`(\w+)`", gpl[0])) == outside & GPL_ENCODERS


def can_encode(name: str) -> bool:
    """Whether the bundled FFmpeg has an encoder of that name."""
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        return bool(Codec(name, "w").is_encoder)
    except UnknownCodecError:
        return False


def test_a_missing_row_would_be_seen(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without = tuple(requirement for requirement in locked("runtime") if requirement.name != "numpy")
    monkeypatch.setattr(licence_table, "locked", lambda name: without if name == "runtime" else locked(name))
    assert "| numpy |" not in tables()["runtime packages"]
    assert licence_table.filled(page) != page
