"""Writes the tables of `THIRD_PARTY.md` from the locks, the installed packages and the weights catalogue.

`python -m tests.contract.licence_table` renews the page; `test_licences.py` fails while it is not current.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import metadata

from tests.contract.project import ROOT, locked
from weights.catalog import load_catalog

PAGE = ROOT / "THIRD_PARTY.md"
UNKNOWN = "unknown"

# Licences of packages whose metadata says nothing, or that this platform does not install; read from the
# licence file in each package's own source distribution or wheel.
STATED_ELSEWHERE = {
    "async-timeout": "Apache-2.0",
    "axe-playwright-python": "MIT (carries axe-core, MPL-2.0)",
    "colorama": "BSD-3-Clause",
    "tzdata": "Apache-2.0",
}
# What metadata written before SPDX expressions calls the licences.
SPDX = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "boost software license": "BSL-1.0",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "freebsd": "BSD-2-Clause",
    "gpl-3.0": "GPL-3.0-only",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
_SHORT_TEXT = 40


def tables() -> dict[str, str]:
    """Each generated table by the name of its block on the page."""
    runtime = names_in("runtime")
    development = names_in("dev") - runtime
    return {
        "runtime packages": _table(
            ("Package", "Licence"), ((name, licence_of(name)) for name in sorted(runtime))
        ),
        "weights": _table(("Entry", "What", "Licence", "Comes in"), _weight_rows()),
        "development packages": _table(
            ("Package", "Licence"), ((name, licence_of(name)) for name in sorted(development))
        ),
    }


def names_in(lock: str) -> set[str]:
    """The packages of a lock file."""
    return {requirement.name for requirement in locked(lock)}


@cache
def licence_of(name: str) -> str:
    """The SPDX expression of a package, from its metadata where it is installed."""
    if name in STATED_ELSEWHERE:
        return STATED_ELSEWHERE[name]
    try:
        fields = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return UNKNOWN
    classifiers = [
        entry.split(" :: ")[-1] for entry in fields.get_all("Classifier") or [] if "License ::" in entry
    ]
    if "License-Expression" in fields:
        return fields["License-Expression"]
    stated = next(iter(fields.get_all("License") or []), "")
    if not stated or len(stated) > _SHORT_TEXT:  # the whole text may stand there
        stated = " AND ".join(classifiers) or UNKNOWN
    return SPDX.get(stated.lower(), stated)


def _weight_rows() -> Iterable[tuple[str, ...]]:
    for spec in load_catalog():
        yield spec.id, spec.title, spec.licence, spec.source.label


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def filled(page: str) -> str:
    """The page with every generated block renewed."""
    for name, table in tables().items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        found = block.search(page)
        if found is None:
            raise ValueError(f"{PAGE.name} has no block `<!-- {name} -->`")
        page = page[: found.start()] + found[1] + table + found[2] + page[found.end() :]
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
