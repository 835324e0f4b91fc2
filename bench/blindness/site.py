"""A site with two lists, invented people and drawn pictures: candidates as a live camera's worker would send them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from aiqyn.demo.people import add_people
from api.controls import ControlInput
from api.keys.store import KeyStore
from api.records import ReferenceInput
from api.review.cases import Role, Truth
from api.review.deployments import DeploymentTerms
from api.review.policies import ReviewPolicy
from api.review.watchlists import EntryTerms
from api.services import Services, build_services
from api.settings import Settings
from pipelines.accounting import FrameAccounting
from pipelines.events import (
    Candidate,
    EvidenceItem,
    GalleryRef,
    ModelRef,
    Quality,
    Software,
    candidate_id,
    unsigned_document,
    utc_now,
)
from pipelines.evidence_clip import Clip
from pipelines.recipes import TemplateRecipe
from pipelines.signing import sign_event
from pipelines.worker_keys import WorkerKeys
from vision.images import encode_jpeg
from vision.types import Image

WORKER: Final = "w1"
CAMERA: Final = "gate"
LISTS: Final = ("first", "second")
OPERATORS: Final = ("observer", "other")
FPS: Final = 25
FRAMES_PER_LOOK: Final = 5
GATED_SHARE: Final = 0.3
FRAME_WH: Final = (480, 270)
RECIPE: Final = TemplateRecipe("bench", "a" * 64, "embedder:bgr/112x112")
THRESHOLD: Final = 0.42
POLICY: Final = ReviewPolicy(
    hold=timedelta(seconds=5),
    expire_after=timedelta(minutes=30),
    control_share=0.5,
    control_spread=timedelta(0),
)
"""One control for each candidate, the most there can be: with few controls nothing could be shown about them."""


@dataclass(frozen=True, slots=True, repr=False)
class Sight:
    """What a camera saw of somebody: drawn, different at each call."""

    frame: Image
    probe: Image
    face_xyxy: tuple[float, float, float, float]
    clip: Clip


@dataclass(frozen=True, slots=True)
class _Look:
    """Who was seen when, and what had been counted until then."""

    list_name: str
    subject_id: str
    pts_seconds: float
    frame_accounting: FrameAccounting
    face_xyxy: tuple[float, float, float, float]


@dataclass(slots=True, repr=False)
class Site:
    """A seeded site.

    Attributes:
        services: for intake and for the truth; another process serves HTTP.
        worker: the worker's keys.
        subjects: by list.
        deployments: by list.
        watchlists: by list.
        passwords: one-time passwords by user name.
        random: of everything that is left to chance here.
        began_at: when the camera's clock stood at zero.
        tracks: told of so far.
        looks: of the models, counted so far.
        gated: of those, how many the gate took.
    """

    services: Services
    worker: WorkerKeys
    subjects: dict[str, tuple[str, ...]]
    deployments: dict[str, str]
    watchlists: dict[str, str]
    passwords: dict[str, str]
    random: random.Random
    began_at: datetime
    tracks: int = 0
    looks: int = 0
    gated: int = 0


def settings_of(folder: Path) -> Settings:
    """The settings of a site in a folder, for the process that serves it and for the one that fills it."""
    return Settings(
        database_url=f"sqlite:///{folder / 'data' / 'aiqyn.db'}",
        evidence_url=(folder / "data" / "evidence").as_uri(),
        keys_dir=folder / "keys",
        policy=POLICY,
        run_background=False,
    )


def make_site(folder: Path, chance: random.Random, *, subjects: int, controls: int) -> Site:
    """A site with two lists of so many subjects each, and a library of so many controls."""
    began_at = utc_now() - timedelta(hours=1)
    keys = KeyStore.init(folder / "keys", data_dir=folder / "data", now=began_at)
    worker = WorkerKeys.load(keys.create_worker(WORKER, now=began_at))
    services = build_services(settings_of(folder))
    site = Site(services, worker, {}, {}, {}, {}, chance, began_at)
    for name in LISTS:
        _add_list(site, name, subjects)
    people = add_people(services, dict.fromkeys(OPERATORS, Role.OPERATOR))
    site.passwords = {account.username: account.one_time_password for account in people}
    for _ in range(controls):
        _add_control(site)
    return site


def drawn_sight(chance: random.Random) -> Sight:
    """A drawn face of chance in a coarse frame, and a clip of chance."""
    rng = np.random.default_rng(chance.getrandbits(32))
    probe = _face(rng, 320)
    coarse = rng.integers(40, 200, (9, 16, 3), dtype=np.uint8)
    frame = cv2.resize(coarse, FRAME_WH, interpolation=cv2.INTER_NEAREST)
    side = int(rng.integers(48, 97))
    left, top = (int(rng.integers(0, limit - side * 5 // 4)) for limit in FRAME_WH)
    frame[top : top + side * 5 // 4, left : left + side] = cv2.resize(probe, (side, side * 5 // 4))
    box = (
        left + rng.random(),
        top + rng.random(),
        left + side - rng.random(),
        top + side * 1.25 - rng.random(),
    )
    clip = Clip(rng.bytes(int(rng.integers(20_000, 40_000))), "video/webm", 320, 180, 0.0, 8.0)
    return Sight(
        np.asarray(frame, np.uint8), probe, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), clip
    )


def next_candidate(site: Site, latency_seconds: float) -> tuple[Candidate, Candidate]:
    """A candidate of a random subject as the worker tells it now, and its revision that brings the clip."""
    site.tracks += 1
    name = site.random.choice(LISTS)
    subject_id = site.random.choice(site.subjects[name])
    seen = utc_now() - timedelta(seconds=latency_seconds)
    looks = int((seen - site.began_at).total_seconds() * FPS / FRAMES_PER_LOOK)
    sight = drawn_sight(site.random)
    store = site.services.evidence
    pictures = (store.put("frame_redacted", sight.frame), store.put("probe", sight.probe))
    pts = looks * FRAMES_PER_LOOK / FPS
    clip = store.put_clip("clip_redacted", _at(sight.clip, pts))
    look = _Look(name, subject_id, pts, _counts(site, looks), sight.face_xyxy)
    return _event(site, look, pictures, 1), _event(site, look, (*pictures, clip), 2)


def _counts(site: Site, looks: int) -> FrameAccounting:
    """Counts of frames that only grow, as chance gates them."""
    while site.looks < looks:
        site.looks += 1
        site.gated += site.random.random() < GATED_SHARE
    read = site.looks * FRAMES_PER_LOOK
    return FrameAccounting(
        read=read,
        decoded=read,
        not_sampled=site.looks * (FRAMES_PER_LOOK - 1),
        gated=site.gated,
        inferred=site.looks - site.gated,
    )


def _event(site: Site, look: _Look, evidence: Sequence[EvidenceItem], revision: int) -> Candidate:
    left, top, right, bottom = look.face_xyxy
    pts = look.pts_seconds
    identity = candidate_id(
        source="bench",
        track_id=site.tracks,
        track_start_pts_seconds=pts,
        subject_id=look.subject_id,
        deployment_id=site.deployments[look.list_name],
    )
    candidate = Candidate(
        candidate_id=identity,
        revision=revision,
        worker_id=WORKER,
        camera_id=CAMERA,
        deployment_id=site.deployments[look.list_name],
        watchlist_id=site.watchlists[look.list_name],
        subject_id=look.subject_id,
        observed_at=site.began_at + timedelta(seconds=pts),
        observed_at_source="wall_clock",
        observed_at_uncertainty_seconds=0.01,
        pts_seconds=pts,
        frame_index=round(pts * FPS),
        track_id=site.tracks,
        track_start_pts_seconds=pts,
        similarity=0.6,
        threshold=THRESHOLD,
        quality=Quality(face_size_px=((right - left) * (bottom - top)) ** 0.5, confidence=0.9),
        frames_fused=3,
        single_look=False,
        evidence=tuple(evidence),
        face_xyxy=look.face_xyxy,
        landmarks=((0.0, 0.0),) * 5,
        models=(ModelRef(role="embedder", id=RECIPE.embedder_id, sha256=RECIPE.embedder_sha256),),
        preprocessing="bench/1",
        gallery=GalleryRef(version=1, size=2, templates=2),
        frame_accounting=look.frame_accounting,
        software=Software(version="bench"),
    )
    signature = sign_event(unsigned_document(candidate), site.worker.candidates)
    return candidate.model_copy(update={"signature": signature})


def _add_list(site: Site, name: str, subjects: int) -> None:
    now, records = utc_now(), site.services.records
    watchlist_id = records.ensure_watchlist(f"the {name} list", "an experiment on drawn pictures", 1000)
    site.watchlists[name], site.deployments[name] = watchlist_id, f"deployment-{name}"
    terms = DeploymentTerms(
        site.deployments[name],
        watchlist_id,
        frozenset({CAMERA}),
        "an experiment on drawn pictures",
        "one who requests",
        "another who authorises",
        now - timedelta(hours=2),
        now + timedelta(days=2),
    )
    records.add_deployment(terms)
    entry = EntryTerms(
        "one who requests", "another who authorises", "none: drawn", "bench", "drawn", now + timedelta(days=2)
    )
    made = []
    for number in range(subjects):
        rng = np.random.default_rng(site.random.getrandbits(32))
        template = rng.standard_normal(64).astype(np.float32)
        reference = ReferenceInput(encode_jpeg(_face(rng, 320)), template / np.linalg.norm(template), RECIPE)
        made.append(records.add_subject(watchlist_id, f"nobody {number}", [reference], entry))
    site.subjects[name] = tuple(made)


def _add_control(site: Site) -> None:
    name = site.random.choice(LISTS)
    sight = drawn_sight(site.random)
    site.services.controls.add_control_item(
        ControlInput(
            deployment_id=site.deployments[name],
            camera_id=CAMERA,
            subject_id=site.random.choice(site.subjects[name]),
            truth=Truth.DIFFERENT,
            frame_redacted=sight.frame,
            probe=sight.probe,
            face_xyxy=sight.face_xyxy,
            pts_seconds=12.2,
            similarity=0.3,
            threshold=THRESHOLD,
            frame_accounting=FrameAccounting(read=306, decoded=306, not_sampled=244, inferred=62),
            clip_redacted=_at(sight.clip, 12.2),
        )
    )


def _at(clip: Clip, pts: float) -> Clip:
    return Clip(clip.content, clip.media_type, clip.width, clip.height, pts - 4.0, clip.duration_seconds)


def _face(rng: np.random.Generator, size_px: int) -> Image:
    image = np.full((size_px, size_px, 3), rng.integers(90, 200, 3), np.uint8)
    centre = (size_px // 2, size_px // 2)
    cv2.ellipse(image, centre, (100, 132), 0, 0, 360, [int(one) for one in rng.integers(10, 110, 3)], -1)
    cv2.ellipse(
        image, (centre[0], 175), (84, 108), 0, 0, 360, [int(one) for one in rng.integers(110, 230, 3)], -1
    )
    for side in (-1, 1):
        cv2.circle(image, (centre[0] + side * 34, 150), 9, (30, 30, 30), -1)
    noise = rng.normal(0, 4, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)
