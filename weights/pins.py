"""What the operator of this machine vouches for: hashes of files for which upstream's could not be learnt.

`pins.toml` in the weights folder holds a table per id: the hash, the size where it is known, who pinned it, when,
and from what. A pinned file is verified like any other; what a pin cannot say is that upstream meant that file.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from weights.catalog import Catalog
from weights.errors import CacheError, CatalogError, HashMismatchError, UnpinnedError
from weights.spec import Identifier, ModelSpec, Sha256, SizeOrUnknown
from weights.toml_text import toml_text

FILE_NAME = "pins.toml"
_HEAD = "# Written by `aiqyn weights pin`. Nobody but those named here vouches for these files.\n"


@dataclass(frozen=True, slots=True)
class Pin:
    """One hash that the operator vouches for.

    Attributes:
        sha256: of the file.
        pinned_by: account on this machine.
        pinned_at: UTC, RFC 3339.
        origin: what was hashed, or that the hash was given.
        size_bytes: of the file; 0 where only its hash was given.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    sha256: Sha256
    pinned_by: Annotated[str, Field(min_length=1)]
    pinned_at: Annotated[str, Field(min_length=1)]
    origin: Annotated[str, Field(min_length=1)]
    size_bytes: SizeOrUnknown = 0

    @property
    def voucher(self) -> str:
        """Who vouches for the hash, in words."""
        return (
            f"nobody but the operator of this machine: pinned by {self.pinned_by} at {self.pinned_at} "
            f"from {self.origin}"
        )


def read_pins(file: Path) -> Mapping[str, Pin]:
    """The pins in a file, by id; none where there is no file.

    Raises:
        CacheError: the file cannot be read.
        CatalogError: it is not what `pins_document` makes. It is never skipped: a lost pin would look like none.
    """
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        pins = TypeAdapter(dict[Identifier, Pin]).validate_python(document)
    except FileNotFoundError:
        return MappingProxyType({})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(
            f"{file}: not valid TOML ({error}); mend it, or remove it and pin again"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{file}: {key}: {first['msg']}; mend it, or remove it and pin again") from error
    except OSError as error:
        raise CacheError(
            f"weights folder {file.parent} cannot be read: {file.name}: {error.strerror or error}; check its "
            "permissions, or name another with AIQYN_WEIGHTS_DIR or --weights-dir"
        ) from error
    return MappingProxyType(pins)


def pins_document(pins: Mapping[str, Pin]) -> bytes:
    """The file's content: TOML, ids in alphabetical order."""
    return (_HEAD + "\n" + toml_text(dict(sorted(pins.items())))).encode("utf-8")


def with_pins(catalog: Catalog, pins: Mapping[str, Pin]) -> Catalog:
    """The catalogue, its unpinned entries completed by the pins there are.

    A pin of an entry that has a hash of its own, or is no longer there, changes nothing: what the catalogue knows
    goes before what somebody once trusted.
    """
    entries = {
        spec.id: _pinned(spec, pins[spec.id]) if spec.id in pins and not spec.is_pinned else spec
        for spec in catalog
    }
    return replace(catalog, entries=MappingProxyType(entries))


def unpinned(spec: ModelSpec) -> UnpinnedError:
    """What is said of an entry that nobody has vouched for."""
    return UnpinnedError(
        f"{spec.id} is unpinned: {spec.no_upstream_hash.rstrip('.')}. Nothing is fetched or run until you vouch for "
        f"a file yourself: aiqyn weights pin {spec.id} (--sha256 HEX | --file PATH)"
    )


def check_pin(spec: ModelSpec, pin: Pin, content: bytes | None) -> None:
    """Whether an entry may have this pin.

    Args:
        spec: as the catalogue has it, without pins.
        pin: what is to be trusted.
        content: the file itself, where it is at hand.

    Raises:
        CatalogError: the catalogue knows the hash; a file of another size than upstream's.
        HashMismatchError: a `content` that is not the file the pin means.
    """
    if spec.is_pinned:
        raise CatalogError(f"{spec.id} needs no pin: the catalogue has its SHA-256, {spec.source_sha256}")
    if content is None:
        return
    if spec.size_bytes not in (0, len(content)):
        raise CatalogError(
            f"{spec.id}: {pin.origin} has {len(content)} bytes, upstream's has {spec.size_bytes}; it is another file"
        )
    actual = hashlib.sha256(content).hexdigest()
    if actual != pin.sha256:
        raise HashMismatchError(
            f"{spec.id}: SHA-256 of {pin.origin} is {actual}, to be pinned is {pin.sha256}"
        )


def _pinned(spec: ModelSpec, pin: Pin) -> ModelSpec:
    file = spec.source.files[0]
    known = replace(
        file, sha256=pin.sha256, vouched_by=pin.voucher, size_bytes=pin.size_bytes or file.size_bytes
    )
    download_bytes = spec.source.download_bytes or known.size_bytes
    return replace(spec, source=replace(spec.source, files=(known,), download_bytes=download_bytes))
