"""What is drawn on a camera's picture: kinds, versions, and their form as YAML; no HTTP, no SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import yaml

from api.review.errors import RecordError
from pipelines.config_gate import MAX_MASKS
from vision.errors import MaskError
from vision.polygons import Polygon

YAML_SCHEMA: Final = "aiqyn.overlays/1"
MAX_REASON: Final = 500
_CAMERA_ID = re.compile(r"[\w.:@-]{1,128}")


class OverlayKind(StrEnum):
    """What a drawing means. Lines and zones are to come."""

    DETECTION_MASK = "detection_mask"
    PRIVACY_MASK = "privacy_mask"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What somebody wants drawn on a camera's picture.

    Attributes:
        camera_id: whose picture.
        kind: what the polygons mean.
        polygons: none: the drawing is removed.
        reason: why, in words.
    """

    camera_id: str
    kind: OverlayKind
    polygons: tuple[Polygon, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class OverlayVersion:
    """One version of one kind on one camera; never changed, only followed by the next.

    Attributes:
        version: from 1.
        active: False: this version removes what was drawn.
        drawn_by: pseudonym of the account.
        drawn_at: aware, UTC; grows with every version of any kind on the camera.
    """

    camera_id: str
    kind: OverlayKind
    version: int
    polygons: tuple[Polygon, ...]
    active: bool
    drawn_by: str
    drawn_at: datetime
    reason: str


def polygons_of(corners: Sequence[Sequence[Sequence[float]]]) -> tuple[Polygon, ...]:
    """Polygons from lists of corners.

    Raises:
        RecordError: too many, or one that is none; says which.
    """
    if len(corners) > MAX_MASKS:
        raise RecordError(f"at most {MAX_MASKS} polygons, got {len(corners)}")
    made = []
    for number, points in enumerate(corners, 1):
        try:
            made.append(Polygon(tuple((float(x), float(y)) for x, y in points)))
        except MaskError as error:
            raise RecordError(f"polygon {number}: {error}") from error
        except (TypeError, ValueError) as error:
            raise RecordError(f"polygon {number}: corners are pairs of numbers, [x, y]") from error
    return tuple(made)


def check_drawing(drawing: Drawing) -> None:
    """Lets through what may become a version.

    Raises:
        RecordError: no camera id, or no reason or too long a one.
    """
    if not _CAMERA_ID.fullmatch(drawing.camera_id):
        raise RecordError("a camera id has 1 to 128 letters, digits, '_', '.', ':', '@' and '-'")
    if not drawing.reason.strip() or len(drawing.reason) > MAX_REASON:
        raise RecordError(f"a drawing has a reason of 1 to {MAX_REASON} characters")


def to_yaml(versions: Iterable[OverlayVersion]) -> str:
    """Current versions as YAML, cameras and kinds in order; `drawings_of` reads it back."""
    cameras: dict[str, dict[str, Any]] = {}
    for one in sorted(versions, key=lambda item: (item.camera_id, item.kind)):
        cameras.setdefault(one.camera_id, {})[one.kind.value] = {
            "version": one.version,
            "drawn_by": one.drawn_by,
            "drawn_at": one.drawn_at.isoformat(),
            "reason": one.reason,
            "polygons": [_Flow([list(point) for point in polygon.points]) for polygon in one.polygons],
        }
    document = {"schema": YAML_SCHEMA, "cameras": cameras}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def drawings_of(document: Any, reason: str) -> tuple[Drawing, ...]:
    """The drawings of an exported document; what it says of versions, people and times is not taken over.

    Args:
        document: as read from YAML.
        reason: why they are drawn here.

    Raises:
        RecordError: says where it is not such a document.
    """
    if not isinstance(document, dict) or document.get("schema") != YAML_SCHEMA:
        raise RecordError(f"schema: must be {YAML_SCHEMA}; this is no export of overlays")
    cameras = document.get("cameras")
    if not isinstance(cameras, dict) or not set(document) <= {"schema", "cameras"}:
        raise RecordError("cameras: must be a mapping of camera ids, beside `schema` and nothing else")
    return tuple(
        _drawing(str(camera_id), kind, given, reason)
        for camera_id, kinds in cameras.items()
        for kind, given in _mapping(kinds, f"cameras.{camera_id}").items()
    )


def _drawing(camera_id: str, kind: str, given: Any, reason: str) -> Drawing:
    where = f"cameras.{camera_id}.{kind}"
    if kind not in set(OverlayKind):
        raise RecordError(f"{where}: there is no such kind; use {', '.join(OverlayKind)}")
    fields = _mapping(given, where)
    unknown = set(fields) - {"version", "drawn_by", "drawn_at", "reason", "polygons"}
    if unknown or not isinstance(fields.get("polygons"), list):
        raise RecordError(f"{where}: needs `polygons`, a list, and knows only what an export holds")
    try:
        drawing = Drawing(camera_id, OverlayKind(kind), polygons_of(fields["polygons"]), reason)
        check_drawing(drawing)
    except RecordError as error:
        raise RecordError(f"{where}: {error}") from error
    return drawing


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecordError(f"{where}: must be a mapping")
    return value


class _Flow(list[Any]):
    """A list written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes polygons on one line each, and everything whole: no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # the base class's signature
        """Every value is written where it stands."""
        return True


def _one_line(dumper: yaml.SafeDumper, value: _Flow) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


_Dumper.add_representer(_Flow, _one_line)
