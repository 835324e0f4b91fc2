"""Keeps what workers say of their cameras, so that a reviewer can ask later what was not seen.

Telling and keeping may each happen twice, or late: gaps are known by camera, worker, log and number, and frames are
counted by how much a worker's running sum has grown since it was read last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any, Final

import structlog

from api.camera_hashes import CameraWord, Words
from api.clock import Clock
from api.store.cameras import CameraRepository
from api.store.engine import Database
from api.store.given_cameras import GivenCameraRepository
from api.store.models import CameraReport
from pipelines.accounting import FrameAccounting

KEEP_FOR: Final = timedelta(days=400)
"""A year, and time to ask about its first day."""

TOGETHER: Final = 16
"""Cameras kept in one transaction: whoever else writes waits no longer than for these."""

FORGET_EVERY: Final = timedelta(hours=6)
MAX_AHEAD: Final = timedelta(minutes=5)
"""A worker's clock may be off, or lie: what it says of a later time is not kept."""

_log = structlog.get_logger(__name__)


class CameraWatch:
    """Reads the cameras' words and keeps what is new in them."""

    def __init__(
        self, database: Database, words: Words, clock: Clock, *, configured: Iterable[str] = ()
    ) -> None:
        """
        Args:
            database: where it is kept.
            words: what the workers say.
            clock: gives the time.
            configured: cameras of this system's settings; those of its deployments are watched besides.
        """
        self._database = database
        self._words = words
        self._clock = clock
        self._configured = frozenset(configured)
        self._seen: dict[str, CameraWord] = {}
        self._kept: dict[str, CameraWord] = {}
        self._forgot_at = clock()

    def run_once(self) -> int:
        """Looks at every camera once. Always 0: there is nothing more to do until workers say more.

        Raises:
            BusError: Redis is away or refuses.
        """
        with self._database.read() as session:
            known = CameraRepository(session).deployed() | GivenCameraRepository(session).camera_ids()
        words = self._words.of(self._configured | known)
        fresh = [word for word in words if word != self._seen.get(word.camera_id)]
        for start in range(0, len(fresh), TOGETHER):
            with self._database.write() as session:
                cameras = CameraRepository(session)
                kept = [word for word in fresh[start : start + TOGETHER] if self._keep(cameras, word)]
            self._kept |= {word.camera_id: word for word in kept}  # not before the commit
        self._seen = {word.camera_id: word for word in words}
        self._forget()
        return 0

    def _keep(self, cameras: CameraRepository, word: CameraWord) -> bool:
        """Keeps what is new in a word; False where it is not to be believed."""
        now = self._clock()
        if not word.worker_id or word.reported_at is None or word.reported_at > now + MAX_AHEAD:
            return False
        known = cameras.report(word.camera_id)
        if known is not None and word.reported_at < known.reported_at:
            return False  # an older word: another process was faster
        self._count(cameras, word, known)
        if word.log_id and not self._gaps_are_known(word):
            if known is not None and (known.worker_id, known.log_id) != (word.worker_id, word.log_id):
                cameras.end_gaps_of_others(word.camera_id, word.worker_id, word.log_id, word.reported_at)
            gaps = [gap for gap in word.gaps if now - KEEP_FOR < gap.began_at <= now + MAX_AHEAD]
            new, _ = cameras.keep_gaps(word.camera_id, word.worker_id, word.log_id, gaps)
            if new:
                _log.info("camera_gaps", camera_id=word.camera_id, worker_id=word.worker_id, new=new)
        self._note(cameras, word, known)
        return True

    def _gaps_are_known(self, word: CameraWord) -> bool:
        """Whether these very gaps were kept before."""
        kept = self._kept.get(word.camera_id)
        told = (word.worker_id, word.log_id, word.gaps)
        return kept is not None and (kept.worker_id, kept.log_id, kept.gaps) == told

    def _count(self, cameras: CameraRepository, word: CameraWord, known: CameraReport | None) -> None:
        if word.accounting is None or word.reported_at is None:
            return
        same = known is not None and known.worker_id == word.worker_id
        before = _counted(known.counted) if same and known is not None else FrameAccounting()
        grown = growth(before, word.accounting)
        faces = self._faces(cameras, word, known if same else None)
        if grown.read or grown.decoded or faces:
            day = word.reported_at.date()
            cameras.count(word.camera_id, word.worker_id, day, grown, faces, self._clock())

    def _faces(self, cameras: CameraRepository, word: CameraWord, known: CameraReport | None) -> int | None:
        """Faces searched since this worker spoke last; None where it does not count them. Lists for tests do not count."""
        if word.faces_searched is None:
            return None
        if word.deployment_id and cameras.is_for_tests(word.deployment_id):
            return 0
        before = known.faces_searched if known is not None else None
        grown = word.faces_searched - (before or 0)
        return word.faces_searched if grown < 0 else grown

    def _note(self, cameras: CameraRepository, word: CameraWord, known: CameraReport | None) -> None:
        if word.reported_at is None:
            return
        row = known
        if row is None:
            row = CameraReport(camera_id=word.camera_id, counted={}, log_id="")
        if word.accounting is not None:
            row.counted, row.faces_searched = asdict(word.accounting), word.faces_searched
        elif row.worker_id != word.worker_id:
            row.counted, row.faces_searched = {}, None
        row.worker_id, row.phase, row.detail = word.worker_id, word.phase, word.detail
        row.deployment_id, row.gallery_version = word.deployment_id, word.gallery_version
        row.reported_at, row.log_id = word.reported_at, word.log_id or row.log_id
        row.masked_detections, row.settings_note = word.masked_detections, word.settings_note
        cameras.add(row)

    def _forget(self) -> None:
        now = self._clock()
        if now - self._forgot_at < FORGET_EVERY:
            return
        self._forgot_at = now
        with self._database.write() as session:
            CameraRepository(session).forget_before(now - KEEP_FOR)


def growth(before: FrameAccounting, now: FrameAccounting) -> FrameAccounting:
    """What was counted since; all of it where a sum became smaller, as then it began anew."""
    names = [one.name for one in fields(FrameAccounting) if one.name != "dropped"]
    grown = {name: getattr(now, name) - getattr(before, name) for name in names}
    dropped = {
        reason: now.dropped.get(reason, 0) - before.dropped.get(reason, 0)
        for reason in {*now.dropped, *before.dropped}
    }
    if min(*grown.values(), *dropped.values(), 0) < 0:
        return now
    return FrameAccounting(**grown, dropped={reason: count for reason, count in dropped.items() if count})


def _counted(kept: dict[str, Any]) -> FrameAccounting:
    return FrameAccounting(**kept) if kept else FrameAccounting()
