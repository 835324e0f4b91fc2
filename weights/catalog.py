"""The catalogue: the entries that ship, and the models a site has added, by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from weights.added import read_added
from weights.entries import parse_entries, read_document
from weights.errors import CatalogError
from weights.spec import ModelSpec, Task

BUILT_IN = (Path(__file__).with_name("catalog.toml"), Path(__file__).with_name("pictures.toml"))
"""The catalogue that ships: models and programs, and the photographs of the demo."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The entries by id, in the order of the file, those a site added after the others.

    Attributes:
        entries: what may be used.
        broken: added models that cannot be used, with the reason; they cost nobody else anything.
    """

    entries: Mapping[str, ModelSpec]
    broken: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, entry_id: str) -> ModelSpec:
        """The entry of that id.

        Raises:
            CatalogError: there is none, which names the nearest; or it is a broken one of the site's.
        """
        if entry_id in self.entries:
            return self.entries[entry_id]
        if entry_id in self.broken:
            raise CatalogError(f"{entry_id!r} was added here and cannot be used: {self.broken[entry_id]}")
        near = get_close_matches(entry_id, self.entries, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ";"
        raise CatalogError(f"unknown id {entry_id!r}{hint} aiqyn weights list shows them all")

    def of_task(self, task: Task) -> tuple[ModelSpec, ...]:
        """The entries for one task, in the order of the file; none is an empty tuple."""
        return tuple(spec for spec in self.entries.values() if spec.task == task)

    def default_ids(self) -> tuple[str, ...]:
        """What the default pipeline needs."""
        return tuple(spec.id for spec in self.entries.values() if spec.default)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)


def load_catalog(weights_dir: Path | None = None, *, files: Sequence[Path] | None = None) -> Catalog:
    """The catalogue that ships, and what the site has added to it.

    Args:
        weights_dir: the folder of the model files, whose `added` folder is read; None for no added models.
        files: the catalogue's own; None for those that ship.

    Raises:
        CatalogError: one of `files` is not readable, not TOML, has an unknown or missing key, a value out of
            its range, a path that leaves its package, or an id twice. The message names file, entry and
            key. An added model that is wrong is no error here: see `Catalog.broken`.
    """
    entries: dict[str, ModelSpec] = {}
    for path in files or BUILT_IN:
        for spec in parse_entries(read_document(path), path.name):
            if spec.id in entries:
                raise CatalogError(f"{path.name}: two entries have the id {spec.id!r}")
            entries[spec.id] = spec
    if weights_dir is None:
        return Catalog(MappingProxyType(entries))
    added = read_added(weights_dir, entries.keys())
    return Catalog(MappingProxyType(entries | added.entries), MappingProxyType(added.broken))


def shared_labels() -> Mapping[str, tuple[str, ...]]:
    """The lists of class names that entries of the catalogue share, by name, such as `coco80`."""
    lists = read_document(BUILT_IN[0]).get("labels", {})
    return MappingProxyType({name: tuple(labels) for name, labels in lists.items()})
