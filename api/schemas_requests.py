"""The shapes of requests, decisions and imports on the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.request_views import ImportView, RequestView
from api.review.requests import RequestKind, RequestState
from api.schemas import Wire
from api.schemas_lists import Reason
from api.store.models import ListRequest


class ApprovalIn(Wire):
    """The word of whoever authorises."""

    findings_seen: int = Field(
        ge=0, description="how many findings of the check of the pictures she was shown"
    )
    reason: Reason


class RequestOut(Wire):
    """A request: what it is and where it stands."""

    request_id: str
    kind: RequestKind
    state: RequestState
    watchlist_id: str
    subject_id: str | None
    deployment_id: str | None
    requested_at: datetime


class RequestLine(RequestOut):
    """A request in a list of requests; no name."""

    import_id: str | None
    requested_by: str
    addressed_to: str | None
    ended_by: str | None
    ended_at: datetime | None
    until: datetime
    is_minor: bool
    findings_count: int

    @classmethod
    def of(cls, row: ListRequest) -> RequestLine:
        """A request as it is listed."""
        return cls(**_line(row))


class RequestPage(Wire):
    """Requests, and where the next page begins."""

    items: list[RequestLine]
    next_cursor: str | None


class PictureOut(Wire):
    """What became of a picture of a request."""

    reference_id: str
    source: str
    outcome: str | None = Field(description="null until it is read; ok, or why it is no reference")
    notes: list[str]
    has_portrait: bool


class FindingOut(Wire):
    """What the check of the pictures found."""

    kind: str
    subjects: list[str]
    names: list[str | None] = Field(description="of `subjects`; null where nobody of that id is left")
    references: list[str]
    similarity: float
    limit: float


class RequestDetail(RequestLine):
    """A request with everything whoever decides it may know."""

    name: str | None
    purpose: str
    legal_basis: str
    case_reference: str
    minor_justification: str | None
    starts_at: datetime | None
    place: str | None
    cameras: list[str]
    ended_reason: str | None
    pictures: list[PictureOut]
    findings: list[FindingOut]

    @classmethod
    def of_view(cls, view: RequestView) -> RequestDetail:
        """A request as it is shown."""
        row = view.row
        known = view.others | ({row.subject_id: view.name} if row.subject_id and view.name else {})
        return cls(
            **_line(row),
            name=view.name,
            purpose=row.purpose,
            legal_basis=row.legal_basis,
            case_reference=row.case_reference,
            minor_justification=row.minor_justification,
            starts_at=row.starts_at,
            place=row.place,
            cameras=row.cameras or [],
            ended_reason=row.ended_reason,
            pictures=[
                PictureOut(
                    reference_id=one.reference_id,
                    source=one.image_source,
                    outcome=one.outcome,
                    notes=one.notes,
                    has_portrait=one.portrait_sealed is not None,
                )
                for one in view.pictures
            ],
            findings=[
                FindingOut(**finding, names=[known.get(one) for one in finding["subjects"]])
                for finding in row.findings
            ],
        )


class ImportOut(Wire):
    """An import, and how much of it waits."""

    import_id: str
    watchlist_id: str
    state: str
    rows: int
    created_at: datetime
    waiting: int
    findings: int = Field(description="of the check of the pictures of what waits")

    @classmethod
    def of(cls, view: ImportView) -> ImportOut:
        """An import as it is shown."""
        row = view.row
        return cls(
            import_id=row.import_id,
            watchlist_id=row.watchlist_id,
            state=row.state,
            rows=row.rows,
            created_at=row.created_at,
            waiting=view.waiting,
            findings=view.findings,
        )


class ImportDecided(Wire):
    """What was decided of an import, and how much waits still."""

    import_id: str
    decided: int
    waiting: int
    findings: int


def _line(row: ListRequest) -> dict[str, object]:
    names = set(RequestLine.model_fields) - {"findings_count"}
    return {name: getattr(row, name) for name in names} | {"findings_count": len(row.findings)}
