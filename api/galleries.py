"""Gallery versions: a new one whenever a list changes, sealed to each worker and kept on the bus."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

import numpy as np
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from sqlalchemy.orm import Session

from api.clock import Clock
from api.keys.store import KeyStore
from api.ledger.chain import Happening
from api.records import RecordService
from api.review.deployments import DeploymentTerms
from api.review.errors import RecordError
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import GalleryVersion
from pipelines.canonical import canonical_json
from pipelines.config import IdentificationConfig
from pipelines.galleries import GalleryPackage
from pipelines.recipes import TemplateRecipe, embedder_part

ROUND_SECONDS = 1.0
"""How often everything is looked at although nothing happened: entries expire by the clock."""

_OF_JUDGES: Final = frozenset(
    {
        "candidate_received",
        "candidate_updated",
        "confirmed",
        "evidence_viewed",
        "judged",
        "judgement_begun",
        "review_viewed",
        "reviews_listed",
    }
)
"""Entries about candidates and their judges, many a second, which change no list; any other may."""

DEFAULT_RATE = IdentificationConfig().false_alerts_per_1000_faces

_log = structlog.get_logger(__name__)


class GallerySink(Protocol):
    """Hands sealed galleries to workers."""

    def publish(self, package: GalleryPackage, worker_public: X25519PublicKey) -> None:
        """Puts a gallery in the place of an older one."""

    def withdraw(self, deployment_id: str, worker_id: str) -> None:
        """Takes a gallery away."""


@dataclass(frozen=True, slots=True)
class GalleryModel:
    """What templates of a gallery are made with, and how strictly they are searched.

    Attributes:
        embedder_id: in the catalogue.
        embedder_sha256: exactly which file of it.
        preprocessing: how faces became its input.
        false_alerts_per_1000_faces: the wanted rate where the list has none of its own; sets the worker's
            threshold.
    """

    embedder_id: str
    embedder_sha256: str
    preprocessing: str
    false_alerts_per_1000_faces: float

    @property
    def recipe(self) -> TemplateRecipe:
        """What its templates are made with."""
        return TemplateRecipe(self.embedder_id, self.embedder_sha256, embedder_part(self.preprocessing))


class GalleryService:
    """Keeps every deployment's gallery version in step with its list, and every worker's with the version."""

    def __init__(
        self,
        database: Database,
        records: RecordService,
        keys: KeyStore,
        clock: Clock,
        sink: GallerySink | None,
        default_rate: float = DEFAULT_RATE,
    ) -> None:
        """
        Args:
            sink: hands galleries to workers; None: nothing is handed out.
            default_rate: wanted false alerts per 1000 faces of lists without a rate of their own.
        """
        self._database = database
        self._records = records
        self._keys = keys
        self._clock = clock
        self._sink = sink
        self._default_rate = default_rate
        self._sent: dict[tuple[str, str], int] = {}
        self._seen_sequence: int | None = None
        self._next_round_seconds = 0.0
        self._withdrew_ended = False

    def begin(self, deployment_id: str, model: GalleryModel) -> int:
        """The version of a deployment's gallery made with this model; a new one where anything changed.

        Raises:
            RecordError: there is no such deployment.
        """
        with self._database.write() as session:
            deployment = ListRepository(session).deployment(deployment_id)
            if deployment is None:
                raise RecordError(f"there is no deployment {deployment_id}")
            return self._in_step(session, deployment, model).version

    def switch(self, deployment_id: str, recipe: TemplateRecipe) -> int | None:
        """The version of a deployment's gallery made by another recipe, at the rate it had; None where it has none.

        Raises:
            RecordError: there is no such deployment.
        """
        with self._database.read() as session:
            newest = ListRepository(session).newest_gallery(deployment_id)
        if newest is None:
            return None
        before = model_of(newest)
        model = replace(
            before,
            embedder_id=recipe.embedder_id,
            embedder_sha256=recipe.embedder_sha256,
            preprocessing=recipe.preprocessing,
        )
        return newest.version if before.recipe == recipe else self.begin(deployment_id, model)

    def watch_once(self) -> int:
        """`run_once` where the ledger says that anything happened but to candidates, and once a second in any case.

        To be called several times a second: a revocation is to reach the workers without a wait.

        Raises:
            BusError, SealingError: as `run_once`.
        """
        with self._database.look() as session:
            sequence = LedgerRepository(session).newest_sequence()
            if time.monotonic() < self._next_round_seconds and not self._may_concern(session, sequence):
                self._seen_sequence = sequence
                return 0
        done = self.run_once()
        self._seen_sequence, self._next_round_seconds = sequence, time.monotonic() + ROUND_SECONDS
        return done

    def _may_concern(self, session: Session, sequence: int) -> bool:
        seen = self._seen_sequence
        if seen is None or sequence < seen:
            return True
        return sequence > seen and LedgerRepository(session).happened(seen, sequence, _OF_JUDGES)

    def run_once(self) -> int:
        """Makes versions for lists that changed, entries that expired among them, and publishes what workers lack.

        The galleries of deployments that are over, because their time is or because somebody ended them, are
        withdrawn.

        Returns:
            How many galleries were published or withdrawn.

        Raises:
            BusError: the bus is away; what was not published is tried again.
            SealingError: a subject's key is gone, or a worker's key cannot be used.
        """
        if self._sink is None:
            return 0
        now = self._clock()
        with self._database.read() as session:
            lists = ListRepository(session)
            known = [
                (item, lists.newest_gallery(item.deployment_id)) for item in lists.active_deployments(now)
            ]
            # Once after a start, too: they may have ended while nobody was here to withdraw them.
            ended = set() if self._withdrew_ended else set(lists.ended_with_gallery(now))
        ended |= {deployment_id for deployment_id, _ in self._sent}
        withdrawn = self._withdraw(ended - {item.deployment_id for item, _ in known})
        self._withdrew_ended = True
        begun = [(item, version or self._first(item)) for item, version in known]
        return withdrawn + sum(self._deliver(item, version) for item, version in begun if version is not None)

    def _first(self, deployment: DeploymentTerms) -> GalleryVersion | None:
        """The first version of a deployment that was approved: by the recipe its list's newest template is of.

        None while there is nobody to search for.
        """
        with self._database.read() as session:
            newest = ListRepository(session).newest_recipe(deployment.watchlist_id, self._clock())
        if newest is None:
            return None
        model = GalleryModel(
            newest.embedder_id, newest.embedder_sha256, newest.preprocessing, self._default_rate
        )
        with self._database.write() as session:
            return self._in_step(session, deployment, model)

    def _withdraw(self, ended: Iterable[str]) -> int:
        """Takes the galleries of deployments from every worker; how many were known to be there."""
        withdrawn = 0
        for deployment_id in sorted(ended):
            for worker_id in self._keys.worker_ids():
                if self._sink is not None:
                    self._sink.withdraw(deployment_id, worker_id)
                if self._sent.pop((deployment_id, worker_id), None) is not None:
                    withdrawn += 1
                    _log.info("gallery_withdrawn", deployment_id=deployment_id, worker_id=worker_id)
        return withdrawn

    def _deliver(self, deployment: DeploymentTerms, newest: GalleryVersion) -> int:
        model = model_of(newest)
        if self._fingerprint(deployment, model) != newest.content_sha256:
            with self._database.write() as session:
                newest = self._in_step(session, deployment, model)
        workers = [
            worker_id
            for worker_id in self._keys.worker_ids()
            if self._sent.get((deployment.deployment_id, worker_id)) != newest.version
        ]
        for worker_id in workers:
            self._send(deployment, newest, worker_id)
            self._sent[deployment.deployment_id, worker_id] = newest.version
        return len(workers)

    def _send(self, deployment: DeploymentTerms, version: GalleryVersion, worker_id: str) -> None:
        if self._sink is None:
            return
        package = self._package(deployment, version, worker_id)
        if package is None:
            self._sink.withdraw(deployment.deployment_id, worker_id)
        else:
            self._sink.publish(package, self._keys.worker_sealing_key(worker_id))
        _log.info(
            "gallery_delivered",
            deployment_id=deployment.deployment_id,
            worker_id=worker_id,
            version=version.version,
            subjects=version.subjects,
        )

    def _package(
        self, deployment: DeploymentTerms, version: GalleryVersion, worker_id: str
    ) -> GalleryPackage | None:
        """The gallery as one worker gets it; None when nobody is listed any more."""
        subjects = self._records.gallery_subjects(deployment.watchlist_id, model_of(version).recipe.sha256)
        rows = [(subject.subject_id, row) for subject in subjects for row in subject.templates]
        if not rows:
            return None
        return GalleryPackage(
            deployment_id=deployment.deployment_id,
            watchlist_id=deployment.watchlist_id,
            worker_id=worker_id,
            version=version.version,
            cameras=tuple(sorted(deployment.camera_ids)),
            active_from=deployment.starts_at,
            active_until=deployment.ends_at,
            embedder_id=version.embedder_id,
            embedder_sha256=version.embedder_sha256,
            preprocessing=version.preprocessing,
            false_alerts_per_1000_faces=version.false_alerts_per_1000_faces,
            subject_ids=tuple(subject_id for subject_id, _ in rows),
            templates=np.stack([row for _, row in rows]),
        )

    def _in_step(self, session: Session, deployment: DeploymentTerms, model: GalleryModel) -> GalleryVersion:
        """The newest version where it is in step with the list, else a new one."""
        lists, now = ListRepository(session), self._clock()
        model = _at_the_lists_rate(lists, deployment, model)
        newest = lists.newest_gallery(deployment.deployment_id)
        digest = _fingerprint(session, deployment, model, now)
        if newest is not None and newest.content_sha256 == digest:
            return newest
        rows = [row for row, _ in lists.searched_templates(deployment.watchlist_id, model.recipe.sha256, now)]
        version = GalleryVersion(
            deployment_id=deployment.deployment_id,
            version=newest.version + 1 if newest else 1,
            subjects=len({row.subject_id for row in rows}),
            templates=len(rows),
            embedder_id=model.embedder_id,
            embedder_sha256=model.embedder_sha256,
            preprocessing=model.preprocessing,
            false_alerts_per_1000_faces=model.false_alerts_per_1000_faces,
            content_sha256=digest,
            created_at=now,
        )
        lists.add(version)
        detail = {"version": version.version, "subjects": version.subjects, "sha256": digest}
        about = f"deployment:{deployment.deployment_id}"
        LedgerRepository(session).append(Happening("gallery_version", now, "galleries", about, detail))
        return version

    def _fingerprint(self, deployment: DeploymentTerms, model: GalleryModel) -> str:
        with self._database.read() as session:
            return _fingerprint(session, deployment, model, self._clock())


def _fingerprint(session: Session, deployment: DeploymentTerms, model: GalleryModel, at: datetime) -> str:
    """What a gallery is made of, as a hash; without opening a single template."""
    lists = ListRepository(session)
    model = _at_the_lists_rate(lists, deployment, model)
    references = lists.searched_template_ids(deployment.watchlist_id, model.recipe.sha256, at)
    document = {
        "references": list(references),
        "cameras": sorted(deployment.camera_ids),
        "from": deployment.starts_at.isoformat(),
        "until": deployment.ends_at.isoformat(),
        "embedder": [model.embedder_id, model.embedder_sha256, model.preprocessing],
        "false_alerts_per_1000_faces": model.false_alerts_per_1000_faces,
    }
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _at_the_lists_rate(
    lists: ListRepository, deployment: DeploymentTerms, model: GalleryModel
) -> GalleryModel:
    watchlist = lists.watchlist(deployment.watchlist_id)
    own = watchlist.false_alerts_per_1000_faces if watchlist else None
    return model if own is None else replace(model, false_alerts_per_1000_faces=own)


def model_of(version: GalleryVersion) -> GalleryModel:
    """What a version was made with."""
    return GalleryModel(
        version.embedder_id,
        version.embedder_sha256,
        version.preprocessing,
        version.false_alerts_per_1000_faces,
    )
