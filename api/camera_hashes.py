"""What stands in the hashes `aiqyn:camera:<id>`, as far as it can be believed: a worker could write anything there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Protocol

from redis import Redis

from pipelines.accounting import FrameAccounting
from pipelines.live.gap_records import GapRecord, parse_moment, read_gap
from pipelines.streams import bus_errors, camera_key
from vision.locations import redact_url

PHASES: Final = frozenset({"waiting", "opening", "running", "retrying", "failed", "ended", "stopped"})
UNKNOWN: Final = "unknown"

MAX_DOCUMENT_CHARACTERS: Final = 65_536
MAX_GAPS: Final = 256
MAX_REASONS: Final = 64
MAX_COUNT: Final = 2**53
_MAX_DETAIL: Final = 500
_MAX_NAME: Final = 128
_WRONG: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True, slots=True)
class CameraWord:
    """What a worker last said of one camera.

    Attributes:
        camera_id: the camera.
        worker_id: who said it; empty where that is not told.
        phase: what the camera is doing; `unknown` where it is no word of ours.
        detail: why, in a line.
        deployment_id: whose list it is searched for; empty: none.
        gallery_version: of that list; None: none.
        reported_at: when it was said, by the worker's clock; None where it is no time.
        accounting: what became of its frames since it was opened last; None where that does not add up.
        log_id: which log its gaps are numbered in; empty where none is told.
        gaps: the newest, oldest first.
        masked_detections: dropped under a detection mask since its process began.
        faces_searched: of which a look was held against a list, since its process began; None where that is not told.
        settings_note: what of its worker's settings is not in force, in a line; empty: nothing.
    """

    camera_id: str
    worker_id: str
    phase: str
    detail: str
    deployment_id: str
    gallery_version: int | None
    reported_at: datetime | None
    accounting: FrameAccounting | None
    log_id: str
    gaps: tuple[GapRecord, ...]
    masked_detections: int = 0
    faces_searched: int | None = None
    settings_note: str = ""


class Words(Protocol):
    """Where the words of the cameras come from."""

    def of(self, camera_ids: Iterable[str]) -> list[CameraWord]:
        """What was last said of these; nothing of those nobody ever spoke of."""


class CameraHashes:
    """Reads them out of Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, camera_ids: Iterable[str]) -> list[CameraWord]:
        """See `Words.of`.

        Raises:
            BusError: Redis is away or refuses.
        """
        found = []
        for camera_id in sorted(set(camera_ids)):
            with bus_errors("the state of the cameras cannot be read"):
                raw: Any = self._redis.hgetall(camera_key(camera_id))
            if raw:
                text = {
                    name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                    for name, value in raw.items()
                }
                found.append(read_word(camera_id, text))
        return found


def read_word(camera_id: str, state: Mapping[str, str]) -> CameraWord:
    """A hash as a word; what cannot be believed is left out."""
    phase, version = state.get("phase", ""), state.get("gallery_version", "")
    log_id, gaps = _gaps(state.get("gaps", ""))
    return CameraWord(
        camera_id=camera_id,
        worker_id=_name(state.get("worker_id", "")),
        phase=phase if phase in PHASES else UNKNOWN,
        detail=_line(state.get("detail", "")),
        deployment_id=_name(state.get("deployment_id", "")),
        gallery_version=int(version)
        if version.isascii() and version.isdigit() and len(version) < 10
        else None,
        reported_at=_moment(state.get("updated_at", "")),
        accounting=_accounting(state.get("frame_accounting", "")),
        log_id=log_id,
        gaps=gaps,
        masked_detections=_number(state.get("masked_detections", "")),
        faces_searched=_number(state["faces_searched"]) if "faces_searched" in state else None,
        settings_note=_line(state.get("settings", "")),
    )


def _gaps(text: str) -> tuple[str, tuple[GapRecord, ...]]:
    try:
        document = _document(text)
        log_id, told = document["log"], document["gaps"]
        if not isinstance(log_id, str) or not isinstance(told, list):
            return "", ()
        gaps = {gap.number: gap for gap in map(read_gap, told[-MAX_GAPS:])}
    except _WRONG:
        return "", ()
    return _name(log_id), tuple(gaps[number] for number in sorted(gaps))


def _accounting(text: str) -> FrameAccounting | None:
    try:
        document = _document(text)
        dropped = {_name(str(reason)): _count(count) for reason, count in document.pop("dropped", {}).items()}
        wanted = {one.name for one in fields(FrameAccounting)} - {"dropped"}
        counts = {name: _count(document[name]) for name in sorted(wanted)}
        if len(dropped) > MAX_REASONS:
            return None
        return FrameAccounting(**counts, dropped=dropped)
    except _WRONG:
        return None


def _document(text: str) -> dict[str, Any]:
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise ValueError("too long")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise TypeError("no object")
    return document


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise ValueError("no count")
    return value


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _moment(text: str) -> datetime | None:
    try:
        return parse_moment(text)
    except _WRONG:
        return None


def _name(text: str) -> str:
    """An id, or nothing: ids here are printable and short."""
    return text if text.isprintable() and len(text) <= _MAX_NAME else ""


def _line(text: str) -> str:
    shown = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return " ".join(redact_url(word) if "://" in word else word for word in shown.split(" "))[:_MAX_DETAIL]
