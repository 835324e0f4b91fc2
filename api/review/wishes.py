"""What somebody may ask for: an entry, its renewal, a deployment; and what each must say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from api.review.deployments import check_period
from api.review.errors import RecordError
from api.review.requests import MOST_PICTURE_BYTES, MOST_PICTURES
from api.review.watchlists import check_expiry, check_minor, check_words

MAX_LOOKING_BACK: Final = timedelta(days=1)
"""A beginning may have passed when a request is written, and no more."""


@dataclass(frozen=True, slots=True, repr=False)
class Upload:
    """A picture as it came.

    Attributes:
        data: of whatever format; nobody has looked into it.
        image_source: where it comes from.
    """

    data: bytes
    image_source: str


@dataclass(frozen=True, slots=True, repr=False)
class EntryWish:
    """Who is to be listed, why and until when.

    Attributes:
        name: of the subject; sealed at once.
        purpose: what for.
        legal_basis: the provision it rests on.
        case_reference: the file it belongs to.
        expires_at: aware.
        is_minor: whether the subject is under eighteen.
        minor_justification: why a minor must be listed all the same.
        uploads: pictures.
    """

    name: str
    purpose: str
    legal_basis: str
    case_reference: str
    expires_at: datetime
    is_minor: bool = False
    minor_justification: str | None = None
    uploads: tuple[Upload, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class RenewalWish:
    """Until when an entry is to stay, and why.

    Attributes:
        expires_at: aware.
        reason: why it is still needed.
        minor_justification: why a minor must still be listed; None for adults.
    """

    expires_at: datetime
    reason: str
    minor_justification: str | None = None


@dataclass(frozen=True, slots=True)
class DeploymentWish:
    """Where, when and for what a list is to be searched.

    Attributes:
        camera_ids: the cameras, and no others.
        place: where they stand, in words.
        purpose: what for.
        legal_basis: the provision it rests on.
        case_reference: the file it belongs to.
        starts_at: aware.
        ends_at: aware; not included.
    """

    camera_ids: tuple[str, ...]
    place: str
    purpose: str
    legal_basis: str
    case_reference: str
    starts_at: datetime
    ends_at: datetime


def check_entry_wish(wish: EntryWish, now: datetime) -> None:
    """Lets through a wish that says who, why and until when, with pictures and where each comes from.

    Raises:
        RecordError: says what is missing, too long or too large.
    """
    words = {"name": wish.name, "purpose": wish.purpose, "legal_basis": wish.legal_basis}
    check_words("entry", words | {"case_reference": wish.case_reference})
    check_minor(wish.minor_justification, is_minor=wish.is_minor)
    check_expiry(wish.expires_at, now, is_minor=wish.is_minor)
    if not 1 <= len(wish.uploads) <= MOST_PICTURES:
        raise RecordError(f"an entry has 1 to {MOST_PICTURES} pictures")
    for number, upload in enumerate(wish.uploads, 1):
        if not upload.data or len(upload.data) > MOST_PICTURE_BYTES:
            most = MOST_PICTURE_BYTES // 1024**2
            raise RecordError(f"picture {number} must have 1 byte to {most} MiB")
        check_words(f"picture {number}", {"source": upload.image_source})


def check_deployment_wish(wish: DeploymentWish, now: datetime) -> None:
    """Lets through a wish that says where, when and what for.

    Raises:
        RecordError: says what is missing or too long.
    """
    if not wish.camera_ids:
        raise RecordError("a deployment names at least one camera")
    if now - wish.starts_at > MAX_LOOKING_BACK:
        raise RecordError("the deployment would begin in the past: nothing is searched before it is approved")
    check_period(wish.starts_at, wish.ends_at, now)
    words = {"purpose": wish.purpose, "place": wish.place, "legal_basis": wish.legal_basis}
    check_words("deployment", words | {"case_reference": wish.case_reference})
