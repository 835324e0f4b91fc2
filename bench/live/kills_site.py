"""A site whose parts are there to be killed: Redis at an address that stays, `aiqyn serve`, a list, a deployment."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import httpx
import numpy as np
import yaml

from aiqyn.demo.operators import Account, sign_in
from aiqyn.demo.people import add_people
from aiqyn.embedded.redis import EmbeddedRedis
from aiqyn.embedded.redis_server import RedisServer
from aiqyn.embedded.stack import free_port
from api.keys.store import KeyStore
from api.records import ReferenceInput
from api.review.cases import Role
from api.review.deployments import DeploymentTerms
from api.review.watchlists import EntryTerms
from api.services import Services, build_services
from api.settings import settings_from
from pipelines import streams
from pipelines.accounting import FrameAccounting
from pipelines.acl import API_USER, WorkerAccount
from pipelines.config import load_config
from pipelines.events import Candidate, GalleryRef, ModelRef, Quality, Software, utc_now
from pipelines.recipes import TemplateRecipe
from vision.images import encode_jpeg

WORKER = "w1"
CAMERA = "gate"
DEPLOYMENT = "kills"
MODEL = ModelRef(role="embedder", id="none", sha256="a" * 64)
RECIPE = TemplateRecipe(MODEL.id, MODEL.sha256, "none")
READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(slots=True)
class KillsSite:
    """What is there, and how each part is killed and comes back."""

    folder: Path
    address: str
    keys: KeyStore
    redis: EmbeddedRedis
    operator: Account
    pattern: Candidate
    log: IO[bytes]
    people: dict[str, Account] = field(default_factory=dict)
    service: subprocess.Popen[bytes] | None = None
    _reader: httpx.Client | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Of Redis, whichever runs now."""
        return f"unix://{self.folder / 'redis.sock'}"

    @property
    def config_path(self) -> Path:
        """The settings file of the service."""
        return self.folder / "aiqyn.yaml"

    def start_redis(self) -> None:
        """Starts the server on its data, and points the address at it."""
        self.redis.start()
        link = self.folder / "redis.sock"
        link.unlink(missing_ok=True)
        link.symlink_to(self.redis.socket_path)

    def kill_redis(self) -> None:
        """Ends the server without a word to it."""
        if self.redis.pid is not None:
            os.kill(self.redis.pid, signal.SIGKILL)
        self.redis.stop()

    def environment(self) -> dict[str, str]:
        """Variables of a process of the service."""
        return {
            **os.environ,
            "AIQYN_REDIS__URL": self.url,
            "AIQYN_REDIS__USERNAME": API_USER,
            "AIQYN_REDIS_PASSWORD": self.redis.password(API_USER),
        }

    def start_service(self) -> None:
        """Starts `aiqyn serve` and waits until it answers."""
        command = [sys.executable, "-m", "aiqyn", "serve", "--config", str(self.config_path)]
        self.service = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.environment()
        )
        self.wait_for("the service answers", self._answers, READY_SECONDS)

    def kill_service(self) -> None:
        """Ends the service without a word to it."""
        if self.service is not None:
            self.service.kill()
            self.service.wait()
            self.service = None

    def wait_for(self, what: str, holds: Callable[[], bool], seconds: float) -> None:
        """Waits until something is so; raises TimeoutError with `what` where it is not in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def all_taken(self) -> bool:
        """Whether the service has acknowledged all that is in the stream."""
        with self.redis.connect() as client:
            groups: Any = client.xinfo_groups(streams.CANDIDATES)
            last: Any = client.xrevrange(streams.CANDIDATES, count=1)
        return bool(not groups[0]["pending"] and last and groups[0]["last-delivered-id"] == last[0][0])

    def sent(self) -> list[float]:
        """The seconds that stand in every entry of the stream, in order."""
        with self.redis.connect() as client:
            entries: Any = client.xrange(streams.CANDIDATES)
        return [Candidate.model_validate_json(fields[b"event"]).pts_seconds for _, fields in entries]

    def shown(self) -> Counter[float]:
        """How often the operator is shown each candidate, by its seconds in the source."""
        found: Counter[float] = Counter()
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
            response = self._operator().get("/api/v1/reviews", params=query)
            response.raise_for_status()
            page = response.json()
            found.update(review["pts_seconds"] for review in page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def close(self) -> None:
        """Ends everything."""
        if self._reader is not None:
            self._reader.close()
        self.kill_service()
        self.redis.stop()

    def _operator(self) -> httpx.Client:
        if self._reader is None:
            self._reader = httpx.Client(base_url=self.address, timeout=30)
            sign_in(self._reader, self.operator)
        return self._reader

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.address}/ready", timeout=5).status_code == httpx.codes.OK
        return False


@contextmanager
def kills_site(
    folder: Path,
    server: RedisServer,
    *,
    api: Mapping[str, object] | None = None,
    people: Mapping[str, Role] | None = None,
) -> Iterator[KillsSite]:
    """A site with Redis and the service up; everything is ended on leaving.

    Args:
        folder: empty, with a short path: sockets lie in it.
        server: the program of Redis.
        api: further settings of the service.
        people: accounts besides the one operator.
    """
    settings = {
        "paths": {"data_dir": "data", "keys_dir": "keys"},
        "worker": {"id": WORKER},
        "cameras": {CAMERA: {"source": "none.mp4"}},
        "api": {"port": free_port(8750), "control_share": 0.0, **(api or {})},
    }
    (folder / "aiqyn.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    config = load_config(folder / "aiqyn.yaml", environment={})
    keys = KeyStore.init(config.paths.keys_dir, data_dir=config.paths.data_dir)
    keys.create_worker(WORKER)
    services = build_services(replace(settings_from(config), redis_url=None, run_background=False))
    try:
        operator, *others = add_people(services, {"operator-1": Role.OPERATOR, **(people or {})})
        accounts = {account.username: account for account in others}
        pattern = _pattern(services)
    finally:
        services.close()
    redis = EmbeddedRedis(
        server,
        config.paths.data_dir,
        workers=[WorkerAccount(WORKER, (CAMERA,))],
        passwords=keys.redis_passwords(),
    )
    address = f"http://{config.api.host}:{config.api.port}"
    with (folder / "service.log").open("wb") as log:
        here = KillsSite(folder, address, keys, redis, operator, pattern, log, accounts)
        try:
            here.start_redis()
            here.start_service()
            yield here
        finally:
            here.close()


def _pattern(services: Services) -> Candidate:
    """A candidate of the one subject of the one list, with sealed pictures of noise."""
    now = utc_now()
    noise = np.random.default_rng(0)
    watchlist = services.records.ensure_watchlist("Kills", "to be there when others are not")
    template = noise.standard_normal(512).astype(np.float32)
    picture = noise.integers(0, 255, (320, 320, 3), dtype=np.uint8)
    reference = ReferenceInput(encode_jpeg(picture), template / np.linalg.norm(template), RECIPE)
    terms = EntryTerms(
        "one", "another", "none: nobody is searched for", "kills", "noise", now + timedelta(days=1)
    )
    subject = services.records.add_subject(watchlist, f"nobody {secrets.token_hex(2)}", [reference], terms)
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
    return Candidate(
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
