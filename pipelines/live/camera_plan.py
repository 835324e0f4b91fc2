"""What changes for a running worker when its settings are read again; no process, no clock, no Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from pipelines.config import CameraConfig, Config
from vision.locations import scheme_of

CAMERA_SECTIONS = frozenset({"cameras", "camera_defaults", "cameras_file"})
"""What is put in force while a worker runs."""

_PUT_IN_FORCE = frozenset({"worker.camera_secrets", "evidence.retention"})
"""Of the other sections, too; or never read by a worker."""

_NOT_A_WORKERS = frozenset({"api", "streams"})
"""What a worker never reads."""

_BESIDE_THE_DECODER = frozenset({"priority", "privacy_masks", "detection_masks"})
"""What changes without the pictures being opened anew, of a recording, too."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """Which cameras are touched, each in one list; all others go on as they are.

    Attributes:
        added: were not there before.
        removed: are there no more.
        reopened: have to be left first, as their frames cannot go on in the same memory.
        changed: go on under other settings.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def plan_cameras(before: Mapping[str, CameraConfig], after: Mapping[str, CameraConfig]) -> CameraPlan:
    """How to get from one set of cameras to another.

    Args:
        before: those that are watched, by id.
        after: those that are to be.
    """
    both = [camera_id for camera_id in after if camera_id in before]
    differ = [camera_id for camera_id in both if before[camera_id] != after[camera_id]]
    reopened = tuple(one for one in differ if must_reopen(before[one], after[one]))
    return CameraPlan(
        added=tuple(camera_id for camera_id in after if camera_id not in before),
        removed=tuple(camera_id for camera_id in before if camera_id not in after),
        reopened=reopened,
        changed=tuple(camera_id for camera_id in differ if camera_id not in reopened),
    )


def must_reopen(before: CameraConfig, after: CameraConfig) -> bool:
    """Whether a camera is to be left and opened anew: its ring has another size, or a recording begins again.

    A camera that stays one keeps its ring, and with it its sums: its decoder alone is replaced.
    """
    if is_live(before) and is_live(after):
        return before.max_pixels != after.max_pixels
    return before.model_dump(exclude=set(_BESIDE_THE_DECODER)) != after.model_dump(
        exclude=set(_BESIDE_THE_DECODER)
    )


def is_live(camera: CameraConfig) -> bool:
    """Whether it is a camera; else it is a recording."""
    return scheme_of(camera.source) is not None


def fixed_changes(running: Config, read: Config) -> tuple[str, ...]:
    """The settings that were read and differ from those a worker runs with, and wait for its restart; by name.

    Args:
        running: as the worker was started.
        read: as the file says now.
    """
    found: list[str] = []
    for section in Config.model_fields:
        if section in CAMERA_SECTIONS | _NOT_A_WORKERS:
            continue
        was, now = getattr(running, section), getattr(read, section)
        if isinstance(was, BaseModel) and isinstance(now, BaseModel):
            found += [
                f"{section}.{name}"
                for name in type(was).model_fields
                if f"{section}.{name}" not in _PUT_IN_FORCE and getattr(was, name) != getattr(now, name)
            ]
    return tuple(sorted(found))


def with_cameras(running: Config, read: Config) -> Config:
    """What a worker goes on with: the cameras that were read, and everything else as it was started."""
    worker = running.worker.model_copy(update={"camera_secrets": read.worker.camera_secrets})
    return running.model_copy(
        update={name: getattr(read, name) for name in CAMERA_SECTIONS} | {"worker": worker}
    )
