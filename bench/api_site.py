"""A store filled for measuring, and a real `aiqyn serve` over it in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

import httpx
import numpy as np
import yaml
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import text

from aiqyn.demo.authenticator import SoftwareAuthenticator, page_origin
from aiqyn.demo.operators import Account, sign_in
from aiqyn.demo.people import add_people
from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from aiqyn.embedded.stack import free_port
from api.keys.store import KeyStore
from api.passwords import Passwords
from api.records import ReferenceInput
from api.review.cases import Role
from api.review.deployments import DeploymentTerms
from api.review.watchlists import EntryTerms
from api.services import Services, build_services
from api.settings import settings_from
from bench.api_clients import LOOK_SECONDS, Login
from bench.api_fill import Judged, fill, spans_of
from bench.live.spooler import numbered
from pipelines import streams
from pipelines.accounting import FrameAccounting
from pipelines.acl import API_USER, WorkerAccount, worker_user
from pipelines.canonical import canonical_json
from pipelines.config import load_config
from pipelines.events import Candidate, GalleryRef, ModelRef, Quality, Software, unsigned_document, utc_now
from pipelines.recipes import TemplateRecipe
from pipelines.signing import sign_event
from pipelines.worker_keys import WorkerKeys
from vision.images import encode_jpeg

WORKER: Final = "w1"
CAMERA: Final = "gate"
DEPLOYMENT: Final = "speed"
MODEL: Final = ModelRef(role="embedder", id="none", sha256="a" * 64)
RECIPE: Final = TemplateRecipe(MODEL.id, MODEL.sha256, "none")
PROCESSES: Final = 2
"""Of the service on PostgreSQL: as many as the machine of the project's figures has processors."""

READY_SECONDS: Final = 60.0
XADDS: Final = 250
_POLL_SECONDS: Final = 0.02
_CHEAP: Final = Passwords(Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1))
"""For one-time passwords, which nobody guesses in these minutes; what replaces them costs what it always does."""


@dataclass(frozen=True, slots=True)
class StoreSize:
    """What a store holds.

    Attributes:
        past: candidates that were judged.
        queue: candidates that wait for their judges.
        operators: accounts that may judge.
    """

    past: int
    queue: int
    operators: int


@dataclass(slots=True)
class Site:
    """One store and its service."""

    folder: Path
    address: str
    redis: EmbeddedRedis
    worker: WorkerKeys
    pattern: Candidate
    accounts: tuple[Account, ...]
    filled_seconds: float
    log: IO[bytes]
    service: subprocess.Popen[bytes] | None = None
    taken: int = 0

    def sign_in(self) -> list[Login]:
        """Signs every operator in, with a passkey of her own."""
        logins = []
        for account in self.accounts:
            authenticator = SoftwareAuthenticator(page_origin(self.address))
            with httpx.Client(base_url=self.address, timeout=30) as http:
                tokens = sign_in(http, account, authenticator)
                cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
            logins.append(Login(tokens.header, cookie, authenticator))
        return logins

    def ingest(self, count: int) -> float:
        """Sends so many new candidates over the bus; how many a second were kept and acknowledged."""
        entries = [self._entry(self.taken + number) for number in range(1, count + 1)]
        self.taken += count
        client = self.redis.connect(worker_user(WORKER))
        started = time.monotonic()
        with client:
            for first in range(0, count, XADDS):
                with client.pipeline(transaction=False) as batch:
                    for fields in entries[first : first + XADDS]:
                        batch.xadd(streams.CANDIDATES, fields)
                    batch.execute()
        while not self._all_taken():
            if time.monotonic() > started + READY_SECONDS * 5:
                raise TimeoutError("the candidates were not taken in")
            time.sleep(_POLL_SECONDS)
        return count / (time.monotonic() - started)

    def start(self) -> None:
        """Starts `aiqyn serve` and waits until it answers."""
        environment = {
            **os.environ,
            "AIQYN_REDIS__URL": self.redis.url,
            "AIQYN_REDIS__USERNAME": API_USER,
            "AIQYN_REDIS_PASSWORD": self.redis.password(API_USER),
        }
        command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(self.folder / "aiqyn.yaml")]
        self.service = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment
        )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self.service.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"the service did not come up; see {self.log.name}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends service and bus."""
        if self.service is not None:
            self.service.terminate()
            self.service.wait(30)
            self.service = None
        self.redis.stop()

    def _entry(self, number: int) -> dict[Any, Any]:
        made = numbered(self.pattern, number)
        signed = made.model_copy(
            update={"signature": sign_event(unsigned_document(made), self.worker.candidates)}
        )
        event = canonical_json(signed.model_dump(mode="json")).decode()
        return {streams.SCHEMA_FIELD: signed.schema_, streams.EVENT_FIELD: event}

    def _all_taken(self) -> bool:
        with self.redis.connect() as client:
            groups: Any = client.xinfo_groups(streams.CANDIDATES)
            last: Any = client.xrevrange(streams.CANDIDATES, count=1)
        return bool(not groups[0]["pending"] and last and groups[0]["last-delivered-id"] == last[0][0])

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.address}/ready", timeout=5).status_code == httpx.codes.OK
        return False


@contextmanager
def filled_site(
    folder: Path, server: RedisServer, size: StoreSize, database_url: str | None = None
) -> Iterator[Site]:
    """A filled store and its running service; everything is ended on leaving.

    Args:
        folder: empty.
        server: the program of Redis.
        size: what the store holds.
        database_url: an empty PostgreSQL database; None: SQLite in the folder.
    """
    settings = {
        "paths": {"data_dir": "data", "keys_dir": "keys"},
        "worker": {"id": WORKER},
        "cameras": {CAMERA: {"source": "none.mp4"}},
        "api": {
            "port": free_port(8750),
            "control_share": 0.0,
            "minimum_look_seconds": LOOK_SECONDS,
            "expire_after_seconds": 2_592_000,
            "database_url": database_url,
            "processes": 1 if database_url is None else PROCESSES,
        },
    }
    (folder / "aiqyn.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    config = load_config(folder / "aiqyn.yaml", environment={})
    keys = KeyStore.init(config.paths.keys_dir, data_dir=config.paths.data_dir)
    worker = WorkerKeys.load(keys.create_worker(WORKER))
    services = build_services(
        replace(settings_from(config), redis_url=None, run_background=False), passwords=_CHEAP
    )
    try:
        accounts = _accounts(services, size.operators)
        pattern = _pattern(services, worker)
        services.intake.accept(pattern)
        judged = _judged(services, accounts)
    finally:
        services.close()
    started = time.monotonic()
    spans = spans_of(size.past, size.queue, utc_now())
    fill(config.database_address(), str(pattern.candidate_id), spans, judged)
    filled_seconds = time.monotonic() - started
    redis = EmbeddedRedis(
        server,
        config.paths.data_dir,
        workers=[WorkerAccount(WORKER, (CAMERA,))],
        passwords=keys.redis_passwords(),
    )
    address = f"http://{config.api.host}:{config.api.port}"
    with (folder / "service.log").open("wb") as log:
        site = Site(folder, address, redis, worker, pattern, accounts, filled_seconds, log)
        try:
            redis.start()
            site.start()
            yield site
        finally:
            site.stop()


def _accounts(services: Services, count: int) -> tuple[Account, ...]:
    names = [f"operator-{number}" for number in range(1, count + 1)]
    return tuple(add_people(services, dict.fromkeys(names, Role.OPERATOR)))


def _judged(services: Services, accounts: tuple[Account, ...]) -> Judged:
    """Two of the accounts, with a login each that is over when the measurement begins."""
    for account in accounts[:2]:
        services.logins.login(account.username, account.one_time_password, "bench")
    with services.database.read() as session:
        found = session.execute(text("SELECT account_id, session_id FROM login_sessions")).all()
    return Judged(tuple(row[0] for row in found), tuple(row[1] for row in found))


def _pattern(services: Services, worker: WorkerKeys) -> Candidate:
    """A signed candidate of the one subject of the one list, with sealed pictures of noise."""
    now = utc_now()
    noise = np.random.default_rng(0)
    watchlist = services.records.ensure_watchlist("Speed", "to measure how fast the service answers")
    template = noise.standard_normal(512).astype(np.float32)
    picture = noise.integers(0, 255, (160, 160, 3), dtype=np.uint8)
    reference = ReferenceInput(encode_jpeg(picture), template / np.linalg.norm(template), RECIPE)
    terms = EntryTerms(
        "one", "another", "none: nobody is searched for", "speed", "noise", now + timedelta(days=2)
    )
    subject = services.records.add_subject(watchlist, "nobody", [reference], terms)
    services.records.add_deployment(
        DeploymentTerms(
            DEPLOYMENT,
            watchlist,
            frozenset({CAMERA}),
            "measurement",
            "one",
            "another",
            now - timedelta(hours=1),
            now + timedelta(days=1),
        )
    )
    unsigned = Candidate(
        candidate_id=uuid.uuid4(),
        revision=1,
        worker_id=WORKER,
        camera_id=CAMERA,
        deployment_id=DEPLOYMENT,
        watchlist_id=watchlist,
        subject_id=subject,
        observed_at=None,
        observed_at_source="unknown",
        pts_seconds=0.0,
        frame_index=0,
        track_id=1,
        track_start_pts_seconds=0.0,
        similarity=0.7,
        threshold=0.4,
        quality=Quality(face_size_px=88.0, confidence=0.9),
        frames_fused=4,
        single_look=False,
        evidence=(services.evidence.put("frame_redacted", picture), services.evidence.put("probe", picture)),
        face_xyxy=(10.0, 20.0, 98.0, 108.0),
        landmarks=((30.0, 50.0), (70.0, 50.0), (50.0, 70.0), (35.0, 90.0), (65.0, 90.0)),
        models=(MODEL,),
        preprocessing=RECIPE.preprocessing,
        gallery=GalleryRef(version=1, size=1, templates=1),
        frame_accounting=FrameAccounting(read=1, decoded=1, inferred=1),
        software=Software(version="bench"),
    )
    return unsigned.model_copy(
        update={"signature": sign_event(unsigned_document(unsigned), worker.candidates)}
    )
