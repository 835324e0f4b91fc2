"""Masks people draw on cameras' pictures: versions made by the rules, logged, and handed to the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import ConflictError, NotFoundError, UnprocessableError
from api.ledger.chain import Happening
from api.principals import ADMINISTRATORS, Principal, check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.errors import RecordError
from api.review.overlays import Drawing, OverlayKind, OverlayVersion, check_drawing, drawings_of, to_yaml
from api.review.scopes import WHOLE, Scope
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.overlays import OverlayPosition, OverlayRepository, corners
from pipelines.canonical import canonical_json
from pipelines.config_yaml import parse_yaml
from pipelines.errors import ConfigError
from pipelines.overlay_package import CameraOverlays

_log = structlog.get_logger(__name__)

RESEND_AFTER: Final = timedelta(seconds=60)
"""What the bus holds is written anew so often, in case it was emptied."""

_TICK: Final = timedelta(microseconds=1)


class OverlayBoard(Protocol):
    """Where workers look for the overlays of their cameras."""

    def send(self, overlays: CameraOverlays) -> None:
        """Puts a camera's overlays in the place of earlier ones."""


class OverlayService:
    """Everything people do with drawings."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def current(
        self,
        scope: Scope,
        camera_id: str | None = None,
        after: OverlayPosition | None = None,
        limit: int | None = None,
    ) -> list[OverlayVersion]:
        """Newest versions by camera and kind within these rights, removals among them."""
        with self._database.read() as session:
            return OverlayRepository(session).current(scope, camera_id=camera_id, after=after, limit=limit)

    def history(
        self, scope: Scope, camera_id: str, kind: OverlayKind, before: int | None, limit: int
    ) -> list[OverlayVersion]:
        """Versions of one kind on one camera, newest first; none beyond these rights."""
        if not scope.allows_camera(camera_id):
            return []
        with self._database.read() as session:
            return OverlayRepository(session).history(camera_id, kind, before, limit)

    def version(self, scope: Scope, camera_id: str, kind: OverlayKind, version: int) -> OverlayVersion:
        """One version.

        Raises:
            NotFoundError: there is none within these rights.
        """
        _check_within(scope, camera_id)
        with self._database.read() as session:
            found = OverlayRepository(session).version(camera_id, kind, version)
        if found is None:
            raise NotFoundError
        return found

    def draw(
        self, principal: Principal, drawing: Drawing, based_on_version: int, request: WriteRequest
    ) -> dict[str, Any]:
        """Makes the next version; without polygons it removes what was drawn.

        Args:
            based_on_version: the version the person saw, 0 for none: nobody overwrites unseen what another drew.

        Returns:
            `{camera_id, kind, version, drawn_at}` as JSON values.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: the camera is not within her rights.
            ConflictError: somebody drew in the meantime.
            UnprocessableError: no reason, or a camera id that is none.
        """
        check_role(principal, ADMINISTRATORS, "cannot draw masks")
        _check_within(principal.scope, drawing.camera_id)
        _check(drawing)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            newest = OverlayRepository(session).newest(drawing.camera_id, drawing.kind)
            there = newest.version if newest else 0
            if there != based_on_version:
                raise ConflictError(
                    "drawn_meanwhile", f"version {there} is the newest; look at it and draw on that"
                )
            made = self._add(session, principal.account_id, drawing, there)
            result = _made(made)
            keep_result(session, request, 201, result, made.drawn_at)
            return result

    def import_yaml(
        self, principal: Principal, text: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """Draws what an export holds, as `take_in`, once for one request.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: a camera of it is not within her rights; nothing is drawn.
            UnprocessableError: not an export; says where.
        """
        check_role(principal, ADMINISTRATORS, "cannot draw masks")
        drawings = read_export(text, "the YAML", reason)
        for drawing in drawings:
            _check_within(principal.scope, drawing.camera_id)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            made = [_made(one) for one in self._take_in(session, principal.account_id, drawings)]
            result = {"versions": made}
            keep_result(session, request, 200, result, self._clock())
            return result

    def take_in(self, account_id: str, drawings: Iterable[Drawing]) -> list[OverlayVersion]:
        """New versions of what differs from the current ones, all or none; what the export lacks stays."""
        with self._database.write() as session:
            return self._take_in(session, account_id, drawings)

    def export(self, account_id: str, scope: Scope, camera_id: str | None = None) -> str:
        """The current versions within these rights as YAML, removals among them; an entry in the log."""
        with self._database.write() as session:
            versions = OverlayRepository(session).current(scope, camera_id=camera_id)
            about = None if camera_id is None else f"camera:{camera_id}"
            detail = {"versions": len(versions)}
            LedgerRepository(session).append(
                Happening("overlays_exported", self._clock(), account_id, about, detail)
            )
        return to_yaml(versions)

    def _take_in(
        self, session: Session, account_id: str, drawings: Iterable[Drawing]
    ) -> list[OverlayVersion]:
        made = []
        for drawing in drawings:
            newest = OverlayRepository(session).newest(drawing.camera_id, drawing.kind)
            if (newest.polygons if newest else ()) != drawing.polygons:
                made.append(self._add(session, account_id, drawing, newest.version if newest else 0))
        return made

    def _add(self, session: Session, account_id: str, drawing: Drawing, after: int) -> OverlayVersion:
        overlays = OverlayRepository(session)
        earlier = overlays.changed_at(drawing.camera_id)
        # Workers take what is later: a clock that was put back must not make a new mask look old.
        now = self._clock() if earlier is None else max(self._clock(), earlier + _TICK)
        version = OverlayVersion(
            camera_id=drawing.camera_id,
            kind=drawing.kind,
            version=after + 1,
            polygons=drawing.polygons,
            active=bool(drawing.polygons),
            drawn_by=account_id,
            drawn_at=now,
            reason=drawing.reason,
        )
        overlays.add(version)
        shapes = canonical_json({"polygons": corners(version.polygons)})
        detail = {
            "kind": version.kind.value,
            "version": version.version,
            "polygons": len(version.polygons),
            "sha256": hashlib.sha256(shapes).hexdigest(),
        }
        kind = "overlay_drawn" if version.active else "overlay_removed"
        LedgerRepository(session).append(
            Happening(kind, now, account_id, f"camera:{version.camera_id}", detail)
        )
        return version


@dataclass(slots=True)
class _Sent:
    changed_at: datetime
    sent_at: datetime


class OverlayPublisher:
    """Keeps what lies on the bus for every camera's worker in step with the versions."""

    def __init__(self, service: OverlayService, board: OverlayBoard, clock: Clock) -> None:
        self._service = service
        self._board = board
        self._clock = clock
        self._sent: dict[str, _Sent] = {}

    def run_once(self) -> int:
        """Publishes what changed, and from time to time everything anew.

        Returns:
            Cameras whose overlays changed.

        Raises:
            BusError: Redis is away or refuses; what was not published is tried again.
        """
        now, changed = self._clock(), 0
        for overlays in _by_camera(self._service.current(WHOLE)):
            sent = self._sent.get(overlays.camera_id)
            is_new = sent is None or sent.changed_at != overlays.changed_at
            if is_new or (sent is not None and now - sent.sent_at >= RESEND_AFTER):
                self._board.send(overlays)
                self._sent[overlays.camera_id] = _Sent(overlays.changed_at, now)
                changed += is_new
                if is_new:
                    _log.info("overlays_published", camera_id=overlays.camera_id)
        return changed


def read_export(text: str, where: str, reason: str) -> tuple[Drawing, ...]:
    """The drawings in an export.

    Args:
        text: YAML.
        where: it came from, for errors.
        reason: why they are drawn here.

    Raises:
        UnprocessableError: not an export; says where.
    """
    try:
        return drawings_of(parse_yaml(text, Path(where)).values, reason)
    except (ConfigError, RecordError) as error:
        raise UnprocessableError("bad_export", str(error)) from error


def _by_camera(versions: Iterable[OverlayVersion]) -> list[CameraOverlays]:
    cameras: dict[str, dict[OverlayKind, OverlayVersion]] = {}
    for one in versions:
        cameras.setdefault(one.camera_id, {})[one.kind] = one
    made = []
    for camera_id, kinds in cameras.items():
        detection, privacy = kinds.get(OverlayKind.DETECTION_MASK), kinds.get(OverlayKind.PRIVACY_MASK)
        made.append(
            CameraOverlays(
                camera_id,
                max(one.drawn_at for one in kinds.values()),
                detection.polygons if detection else None,
                privacy.polygons if privacy else None,
            )
        )
    return made


def _made(version: OverlayVersion) -> dict[str, Any]:
    return {
        "camera_id": version.camera_id,
        "kind": version.kind.value,
        "version": version.version,
        "drawn_at": version.drawn_at.isoformat(),
    }


def _check_within(scope: Scope, camera_id: str) -> None:
    if not scope.allows_camera(camera_id):
        raise NotFoundError("no such camera")


def _check(drawing: Drawing) -> None:
    try:
        check_drawing(drawing)
    except RecordError as error:
        raise UnprocessableError("bad_drawing", str(error)) from error
