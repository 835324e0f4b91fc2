"""The shapes of lists, entries, requests and deployments on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Base64Bytes, Field

from api.deployments import DeploymentView
from api.entries import EntryView
from api.review.requests import MOST_PICTURES
from api.review.watchlists import DEFAULT_MAX_ENTRIES, MAX_FALSE_ALERTS_PER_1000_FACES, MOST_ENTRIES
from api.schemas import Wire

_NO_NUL = r"^[^\x00]+$"
Line = Annotated[str, Field(min_length=1, max_length=500, pattern=_NO_NUL)]
ShortLine = Annotated[str, Field(min_length=1, max_length=128, pattern=_NO_NUL)]
Reason = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=_NO_NUL, description="in words; no names")
]
MaxEntries = Annotated[int, Field(ge=1, le=MOST_ENTRIES)]
Rate = Annotated[float, Field(gt=0, le=MAX_FALSE_ALERTS_PER_1000_FACES)]
CameraId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:@-]+$")]


class WatchlistIn(Wire):
    """A new list."""

    name: ShortLine
    purpose: Line
    legal_basis: Line
    max_entries: MaxEntries = DEFAULT_MAX_ENTRIES
    false_alerts_per_1000_faces: Rate | None = None
    is_test: bool = Field(default=False, description="everybody on it consented to be found")
    allows_minors: bool = False


class WatchlistChangeIn(Wire):
    """What a list may do from now on; what is left out stays."""

    max_entries: MaxEntries | None = None
    false_alerts_per_1000_faces: Rate | None = None
    allows_minors: bool | None = None
    reason: Reason


class WatchlistOut(Wire):
    """A list, and how full it is."""

    watchlist_id: str
    name: str
    purpose: str
    legal_basis: str
    is_test: bool
    max_entries: int
    false_alerts_per_1000_faces: float | None
    allows_minors: bool
    entries: int = Field(description="in force now")
    pending: int = Field(description="asked for and not decided")
    created_at: datetime


class WatchlistPage(Wire):
    """Lists, and where the next page begins."""

    items: list[WatchlistOut]
    next_cursor: str | None


class PictureIn(Wire):
    """A picture of the subject, and where it comes from."""

    data_base64: Base64Bytes = Field(
        repr=False, description="JPEG, PNG, WebP, BMP, GIF or TIFF; 8 MiB at most"
    )
    source: Line


class EntryIn(Wire):
    """A request to list somebody."""

    name: ShortLine
    purpose: Line
    legal_basis: Line
    case_reference: ShortLine
    expires_at: AwareDatetime
    is_minor: bool = False
    minor_justification: Reason | None = None
    pictures: list[PictureIn] = Field(min_length=1, max_length=MOST_PICTURES)


class RenewalIn(Wire):
    """A request to keep an entry longer."""

    expires_at: AwareDatetime
    reason: Line
    minor_justification: Reason | None = None


class DeploymentIn(Wire):
    """A request to search a list on cameras."""

    watchlist_id: ShortLine
    camera_ids: list[CameraId] = Field(min_length=1, max_length=1000)
    place: Line
    purpose: Line
    legal_basis: Line
    case_reference: ShortLine
    starts_at: AwareDatetime
    ends_at: AwareDatetime


class ReasonIn(Wire):
    """Why."""

    reason: Reason


class ReferenceLine(Wire):
    """A picture of an entry."""

    reference_id: str
    source: str


class EntryOut(Wire):
    """An entry of a list."""

    subject_id: str
    watchlist_id: str
    name: str | None = Field(description="null where its key was destroyed")
    requested_by: str
    authorised_by: str
    purpose: str
    legal_basis: str
    case_reference: str
    is_minor: bool
    minor_justification: str | None
    created_at: datetime
    expires_at: datetime
    removed_at: datetime | None
    removed_by: str | None
    removed_reason: str | None
    searched: bool = Field(description="whether it is searched where its list is")
    references: list[ReferenceLine]

    @classmethod
    def of(cls, view: EntryView) -> EntryOut:
        """An entry as it is shown."""
        row = view.row
        return cls(
            subject_id=row.subject_id,
            watchlist_id=row.watchlist_id,
            name=view.name,
            requested_by=row.requested_by,
            authorised_by=row.authorised_by,
            purpose=row.purpose,
            legal_basis=row.legal_basis,
            case_reference=row.case_reference,
            is_minor=row.is_minor,
            minor_justification=row.minor_justification,
            created_at=row.created_at,
            expires_at=row.expires_at,
            removed_at=row.removed_at,
            removed_by=row.removed_by,
            removed_reason=row.removed_reason,
            searched=view.searched,
            references=[ReferenceLine(reference_id=one, source=source) for one, source in view.references],
        )


class EntryPage(Wire):
    """Entries, and where the next page begins."""

    items: list[EntryOut]
    next_cursor: str | None


class EntryRemoved(Wire):
    """An entry that was taken off its list."""

    subject_id: str
    removed_at: datetime


class DeploymentOut(Wire):
    """A deployment, and what workers search for it."""

    deployment_id: str
    watchlist_id: str
    state: str = Field(description="waiting, active, ended or revoked")
    camera_ids: list[str]
    place: str
    purpose: str
    requested_by: str
    authorised_by: str
    starts_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    revoked_reason: str | None
    gallery_version: int | None
    subjects: int = Field(description="in that version")

    @classmethod
    def of(cls, view: DeploymentView) -> DeploymentOut:
        """A deployment as it is shown."""
        row, terms = view.row, view.terms
        return cls(
            deployment_id=row.deployment_id,
            watchlist_id=row.watchlist_id,
            state=view.state,
            camera_ids=sorted(terms.camera_ids),
            place=row.place,
            purpose=row.purpose,
            requested_by=row.requested_by,
            authorised_by=row.authorised_by,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            revoked_at=row.revoked_at,
            revoked_by=row.revoked_by,
            revoked_reason=row.revoked_reason,
            gallery_version=view.gallery_version,
            subjects=view.subjects,
        )


class DeploymentPage(Wire):
    """Deployments, and where the next page begins."""

    items: list[DeploymentOut]
    next_cursor: str | None


class DeploymentRevoked(Wire):
    """A deployment that was ended."""

    deployment_id: str
    revoked_at: datetime
