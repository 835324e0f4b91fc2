"""Cameras people give to workers: versions made by the rules, logged, and handed to the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, NotFoundError, UnprocessableError
from api.ledger.chain import Happening
from api.principals import ADMINISTRATORS, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.cameras import CameraOrder, CameraVersion, check_order, orders_of, to_yaml
from api.review.errors import RecordError
from api.store.engine import Database
from api.store.given_cameras import GivenCameraRepository
from api.store.ledger import LedgerRepository
from pipelines.canonical import canonical_json
from pipelines.config_yaml import parse_yaml
from pipelines.errors import ConfigError
from pipelines.given_cameras import MAX_CAMERAS, GivenCameras

RESEND_AFTER: Final = timedelta(seconds=60)
"""What the bus holds is written anew so often, in case it was emptied."""

_TICK: Final = timedelta(microseconds=1)

_log = structlog.get_logger(__name__)


class CameraBoard(Protocol):
    """Where workers look for the cameras they are given."""

    def send(self, given: GivenCameras) -> None:
        """Puts a worker's cameras in the place of its earlier ones."""


class GivenCameraService:
    """Everything people do with the cameras of workers."""

    def __init__(self, database: Database, clock: Clock, worker_ids: Callable[[], Collection[str]]) -> None:
        """
        Args:
            database: where versions are kept.
            clock: gives the time.
            worker_ids: those that have keys, as of now.
        """
        self._database = database
        self._clock = clock
        self._worker_ids = worker_ids

    def current(self, after: str | None = None, limit: int | None = None) -> list[CameraVersion]:
        """Newest versions by camera, removals among them."""
        with self._database.read() as session:
            return GivenCameraRepository(session).current(after, limit)

    def history(self, camera_id: str, before: int | None, limit: int) -> list[CameraVersion]:
        """Versions of one camera, newest first.

        Raises:
            NotFoundError: it was never given.
        """
        with self._database.read() as session:
            cameras = GivenCameraRepository(session)
            found = cameras.history(camera_id, before, limit)
            if not found and cameras.newest(camera_id) is None:
                raise NotFoundError("this camera was never given to a worker by the service")
            return found

    def give(
        self, principal: Principal, order: CameraOrder, based_on_version: int | None, request: WriteRequest
    ) -> dict[str, Any]:
        """Makes the next version of a camera; one without settings removes it.

        Args:
            principal: who wants it.
            order: what.
            based_on_version: the version the person saw; None: there is to be none that is active.
            request: by which the same is asked for once.

        Returns:
            `{camera_id, version, worker_id, changed_at}` as JSON values.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: a camera to change or remove that is not given to anybody.
            ConflictError: it is there already, or was changed in the meantime.
            UnprocessableError: it breaks a rule; says which.
        """
        check_role(principal, ADMINISTRATORS, "cannot give cameras")
        with self._database.write() as session:
            LedgerRepository(session).take_turn()
            before = replayed(session, request)
            if before is not None:
                return before
            newest = GivenCameraRepository(session).newest(order.camera_id)
            _check_base(newest, based_on_version)
            made = self._add(session, principal.account_id, order, newest)
            result = {
                "camera_id": made.camera_id,
                "version": made.version,
                "worker_id": made.worker_id,
                "changed_at": made.changed_at.isoformat(),
            }
            keep_result(session, request, 201 if based_on_version is None else 200, result, made.changed_at)
            return result

    def remove(
        self,
        principal: Principal,
        camera_id: str,
        reason: str,
        based_on_version: int,
        request: WriteRequest,
    ) -> dict[str, Any]:
        """Makes a version that removes a camera; as `give`."""
        with self._database.read() as session:
            newest = GivenCameraRepository(session).newest(camera_id)
        worker_id = "" if newest is None else newest.worker_id
        return self.give(
            principal, CameraOrder(camera_id, worker_id, None, reason), based_on_version, request
        )

    def take_in(self, account_id: str, orders: Iterable[CameraOrder]) -> list[CameraVersion]:
        """New versions of what differs from the current ones, all or none; what the export lacks stays.

        Raises:
            UnprocessableError: one breaks a rule; says which.
        """
        with self._database.write() as session:
            LedgerRepository(session).take_turn()
            made = []
            for order in orders:
                newest = GivenCameraRepository(session).newest(order.camera_id)
                if newest is None or (newest.worker_id, newest.settings) != (order.worker_id, order.settings):
                    made.append(self._add(session, account_id, order, newest))
            return made

    def export(self, account_id: str) -> str:
        """The cameras that are given now, as YAML; an entry in the log."""
        with self._database.write() as session:
            versions = [one for one in GivenCameraRepository(session).current() if one.active]
            detail = {"cameras": len(versions)}
            LedgerRepository(session).append(
                Happening("cameras_exported", self._clock(), account_id, None, detail)
            )
        return to_yaml(versions)

    def _add(
        self, session: Session, account_id: str, order: CameraOrder, newest: CameraVersion | None
    ) -> CameraVersion:
        try:
            check_order(order, self._worker_ids())
        except RecordError as error:
            raise UnprocessableError("bad_camera", f"{order.camera_id}: {error}") from error
        cameras = GivenCameraRepository(session)
        _check_room(cameras, order)
        number = 1 if newest is None else newest.version + 1
        settings = {} if order.settings is None else order.settings.model_dump(mode="json", exclude_none=True)
        detail = {
            "version": number,
            "worker_id": order.worker_id,
            "sha256": hashlib.sha256(canonical_json(settings)).hexdigest(),
        }
        kinds = {True: "camera_removed", False: "camera_given" if newest is None else "camera_changed"}
        LedgerRepository(session).append(
            Happening(
                kinds[order.settings is None], self._clock(), account_id, f"camera:{order.camera_id}", detail
            )
        )
        earlier = cameras.changed_at()
        # Workers take what is later: a clock that was put back must not make a new camera look old.
        now = self._clock() if earlier is None else max(self._clock(), earlier + _TICK)
        made = CameraVersion(
            order.camera_id, number, order.worker_id, order.settings, account_id, now, order.reason
        )
        cameras.add(made)
        return made


class CameraPublisher:
    """Keeps what lies on the bus for every worker in step with the versions."""

    def __init__(
        self, service: GivenCameraService, database: Database, board: CameraBoard, clock: Clock
    ) -> None:
        self._service = service
        self._database = database
        self._board = board
        self._clock = clock
        self._sent: dict[str, _Sent] = {}

    def run_once(self) -> int:
        """Publishes what changed, and from time to time everything anew.

        Returns:
            Workers whose cameras changed.

        Raises:
            BusError: Redis is away or refuses; what was not published is tried again.
        """
        now, changed = self._clock(), 0
        for given in self._given():
            sent = self._sent.get(given.worker_id)
            is_new = sent is None or sent.given != given
            if is_new or (sent is not None and now - sent.sent_at >= RESEND_AFTER):
                self._board.send(given)
                self._sent[given.worker_id] = _Sent(given, now)
                changed += is_new
                if is_new:
                    _log.info("cameras_published", worker_id=given.worker_id, cameras=len(given.cameras))
        return changed

    def _given(self) -> list[GivenCameras]:
        """What every worker is to have that was ever given anything."""
        with self._database.read() as session:
            cameras = GivenCameraRepository(session)
            changed_at, worker_ids = cameras.changed_at(), cameras.worker_ids()
            current = cameras.current()
        if changed_at is None:
            return []
        return [
            GivenCameras(
                worker_id,
                changed_at,
                {
                    one.camera_id: one.settings
                    for one in current
                    if one.settings is not None and one.worker_id == worker_id
                },
            )
            for worker_id in sorted(worker_ids)
        ]


@dataclass(frozen=True, slots=True)
class _Sent:
    given: GivenCameras
    sent_at: datetime


def read_export(text: str, where: str, reason: str) -> tuple[CameraOrder, ...]:
    """The cameras in an export.

    Args:
        text: YAML.
        where: it came from, for errors.
        reason: why they are taken over.

    Raises:
        UnprocessableError: not an export; says where.
    """
    try:
        return orders_of(parse_yaml(text, Path(where)).values, reason)
    except (ConfigError, RecordError) as error:
        raise UnprocessableError("bad_export", str(error)) from error


def _check_base(newest: CameraVersion | None, based_on_version: int | None) -> None:
    """Nobody overwrites unseen what another did."""
    if based_on_version is None:
        if newest is not None and newest.active:
            raise ConflictError("camera_exists", "this camera is given already; change it with PUT")
        return
    if newest is None or not newest.active:
        raise NotFoundError("this camera is not given to any worker by the service")
    if newest.version != based_on_version:
        raise ConflictError(
            "changed_meanwhile", f"version {newest.version} is the newest; look at it and change that"
        )


def _check_room(cameras: GivenCameraRepository, order: CameraOrder) -> None:
    if order.settings is None:
        return
    there = {one.camera_id for one in cameras.current() if one.active and one.worker_id == order.worker_id}
    if len(there | {order.camera_id}) > MAX_CAMERAS:
        raise UnprocessableError("too_many_cameras", f"a worker is given at most {MAX_CAMERAS} cameras")
