"""A data folder with people, a list, a deployment and a control, made through the service's own records.

Names are invented; pictures are drawn. Used by tests and to look at the page:

    python -m tests.seeds FOLDER [PORT]     seeds FOLDER where it is empty, and serves it
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import make_url

import api.services
from api.accounts import NewAccount, Principal
from api.clock import Clock, Draw, draw
from api.controls import ControlInput
from api.keys.store import KeyStore
from api.passwords import Passwords
from api.rates import Rate, RateLimits
from api.records import ReferenceInput
from api.relying_party import RelyingParty
from api.review.cases import Role, Truth
from api.review.deployments import DeploymentTerms
from api.review.policies import ReviewPolicy
from api.review.scopes import WHOLE
from api.review.watchlists import EntryTerms
from api.services import Services, build_services
from api.settings import Settings
from api.store.open import open_database
from pipelines.accounting import FrameAccounting
from pipelines.events import Candidate, EvidenceItem, utc_now
from pipelines.recipes import TemplateRecipe
from pipelines.worker_keys import WorkerKeys
from tests.event_builders import make_candidate
from vision.images import encode_jpeg
from vision.types import Image

WORKER = "w1"
CAMERA = "gate"
DEPLOYMENT = "d1"
SUBJECT_NAME = "Akmaral Zhaksybekova"
OTHER_NAME = "Timur Ospanov"
WATCHLIST_NAME = "Missing persons"
PURPOSE = "find people reported missing"
EMBEDDER = "mobilefacenet-faceplugin"
EMBEDDER_SHA256 = "a" * 64
RECIPE = TemplateRecipe(EMBEDDER, EMBEDDER_SHA256, "embedder:bgr/112x112")
ACCOUNTS = {
    "aigul": Role.OPERATOR,
    "daniyar": Role.OPERATOR,
    "marat": Role.OPERATOR,
    "saule": Role.SUPERVISOR,
    "erlan": Role.AUDITOR,
    "nurlan": Role.AUTHORISER,
    "gulnar": Role.AUTHORISER,
    "kassym": Role.INTEGRATOR,
    "root": Role.ADMINISTRATOR,
}
APPROVERS = {"first-approver": Role.ADMINISTRATOR, "second-approver": Role.AUTHORISER}
"""The first two people of every seeded service; nobody logs in as they."""

CHEAP_PASSWORDS = Passwords(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1), person_cost=2)
"""The same algorithm at the least cost: what tests check is not how long guessing takes."""

UNLIMITED = RateLimits(Rate(1e6, 10**6), Rate(1e6, 10**6), Rate(1e6, 10**6))
"""Tests send as fast as they can; those of the limits set their own."""

FRAME_WH = (640, 360)
FACE_XYXY = (300.0, 96.0, 372.0, 186.0)


def sqlite_url(folder: Path) -> str:
    """The database of a data folder."""
    return f"sqlite:///{folder / 'data' / 'aiqyn.db'}"


database_url: Callable[[Path], str] = sqlite_url
"""Where a seeded service keeps its records; the system tests put PostgreSQL here."""


def drawn_face(seed: int, size_px: int = 320) -> Image:
    """A drawn face, upright, different for each seed; (size_px, size_px, 3) uint8 BGR."""
    rng = np.random.default_rng(seed)
    image = np.full((size_px, size_px, 3), rng.integers(90, 200, 3), np.uint8)
    skin = [int(value) for value in rng.integers(110, 230, 3)]
    hair = [int(value) for value in rng.integers(10, 110, 3)]
    centre, unit = (size_px // 2, size_px // 2), size_px / 320
    cv2.ellipse(image, centre, (int(100 * unit), int(132 * unit)), 0, 0, 360, hair, -1)
    cv2.ellipse(image, (centre[0], int(175 * unit)), (int(84 * unit), int(108 * unit)), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        eye = (centre[0] + int(side * 34 * unit), int(150 * unit))
        cv2.circle(image, eye, max(2, int(9 * unit)), (30, 30, 30), -1)
    cv2.ellipse(
        image, (centre[0], int(225 * unit)), (int(30 * unit), int(10 * unit)), 0, 0, 180, (60, 60, 150), 3
    )
    return image


def drawn_frame(seed: int) -> Image:
    """A drawn frame with one sharp face and everything else coarse; (360, 640, 3) uint8 BGR."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (12, 20, 3), dtype=np.uint8)
    frame = cv2.resize(coarse, FRAME_WH, interpolation=cv2.INTER_NEAREST)
    left, top, right, bottom = (int(value) for value in FACE_XYXY)
    frame[top:bottom, left:right] = cv2.resize(drawn_face(seed), (right - left, bottom - top))
    return np.asarray(frame, dtype=np.uint8)


@dataclass
class Seeded:
    """A service with everything in it, and what a test needs to act on it.

    Attributes:
        services: built, threads not started.
        worker: the registered worker's keys.
        watchlist_id: the one list.
        subject_ids: its two entries: `SUBJECT_NAME`, `OTHER_NAME`.
        one_time_passwords: by user name.
    """

    services: Services
    worker: WorkerKeys
    watchlist_id: str
    subject_ids: tuple[str, str]
    one_time_passwords: dict[str, str] = field(default_factory=dict)

    def candidate(self, track_id: int = 1, *, face: int = 1, **changes: Any) -> Candidate:
        """A signed candidate whose evidence is really sealed and stored."""
        fields: dict[str, Any] = {
            "watchlist_id": self.watchlist_id,
            "subject_id": self.subject_ids[0],
            "worker_id": WORKER,
            "camera_id": CAMERA,
            "deployment_id": DEPLOYMENT,
            "face_xyxy": FACE_XYXY,
            "evidence": self.evidence(face),
            "observed_at": None,
            "observed_at_source": "unknown",
            "observed_at_uncertainty_seconds": None,
        }
        return make_candidate(self.worker.candidates, track_id=track_id, **(fields | changes))

    def evidence(self, face: int) -> tuple[EvidenceItem, EvidenceItem]:
        """The redacted frame and the probe of a drawn face, sealed."""
        store = self.services.evidence
        return store.put("frame_redacted", drawn_frame(face)), store.put("probe", drawn_face(face))

    def take_in(self, track_id: int = 1, **changes: Any) -> str:
        """The id of a candidate taken in as if it came from the bus."""
        candidate = self.candidate(track_id, **changes)
        self.services.intake.accept(candidate)
        return str(candidate.candidate_id)


@cache
def _newest_schema() -> bytes:
    """An empty SQLite database of the newest schema; to migrate one takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "new.db"
        open_database(f"sqlite:///{file}").close()
        return file.read_bytes()


def _begin_migrated(url: str) -> None:
    """A database that is about to be made begins with the newest schema, where it is SQLite's."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or Path(parsed.database).exists():
        return
    file = Path(parsed.database)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        target.write(_newest_schema())


def seed(
    folder: Path,
    *,
    policy: ReviewPolicy | None = None,
    clock: Clock = utc_now,
    chance: Draw = draw,
    usernames: Sequence[str] = tuple(ACCOUNTS),
    own_keys: bool = False,
    **settings: Any,
) -> Seeded:
    """A service over a fresh data folder, seeded.

    Args:
        folder: gets `data` and `keys`.
        policy: no controls and no hold by default.
        clock: gives the time.
        chance: gives numbers from [0, 1).
        usernames: which of `ACCOUNTS` are made.
        own_keys: no other seeded service has these; else those of one process may be copies of each other.
        settings: further fields of `Settings`.
    """
    made = make_settings(folder, policy=policy, **settings)
    copied = None if own_keys else _copied(folder, made, tuple(usernames), clock())
    if copied is not None:
        services = build_services(made, clock=clock, chance=chance, passwords=CHEAP_PASSWORDS)
        return replace(copied, services=services)
    return _made(folder, made, clock, chance, usernames)


def _made(folder: Path, made: Settings, clock: Clock, chance: Draw, usernames: Sequence[str]) -> Seeded:
    keys = KeyStore.init(folder / "keys", data_dir=folder / "data", now=clock() - timedelta(days=1))
    worker = WorkerKeys.load(keys.create_worker(WORKER, now=clock() - timedelta(days=1)))
    _begin_migrated(made.database_url)
    services = build_services(made, clock=clock, chance=chance, passwords=CHEAP_PASSWORDS)
    watchlist_id = services.records.ensure_watchlist(WATCHLIST_NAME, PURPOSE)
    subject_ids = (
        add_subject(services, watchlist_id, SUBJECT_NAME, face=1, now=clock()),
        add_subject(services, watchlist_id, OTHER_NAME, face=2, now=clock()),
    )
    services.records.add_deployment(
        DeploymentTerms(
            DEPLOYMENT,
            watchlist_id,
            frozenset({CAMERA}),
            PURPOSE,
            "inspector b. akhmetov",
            "prosecutor g. sadykova",
            clock() - timedelta(hours=1),
            clock() + timedelta(days=7),
        )
    )
    services.accounts.add_first([NewAccount(name, role) for name, role in APPROVERS.items()])
    passwords = {name: add_account(services, name, ACCOUNTS[name]) for name in usernames}
    return Seeded(services, worker, watchlist_id, subject_ids, passwords)


@dataclass(frozen=True)
class _Pattern:
    """A seeded folder that others are copied from: to copy one takes a tenth of the time."""

    folder: tempfile.TemporaryDirectory[str]
    seeded: Seeded
    made_at: datetime


PATTERN_IS_FRESH = timedelta(minutes=30)
"""A test whose clock says something else gets a folder of its own."""


@cache
def _pattern(usernames: tuple[str, ...]) -> _Pattern:
    place = tempfile.TemporaryDirectory(prefix="seeds-")
    folder, made_at = Path(place.name), utc_now()
    seeded = _made(folder, make_settings(folder), lambda: made_at, draw, usernames)
    seeded.services.close()
    return _Pattern(place, seeded, made_at)


def _copied(folder: Path, made: Settings, usernames: tuple[str, ...], now: datetime) -> Seeded | None:
    """What a copy of the pattern holds, its service still the pattern's; None where it would not do.

    It does for an SQLite file that is not there yet, of a service that opens it with all its guards, at about this time.
    """
    file = folder / "data" / "aiqyn.db"
    guarded = vars(api.services)["open_database"] is open_database
    fresh = not file.exists() and not (folder / "keys").exists()
    now_ish = abs(now - utc_now()) <= PATTERN_IS_FRESH / 2
    if not (made.database_url == sqlite_url(folder) and guarded and fresh and now_ish):
        return None
    pattern = _pattern(usernames)
    if abs(now - pattern.made_at) > PATTERN_IS_FRESH:
        return None
    shutil.copytree(pattern.folder.name, folder, dirs_exist_ok=True)
    seeded = pattern.seeded
    return replace(seeded, one_time_passwords=dict(seeded.one_time_passwords))


def add_account(services: Services, username: str, role: Role, *, person: str | None = None) -> str:
    """The one-time password of a new account that a second person has approved."""
    password = services.accounts.add(username, role, person=person)
    services.approvals.approve_by_name(username, approver(services))
    return password


def approver(services: Services) -> Principal:
    """A seeded authoriser, as the service sees her."""
    lines = {line.username: line for line in services.accounts.all()}
    line = lines["second-approver"]
    return Principal(line.account_id, line.username, line.role, "", must_change_password=False, scope=WHOLE)


def make_settings(folder: Path, *, policy: ReviewPolicy | None = None, **settings: Any) -> Settings:
    """Settings over `folder`, without bus and threads unless asked for."""
    without = ReviewPolicy(hold=timedelta(0), control_share=0.0)
    made = Settings(
        database_url=database_url(folder),
        evidence_url=(folder / "data" / "evidence").as_uri(),
        keys_dir=folder / "keys",
        policy=policy or without,
        run_background=False,
        rates=UNLIMITED,
    )
    return replace(made, **settings)


def add_subject(services: Services, watchlist_id: str, name: str, *, face: int, now: datetime) -> str:
    """The id of a new entry with one drawn portrait."""
    rng = np.random.default_rng(face)
    template = rng.standard_normal(512).astype(np.float32)
    reference = ReferenceInput(encode_jpeg(drawn_face(face)), template / np.linalg.norm(template), RECIPE)
    terms = EntryTerms(
        "inspector b. akhmetov",
        "prosecutor g. sadykova",
        "Law on search for missing persons, art. 12",
        "2026-00417",
        "family album, given by the family",
        now + timedelta(days=30),
    )
    return services.records.add_subject(watchlist_id, name, [reference], terms)


def add_control(seeded: Seeded, *, face: int = 3, truth: Truth = Truth.DIFFERENT, **changes: Any) -> str:
    """The id of a control item: a drawn stranger beside the second entry of the list."""
    fields: dict[str, Any] = {
        "deployment_id": DEPLOYMENT,
        "camera_id": CAMERA,
        "subject_id": seeded.subject_ids[1],
        "truth": truth,
        "frame_redacted": drawn_frame(face),
        "probe": drawn_face(face),
        "face_xyxy": FACE_XYXY,
        "pts_seconds": 5.4,
        "similarity": 0.31,
        "threshold": 0.42,
        "frame_accounting": FrameAccounting(read=135, decoded=135, not_sampled=108, inferred=27),
    }
    return seeded.services.controls.add_control_item(ControlInput(**(fields | changes)))


def main(arguments: list[str]) -> None:
    """Seeds a folder where it is empty, and serves it on http://localhost:PORT."""
    import uvicorn

    from api.app import create_app

    folder, port = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 8750
    policy = ReviewPolicy(control_share=0.0, control_first=True, control_spread=timedelta(0))
    party = RelyingParty(f"http://localhost:{port}")
    if (folder / "keys").exists():
        services = build_services(make_settings(folder, policy=policy, run_background=True, party=party))
    else:
        seeded = seed(folder, policy=policy, run_background=True, party=party)
        services = seeded.services
        add_control(seeded)
        for track_id in (1, 2, 3):
            seeded.take_in(track_id, face=1 if track_id == 1 else 10 + track_id)
        for username, password in seeded.one_time_passwords.items():
            sys.stderr.write(f"{username} ({ACCOUNTS[username].value}): one-time password {password}\n")
    uvicorn.run(create_app(services), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
