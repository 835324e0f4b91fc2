"""A site's own models: `<weights_dir>/added/<id>.toml` and the ONNX file it names, read with the catalogue.

The TOML file is what registers a model, and it is written last: an ONNX file without one is a leftover of
somebody who was interrupted, and goes with the next change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from weights.cache import Cache
from weights.card import model_card
from weights.entries import parse_entries, read_document
from weights.errors import CatalogError
from weights.spec import ModelSpec
from weights.toml_text import toml_text

FOLDER = "added"
MAX_TOML_BYTES = 1 << 20
"""A thousand labels are 20 kB; what is larger was not written here."""


@dataclass(frozen=True, slots=True)
class AddedModels:
    """What the `added` folder holds.

    Attributes:
        entries: by id, sorted.
        broken: id → why it cannot be used.
    """

    entries: dict[str, ModelSpec]
    broken: dict[str, str]


def read_added(weights_dir: Path, shipped: Collection[str]) -> AddedModels:
    """The models a site has added. One that is wrong costs only itself.

    Args:
        weights_dir: the folder of the model files; need not exist.
        shipped: ids that an added model may not take.
    """
    found = AddedModels({}, {})
    folder = weights_dir / FOLDER
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return found  # a weights folder that is none is told of by whoever reads a model from it
    except OSError as error:
        return AddedModels({}, {FOLDER + "/": f"{folder} cannot be read: {error.strerror or error}"})
    for path in paths:
        try:
            found.entries[path.stem] = _read_one(path, shipped)
        except CatalogError as error:
            found.broken[path.stem] = f"{error}; remove it with: aiqyn weights remove {path.stem}"
    return found


def onnx_path(weights_dir: Path, spec: ModelSpec) -> Path:
    """Where the file of an added model lies."""
    return weights_dir / FOLDER / f"{spec.id}-{spec.sha256[:12]}.onnx"


def card_path(weights_dir: Path, entry_id: str) -> Path:
    """Where the card of an added model lies, for people."""
    return weights_dir / FOLDER / f"{entry_id}.md"


def register(
    weights_dir: Path, spec: ModelSpec, content: bytes, shipped: Collection[str], *, replace_same: bool = True
) -> None:
    """Adds a model, wholly or not at all.

    Args:
        weights_dir: the folder of the model files.
        spec: with `added`.
        content: of the ONNX file.
        shipped: ids of the catalogue, which an added model may not take.
        replace_same: whether it takes the place of an added model of its id, one added a moment ago included.

    Raises:
        CatalogError: the id is taken, or the entry breaks the catalogue's rules.
        CacheError: the folder cannot be written, or is full; nothing is registered then.
    """
    toml = entry_text(spec)
    _check(spec, spec.id, shipped)
    cache = Cache(weights_dir)
    with cache.lock(lambda: None):
        if not replace_same and _toml_path(weights_dir, spec.id).exists():
            raise id_is_taken(spec.id)
        cache.write(onnx_path(weights_dir, spec), content)
        try:
            cache.write(card_path(weights_dir, spec.id), model_card(spec).encode())
            cache.write(_toml_path(weights_dir, spec.id), toml.encode())
        finally:
            cache.clear(list(_leftovers(weights_dir)))


def unregister(weights_dir: Path, entry_id: str) -> None:
    """Removes an added model and its file, broken ones too.

    Raises:
        CatalogError: nothing of that id was added.
        CacheError: the folder cannot be written.
    """
    path = _toml_path(weights_dir, entry_id)
    if path.name != f"{entry_id}.toml" or not path.is_file():
        raise CatalogError(f"no model called {entry_id!r} was added in {weights_dir}")
    cache = Cache(weights_dir)
    with cache.lock(lambda: None):
        cache.clear([path])
        cache.clear(list(_leftovers(weights_dir)))


def id_is_taken(entry_id: str) -> CatalogError:
    """What is said to whom an id would replace an added model that was not to be replaced."""
    return CatalogError(
        f"a model called {entry_id!r} was added before; replace it with --replace, or give this one another --id"
    )


def entry_text(spec: ModelSpec) -> str:
    """The TOML file of one added model."""
    return toml_text({"entry": [spec]})


def _toml_path(weights_dir: Path, entry_id: str) -> Path:
    return weights_dir / FOLDER / f"{entry_id}.toml"


def _leftovers(weights_dir: Path) -> Iterator[Path]:
    """ONNX files and cards that no TOML file names. What a broken TOML file may mean is kept."""
    found = read_added(weights_dir, ())
    named = {onnx_path(weights_dir, spec) for spec in found.entries.values()}
    known = [*found.entries, *found.broken]
    named |= {card_path(weights_dir, entry_id) for entry_id in known}
    folder = weights_dir / FOLDER
    for path in (*folder.glob("*.onnx"), *folder.glob("*.md")):
        if path not in named and not any(path.name.startswith(f"{entry_id}-") for entry_id in found.broken):
            yield path


def _read_one(path: Path, shipped: Collection[str]) -> ModelSpec:
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not path.is_file() or size_bytes > MAX_TOML_BYTES:
        raise CatalogError(f"{path}: is not the description of a model ({size_bytes} bytes)")
    specs = list(parse_entries(read_document(path), path.name))
    if len(specs) != 1:
        raise CatalogError(f"{path.name}: must hold exactly one entry, holds {len(specs)}")
    _check(specs[0], path.stem, shipped)
    return specs[0]


def _check(spec: ModelSpec, entry_id: str, shipped: Collection[str]) -> None:
    if entry_id in shipped:
        raise CatalogError(f"the id {entry_id!r} is the catalogue's own; give the model another with --id")
    if spec.id != entry_id:
        raise CatalogError(f"{entry_id}.toml: holds the entry {spec.id!r}; file and id must be the same")
    if spec.added is None or not (spec.is_model and spec.is_pinned) or spec.conversion is not None:
        raise CatalogError(f"{entry_id}.toml: is not a model that was added from a file")
