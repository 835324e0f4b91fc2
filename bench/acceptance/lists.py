"""Bulk import as a program: thousands of rows with faults of many kinds, and runs that are killed in the middle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from sqlalchemy import func, select

from aiqyn.roster.journal import FOLDER
from api.keys.store import KeyStore
from api.review.cases import Role
from api.services import Services, build_services
from api.settings import Settings
from api.store.models import Account, ListImport, ListRequest, RequestPicture
from bench.acceptance.lines import Figure
from bench.acceptance.programs import Finished, aiqyn, evaluation_data
from bench.roster_table import (
    AUTHORISER,
    COLUMNS,
    LIST,
    OPERATOR,
    REQUESTER,
    Table,
    good_row,
    seed_cell_faults,
    seed_file_faults,
)
from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.enrol import Reference, enrol_picture
from pipelines.errors import EnrolError
from pipelines.same_picture import thumbnail
from pipelines.stages import Engines
from vision.images import decode_image, encode_jpeg, encode_png
from vision.types import Image
from weights.catalog import load_catalog
from weights.store import WeightStore

ROWS = 5000
KINDS = 37
KILLS = 6
_FACES = "faces/lfw2/images"
_FACE = (slice(13, 55), slice(13, 51))
"""Of a portrait of 64 pixels: brows to chin, cheek to cheek."""
_ALIKE = frozenset({"look_alike", "same_person"})


@dataclass(frozen=True, slots=True)
class Site:
    """A service to import into.

    Attributes:
        config: its settings file.
        keys_dir: of its keys.
        database_url: of its records.
        images: the folder of pictures.
    """

    config: Path
    keys_dir: Path
    database_url: str
    images: Path

    def services(self) -> Services:
        """Over its records, without bus and threads."""
        evidence = (self.config.parent / "data" / "evidence").as_uri()
        return build_services(Settings(self.database_url, evidence, self.keys_dir, run_background=False))

    def filed(self) -> dict[str, int]:
        """What there is of imports: requests, pictures, keys of subjects, imports by state."""
        services = self.services()
        try:
            with services.database.read() as session:
                counted = {
                    "requests": session.scalar(select(func.count()).select_from(ListRequest)) or 0,
                    "pictures": session.scalar(select(func.count()).select_from(RequestPicture)) or 0,
                }
                states = Counter(session.scalars(select(ListImport.state)))
            # What a run killed after it had filed read of pictures has a key of its own, for a day.
            journals = list((self.config.parent / "data" / FOLDER).glob("*.journal"))
            kept = sum(services.keys.has_subject_key(f"import:{path.stem}") for path in journals)
        finally:
            services.close()
        keys = sum(1 for _ in (self.keys_dir / "api" / "subjects").iterdir()) - kept
        return counted | {"keys": keys} | {f"imports {state}": count for state, count in states.items()}


def prepare_site(folder: Path) -> Site:
    """Keys, people, one list and settings in an empty folder."""
    data, keys_dir = folder / "data", folder / "keys"
    KeyStore.init(keys_dir, data_dir=data)
    config = folder / "aiqyn.yaml"
    paths = {"data_dir": str(data), "keys_dir": str(keys_dir)}
    config.write_text(yaml.safe_dump({"paths": paths}))
    loaded = load_config(config)
    images = folder / "pictures"
    images.mkdir()
    site = Site(config, keys_dir, loaded.database_address(), images)
    services = site.services()
    try:
        services.records.ensure_watchlist(LIST, "find people reported missing")
        roles = {REQUESTER: Role.SUPERVISOR, AUTHORISER: Role.AUTHORISER, OPERATOR: Role.OPERATOR}
        for name, role in roles.items():
            services.accounts.add(name, role)
        with services.database.write() as session:
            for account in session.scalars(select(Account)):
                account.active = True
    finally:
        services.close()
    return site


class Faces:
    """Pictures of people who are all different, made of real ones: any number of them."""

    def __init__(self, folder: Path, people: int) -> None:
        """
        Args:
            folder: one sub-folder of photographs per person.
            people: how many real faces are mixed.
        """
        self._engines = _engines()
        self._photographs = {
            one.name: sorted(one.iterdir()) for one in sorted(folder.iterdir()) if one.is_dir()
        }
        found: list[Image] = []
        for files in self._photographs.values():
            if len(found) == 2 * people:
                break
            reference = self._reference(files[0])
            if reference is not None and not reference.notes:
                found.append(decode_image(reference.portrait_jpeg))
        # Of much unlike sharpness the sharper would be all there is to see of both: one photograph, by the check.
        found.sort(key=_sharpness)
        spare = (len(found) - people) // 2
        self._portraits = found[spare : spare + people]
        self._sharpness = [_sharpness(portrait) for portrait in self._portraits]
        self._pairs = combinations(range(len(self._portraits)), 2)

    def mixed(self) -> bytes:
        """Somebody new, between two real people: JPEG."""
        first, second = next(self._pairs)
        # As much of each to see.
        share = self._sharpness[second] / (self._sharpness[first] + self._sharpness[second])
        mixed = cv2.addWeighted(self._portraits[first], share, self._portraits[second], 1 - share, 0)
        return encode_jpeg(np.asarray(mixed, np.uint8))

    def of_one_person(self, count: int, skip: int) -> list[bytes]:
        """So many different photographs of one person who has them, and can be compared in all."""
        for files in self._photographs.values():
            if len(files) >= count and skip <= 0:
                found = [self._reference(path) for path in files[:count]]
                if all(found):
                    return [path.read_bytes() for path in files[:count]]
            skip -= len(files) >= count
        raise LookupError(f"nobody has {count} photographs")

    def broken(self) -> dict[str, bytes | None]:
        """Bytes of files with something wrong, by code."""
        whole, beside = self.mixed(), self.mixed()
        two = np.hstack([decode_image(whole), decode_image(beside)])
        huge = np.zeros((9000, 9000), np.uint8)
        return {
            "not_a_picture": b"Dear operator, this is a letter.\n" * 20,
            "image_broken": whole[: len(whole) // 2],
            "too_many_pixels": cv2.imencode(".png", huge)[1].tobytes(),
            "no_face": encode_png(np.full((240, 240, 3), 127, np.uint8)),
            "several_faces": encode_jpeg(np.asarray(two, np.uint8)),
        }

    def _reference(self, path: Path) -> Reference | None:
        try:
            return enrol_picture(path.read_bytes(), "", path.name, self._engines)
        except EnrolError:
            return None


def _sharpness(portrait: Image) -> float:
    """How much fine structure the face of a portrait has, between 1 and 6 of its 64 pixels."""
    plane = thumbnail(portrait).astype(np.float32)
    fine = cv2.GaussianBlur(plane, (0, 0), 1.0) - cv2.GaussianBlur(plane, (0, 0), 6.0)
    return float(fine[_FACE].std())


def _engines() -> Engines:
    weights_dir = load_config(None).paths.weights_dir
    options = PerceptionOptions(detector=None)
    perception = build_perception(WeightStore(weights_dir, load_catalog(weights_dir)), options)
    return replace(perception.engines(), face_detector=perception.face_detector)


@dataclass
class SeededTable:
    """A table with faults, and without.

    Attributes:
        table: rows, and what is wrong with each.
        content: of the CSV file with the faults.
        good: of one that holds the rows without a fault alone.
        good_rows: how many these are.
    """

    table: Table
    content: bytes
    good: bytes
    good_rows: int


class TableMaker:
    """Writes pictures as rows need them."""

    def __init__(self, site: Site, faces: Faces) -> None:
        self._site, self._faces = site, faces
        self._count = 0

    def make(self, rows: int) -> SeededTable:
        """A table of so many rows, faults of every kind spread among good rows."""
        table = Table()
        seed_cell_faults(table, self.next_image)
        seed_file_faults(table, self._site.images, self._faces.broken())
        self._seed_face_faults(table)
        many = "|".join(self.next_image() for _ in range(11))
        table.add(good_row(len(table.rows), many), "too_many_images")
        good = Table()
        while len(table.rows) + len(_RAW_FAULTS) < rows:
            row = good_row(len(table.rows), self.next_image())
            table.add(row)
            good.add(row)
        content = table.content()
        for code, raw in _RAW_FAULTS:
            table.wrong.append((len(table.rows) + 2, code))
            table.rows.append({})
            content += raw
        return SeededTable(table, content, good.content(), len(good.rows))

    def next_image(self) -> str:
        """The name of a new file with somebody new in it."""
        return self._written(self._faces.mixed())

    def _written(self, data: bytes) -> str:
        self._count += 1
        name = f"{self._count:05d}.jpg"
        (self._site.images / name).write_bytes(data)
        return name

    def _seed_face_faults(self, table: Table) -> None:
        shared = self._faces.mixed()
        for _ in range(2):
            table.add(good_row(len(table.rows), self._written(shared)), "same_picture_twice")
        alike = self._faces.mixed()
        mirrored = encode_jpeg(np.ascontiguousarray(decode_image(alike)[:, ::-1]))
        for data in (alike, mirrored):
            table.add(good_row(len(table.rows), self._written(data)), "look_alike")
        own = [self._written(data) for data in self._faces.of_one_person(3, 0)]
        table.add(good_row(len(table.rows), "|".join([*own, self.next_image()])), "outlier")
        first = self._written(self._faces.of_one_person(3, 1)[0])
        second = self._written(self._faces.of_one_person(3, 2)[0])
        table.add(good_row(len(table.rows), f"{first}|{second}"), "conflict")


_RAW_FAULTS: Sequence[tuple[str, bytes]] = (
    ("too_few_cells", b"Somebody,only two\r\n"),
    ("too_many_cells", b"," * len(COLUMNS) + b"\r\n"),
    ("bad_quotes", b'"Some"body' + b"," * (len(COLUMNS) - 1) + b"\r\n"),
    ("quote_never_closed", b'"Somebody' + b"," * (len(COLUMNS) - 1) + b"\r\n"),
)
"""Rows whose form is broken; the last one swallows whatever follows."""


def report_figures(seeded: SeededTable, report: dict[str, Any]) -> Iterator[Figure]:
    """Whether a report names every seeded fault at its row, and nothing that is not there."""
    told = {(one["row"], one["code"]) for one in report["problems"]}
    told |= {(row, "look_alike") for row, code in told if code in _ALIKE}
    missed = sorted(set(seeded.table.wrong) - told)
    seeded_rows = {row for row, _ in seeded.table.wrong}
    errors = {(one["row"], one["code"]) for one in report["problems"] if one["severity"] == "error"}
    invented = sorted(fault for fault in errors if fault[0] not in seeded_rows)
    kinds = {code for _, code in seeded.table.wrong}
    yield Figure(
        "rows", report["rows"], f"{len(seeded.table.rows)}", report["rows"] == len(seeded.table.rows)
    )
    yield Figure("kinds of faults seeded", len(kinds), f"at least {KINDS}", len(kinds) >= KINDS)
    yield Figure("seeded faults not reported at their row", _some(missed), "none", not missed)
    yield Figure("errors at rows with none", _some(invented), "none", not invented)


def _some(found: Sequence[object]) -> str | int:
    return f"{len(found)}: {found[:5]}" if found else 0


def import_command(site: Site, table: Path, *more: str) -> list[str | Path]:
    """Arguments of the program."""
    return [
        "import", table, "--images", site.images, "--watchlist", LIST, "--config", site.config, "--json", *more,
    ]  # fmt: skip


def killed_runs(
    site: Site, table: Path, rows: int, seconds: float, kills: int, seed: int = 7
) -> Iterator[Figure]:
    """Kills an import at random moments; there are all requests or none each time."""
    chance, halves, before = random.Random(seed), [], site.filed()["requests"]  # noqa: S311  # when, not what
    for _ in range(kills):
        command = [sys.executable, "-m", "aiqyn", *map(str, import_command(site, table))]
        child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            child.wait(seconds * chance.uniform(0.4, 1.1))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        there = site.filed()
        if there["requests"] not in (before, before + rows):
            halves.append(there["requests"])
        if there["requests"] == before + rows:
            break
    yield Figure("runs killed that left a part of their requests", _some(halves), "none", not halves)


def measure(folder: Path, rows: int = ROWS, kills: int = KILLS) -> Iterator[Figure]:
    """Line 7: every fault by row, nothing half-imported, also where the run is killed; then the good rows whole.

    Args:
        folder: empty.
        rows: of the table.
        kills: of the run that would file.
    """
    site = prepare_site(folder)
    people = 20 + int((2 * rows) ** 0.5)
    seeded = TableMaker(site, Faces(evaluation_data() / _FACES, people)).make(rows)
    wrong, good = folder / "wrong.csv", folder / "good.csv"
    wrong.write_bytes(seeded.content)
    good.write_bytes(seeded.good)
    began = time.monotonic()
    done = aiqyn(*import_command(site, wrong))
    yield Figure("seconds to check it", round(time.monotonic() - began), "told", passed=True)
    yield from report_figures(seeded, _report(done))
    there = site.filed()
    nothing = there["requests"] == there["pictures"] == 0 and "imports filed" not in there
    yield Figure(
        "requests filed of it", there["requests"], "none, exit code 2", nothing and done.exit_code == 2
    )
    began = time.monotonic()
    dry = aiqyn(*import_command(site, good, "--dry-run"))
    seconds = time.monotonic() - began
    yield from killed_runs(site, good, seeded.good_rows, seconds + 5, kills)
    if not site.filed()["requests"]:
        aiqyn(*import_command(site, good))
    there = site.filed()
    whole = (there["requests"], there["keys"], dry.exit_code) == (seeded.good_rows, seeded.good_rows, 0)
    yield Figure(
        "good rows filed in the end, and keys for them", f"{there}", f"{seeded.good_rows} of each", whole
    )


def _report(done: Finished) -> dict[str, Any]:
    if not done.output:
        raise RuntimeError(f"the program said nothing: {done.log[-500:]}")
    document: dict[str, Any] = done.document()
    return document
