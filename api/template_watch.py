"""What the workers say of the galleries they were given: who refuses one, and when old templates may go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from redis import Redis

from api.clock import Clock
from api.galleries import model_of
from api.references import ReferenceService
from api.review.deployments import DeploymentTerms
from api.store.engine import Database
from api.store.lists import ListRepository
from api.store.models import GalleryVersion
from pipelines.bus import bus_errors
from pipelines.streams import camera_key

_log = structlog.get_logger(__name__)

_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What a worker last said of one camera.

    Attributes:
        worker_id: who said it.
        deployment_id: whose list it searches; empty where none.
        gallery_version: of that list; None where none.
        lists_refused: deployments whose list the worker cannot search, and why.
    """

    worker_id: str
    deployment_id: str
    gallery_version: int | None
    lists_refused: Mapping[str, str]


class Reports(Protocol):
    """Where camera reports come from."""

    def of(self, camera_ids: Iterable[str]) -> list[CameraReport]:
        """The reports of these cameras; nothing of those that never reported."""


class CameraReports:
    """Reads the hashes `aiqyn:camera:<id>`. Anything may stand there that a worker could write."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, camera_ids: Iterable[str]) -> list[CameraReport]:
        """See `Reports.of`.

        Raises:
            BusError: Redis is away or refuses.
        """
        reports = []
        for camera_id in sorted(camera_ids):
            with bus_errors("the state of the cameras cannot be read"):
                raw: Any = self._redis.hgetall(camera_key(camera_id))
            if raw:
                reports.append(
                    _report(
                        {k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in raw.items()}
                    )
                )
        return reports


def _report(state: Mapping[str, str]) -> CameraReport:
    version = state.get("gallery_version", "")
    try:
        refused = json.loads(state.get("lists_refused", "") or "{}")
    except (ValueError, RecursionError):
        refused = {}
    told = refused.items() if isinstance(refused, dict) else ()
    return CameraReport(
        state.get("worker_id", ""),
        state.get("deployment_id", ""),
        int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None,
        {str(name): " ".join(str(reason).split())[:_MAX_REASON] for name, reason in told},
    )


class TemplateWatch:
    """Says which deployments are not searched for their templates' sake, and ends superseded templates."""

    def __init__(
        self, database: Database, references: ReferenceService, reports: Reports, clock: Clock
    ) -> None:
        self._database = database
        self._references = references
        self._reports = reports
        self._clock = clock
        self._notices: tuple[str, ...] = ()

    @property
    def notices(self) -> tuple[str, ...]:
        """One line for each deployment and worker that does not search it."""
        return self._notices

    def run_once(self) -> int:
        """Reads the reports; returns how many templates were destroyed.

        Raises:
            BusError: Redis is away or refuses.
        """
        with self._database.read() as session:
            lists = ListRepository(session)
            deployments = lists.active_deployments(self._clock())
            newest = {one.deployment_id: lists.newest_gallery(one.deployment_id) for one in deployments}
        reports = {one.deployment_id: self._reports.of(one.camera_ids) for one in deployments}
        self._tell(deployments, reports)
        lists_of: dict[str, list[DeploymentTerms]] = {}
        for one in deployments:
            lists_of.setdefault(one.watchlist_id, []).append(one)
        return sum(
            self._end_superseded(watchlist_id, own, newest, reports) for watchlist_id, own in lists_of.items()
        )

    def _tell(
        self, deployments: Iterable[DeploymentTerms], reports: Mapping[str, list[CameraReport]]
    ) -> None:
        notices = tuple(
            dict.fromkeys(
                f"deployment {one.deployment_id}, worker {report.worker_id}: "
                f"{report.lists_refused[one.deployment_id]}"
                for one in deployments
                for report in reports[one.deployment_id]
                if one.deployment_id in report.lists_refused
            )
        )
        for notice in notices:
            if notice not in self._notices:
                _log.warning("gallery_not_searched", detail=notice)
        self._notices = notices

    def _end_superseded(
        self,
        watchlist_id: str,
        deployments: Iterable[DeploymentTerms],
        newest: Mapping[str, GalleryVersion | None],
        reports: Mapping[str, list[CameraReport]],
    ) -> int:
        """Old templates go once every deployment of the list is searched with its newest version, and only that."""
        needed: set[str] = set()
        for one in deployments:
            version = newest[one.deployment_id]
            if version is None or not _in_use(version, reports[one.deployment_id]):
                return 0
            needed.add(model_of(version).recipe.sha256)
        with self._database.read() as session:
            if set(ListRepository(session).recipes(watchlist_id)) <= needed:
                return 0
        return self._references.destroy_superseded(watchlist_id, needed)


def _in_use(version: GalleryVersion, reports: Iterable[CameraReport]) -> bool:
    """Whether some camera searches this version of the deployment's list, and none an older one."""
    searched = [report.gallery_version for report in reports if report.deployment_id == version.deployment_id]
    return bool(searched) and all(one is not None and one >= version.version for one in searched)
