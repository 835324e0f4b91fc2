"""Cameras on the wire: what each is doing, when it gave nothing to look at, what became of its frames."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import Field

from api.cameras import CameraView, GapList
from api.schemas import FrameAccountingOut, Wire
from api.store.models import CameraDay


class CameraOut(Wire):
    """A camera as its worker last said. `phase` is `unknown` where nothing was ever heard of it."""

    camera_id: str
    worker_id: str | None
    phase: str
    detail: str = Field(description="why, in a line")
    searched: bool = Field(description="whether faces are matched here now, as far as is known")
    gallery_version: int | None = Field(description="of the list in force")
    reported_at: datetime | None
    silent: bool = Field(description="its worker is not heard any more; what it does now nobody knows")
    frame_accounting: FrameAccountingOut | None = Field(description="since it was opened last")
    masked_detections: int = Field(
        description="people, vehicles and faces dropped under a detection mask since its worker's process began"
    )
    settings_note: str = Field(
        description="what of its worker's settings is not in force, in a line: refused, or waiting for a restart; empty: "
        "nothing"
    )


class CameraList(Wire):
    """Every camera that is configured, given, deployed or was ever heard of."""

    items: list[CameraOut]


class GapOut(Wire):
    """A stretch of time in which a camera gave nothing to look at; `ended_at` is null while it lasts.

    `not_heard`, `never_heard`: no worker told this gap, because none was heard.
    """

    began_at: datetime
    ended_at: datetime | None
    reason: str
    worker_id: str | None
    ended_by_restart: bool = Field(
        description="nobody saw its end: the worker died in it, `ended_at` is when the next began"
    )


class GapsOut(Wire):
    """The gaps of a camera that touch a stretch of time. Outside them it was watched, if frames were inferred."""

    camera_id: str
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    gaps: list[GapOut]
    missing: int = Field(description="further gaps of this stretch whose times are lost")
    complete: bool = Field(description="false: there are more than fit; ask for a shorter stretch")


class CameraDayOut(Wire):
    """What became of a camera's frames on a day (UTC), as one worker counted them."""

    day: date
    worker_id: str
    frame_accounting: FrameAccountingOut
    faces_searched: int | None = Field(description="held against a list; null where they were not counted")
    updated_at: datetime


class CameraDaysOut(Wire):
    """Days of a camera, in order."""

    camera_id: str
    days: list[CameraDayOut]


def camera_out(view: CameraView) -> CameraOut:
    """A camera."""
    report = view.report
    if report is None:
        return CameraOut(
            camera_id=view.camera_id, worker_id=None, phase="unknown", detail="", searched=False,
            gallery_version=None, reported_at=None, silent=True, frame_accounting=None,
            masked_detections=0, settings_note="",
        )  # fmt: skip
    counted: dict[str, Any] = report.counted
    return CameraOut(
        camera_id=view.camera_id,
        worker_id=report.worker_id,
        phase=report.phase,
        detail=report.detail,
        searched=bool(report.deployment_id) and not view.silent,
        gallery_version=report.gallery_version,
        reported_at=report.reported_at,
        silent=view.silent,
        frame_accounting=FrameAccountingOut(**counted) if counted else None,
        masked_detections=report.masked_detections,
        settings_note=report.settings_note,
    )


def gaps_out(camera_id: str, found: GapList) -> GapsOut:
    """The gaps of a stretch of time."""
    return GapsOut(
        camera_id=camera_id,
        since=found.since,
        until=found.until,
        gaps=[
            GapOut(
                began_at=gap.began_at,
                ended_at=gap.ended_at,
                reason=gap.reason,
                worker_id=gap.worker_id or None,
                ended_by_restart=gap.ended_by_restart,
            )
            for gap in found.gaps
        ],
        missing=found.missing,
        complete=found.complete,
    )


def day_out(row: CameraDay) -> CameraDayOut:
    """A day."""
    accounting = FrameAccountingOut(
        read=row.read,
        decoded=row.decoded,
        undecodable=row.undecodable,
        not_sampled=row.not_sampled,
        gated=row.gated,
        inferred=row.inferred,
        dropped=row.dropped,
    )
    return CameraDayOut(
        day=row.day,
        worker_id=row.worker_id,
        frame_accounting=accounting,
        faces_searched=row.faces_searched,
        updated_at=row.updated_at,
    )
