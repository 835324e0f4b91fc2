"""The service's end of the bus: candidates come in, confirmed matches go out."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from api.camera_hashes import CameraHashes
from api.intake import Intake, IntakeRefusedError, Taken
from api.keys.store import KeyStore
from api.metrics import ServiceMetrics
from api.previews import PreviewBox
from api.template_watch import CameraReports
from api.trimming import StreamTrimmer
from pipelines.bus import CandidateConsumer, ConfirmedPublisher, ReceivedCandidate
from pipelines.bus_address import BusSecurity
from pipelines.errors import BusError, PipelineError
from pipelines.events import Candidate, utc_now
from pipelines.gallery_bus import GalleryPublisher
from pipelines.given_cameras import CameraSender
from pipelines.overlay_package import OverlaySender
from pipelines.streams import connect, ensure_streams
from pipelines.tracing import SpanAbout, Tracing

READ_BLOCK_SECONDS: Final = 1.0
"""Short, so that the thread notices soon when it should end."""

MAX_FAILURES: Final = 5
"""An entry that fails so often by itself is put aside, so that it does not hold up all that follow."""

_log = structlog.get_logger(__name__)


def connect_bus(
    url: str, username: str | None, password: str | None, security: BusSecurity | None = None
) -> Redis:
    """A client of the user `api`; streams and groups exist on return where Redis answers.

    Raises:
        BusError: not an address of Redis, or Redis is away or refuses.
    """
    redis = connect(url, username=username, password=password, security=security)
    ensure_streams(redis)
    return redis


class Bus:
    """One connection for reading candidates and writing confirmed matches and galleries."""

    def __init__(
        self,
        redis: Redis,
        intake: Intake,
        keys: KeyStore,
        *,
        consumer: str | None = None,
        ages: Mapping[str, timedelta] | None = None,
        metrics: ServiceMetrics | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """
        Args:
            redis: a client of the user `api`.
            intake: keeps what comes in.
            keys: with which candidates are checked and galleries signed.
            consumer: name within the group, the same after a restart; after this host where None.
            ages: how long entries stay, by stream; None: nothing is trimmed.
            metrics: counts what came in; None: nobody reads them.
            tracing: spans of what comes in; None: none. Closed with the bus.
        """
        self._redis = redis
        self._intake = intake
        self._keys = keys
        self._name = consumer or f"api-{socket.gethostname()}"
        self._consumer = self._fresh_consumer()
        self._failures: dict[str, int] = {}
        self._metrics = metrics or ServiceMetrics()
        self._tracing = tracing or Tracing()
        self._publisher = ConfirmedPublisher(redis)
        self.galleries = GalleryPublisher(redis, keys.galleries_key())
        self.words = CameraHashes(redis)
        self.overlays = OverlaySender(redis, keys.galleries_key())
        self.given_cameras = CameraSender(redis, keys.galleries_key())
        self.cameras = CameraReports(redis)
        self.previews = PreviewBox(redis)
        self.trimmer = StreamTrimmer(redis, ages or {})

    def take_in(self) -> int:
        """Reads the next candidates, keeps them together, and acknowledges them after their commit.

        Returns:
            How many entries were dealt with, those put aside as dead among them.

        Raises:
            BusError: Redis is away; what was not acknowledged comes again.
        """
        received = self._consumer.read(block_seconds=READ_BLOCK_SECONDS)
        if not received:
            return 0
        try:
            self._take(received)
        except (BusError, OperationalError):  # away, for one entry as for all: what came, comes again
            self._consumer = self._fresh_consumer()
            raise
        except Exception:  # noqa: BLE001  # one of them cannot be kept: which one, shows when each is taken alone
            self._take_singly(received)
        return len(received)

    def _take_singly(self, received: Sequence[ReceivedCandidate]) -> None:
        for one in received:
            try:
                self._take([one])
            except Exception as error:
                # What was read and not acknowledged comes again only to a consumer that asks from the start.
                self._consumer = self._fresh_consumer()
                if not self._is_poison(one.entry_id, error):
                    raise
                _log.error("candidate_poison", entry_id=one.entry_id, error=type(error).__name__)
                self._metrics.refused("poison")
                self._consumer.reject(one.entry_id, one.event_json, f"poison: {type(error).__name__}")
                return

    def _take(self, received: Sequence[ReceivedCandidate]) -> None:
        """Keeps entries in one transaction, and acknowledges them after its commit."""
        outcomes = self._accept(received)
        kept: list[str] = []
        for one, outcome in zip(received, outcomes, strict=True):
            if isinstance(outcome, IntakeRefusedError):
                _log.warning("candidate_refused", entry_id=one.entry_id, code=outcome.code)
                self._metrics.refused(outcome.code)
                self._consumer.reject(one.entry_id, one.event_json, f"{outcome.code}: {outcome.reason}")
            else:
                kept.append(one.entry_id)
                _log.info("candidate_taken", entry_id=one.entry_id, outcome=outcome.value)
                self._measure(one.candidate, outcome)
            self._failures.pop(one.entry_id, None)
        self._consumer.ack(kept)

    def _accept(self, received: Sequence[ReceivedCandidate]) -> list[Taken | IntakeRefusedError]:
        with ExitStack() as spans:
            for one in received:
                candidate = one.candidate
                about = SpanAbout(candidate.camera_id, candidate.deployment_id, str(candidate.candidate_id))
                spans.enter_context(self._tracing.joined("intake", one.traceparent, about))
            return self._intake.accept_batch([one.checked for one in received])

    def _measure(self, candidate: Candidate, taken: Taken) -> None:
        live = candidate.observed_at_source == "wall_clock" and taken is Taken.ACCEPTED
        self._metrics.taken(taken.value, candidate.observed_at if live else None, utc_now())

    def _fresh_consumer(self) -> CandidateConsumer:
        return CandidateConsumer(self._redis, self._keys.worker_verifying_keys, self._name)

    def _is_poison(self, entry_id: str, error: Exception) -> bool:
        """Whether an entry has failed too often for a reason of its own, not for a database or bus away."""
        if isinstance(error, OperationalError | PipelineError):
            return False
        self._failures[entry_id] = self._failures.get(entry_id, 0) + 1
        return self._failures[entry_id] >= MAX_FAILURES

    def publish(self, receipt: str) -> None:
        """Adds a receipt to `aiqyn:confirmed`; on disk when this returns.

        Raises:
            BusError: Redis is away or refuses; send it again.
        """
        self._publisher.publish(receipt)

    def publish_retraction(self, retraction: str) -> None:
        """Adds a retraction to `aiqyn:confirmed`; on disk when this returns.

        Raises:
            BusError: Redis is away or refuses; send it again.
        """
        self._publisher.publish_retraction(retraction)

    def answers(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except RedisError:
            return False

    def close(self) -> None:
        """Lets go of the connection."""
        self._redis.close()
        self._tracing.close()
