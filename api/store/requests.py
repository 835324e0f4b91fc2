"""Requests, their pictures, and imports of many as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from api.review.requests import PENDING, RequestCase, RequestKind, RequestState
from api.review.scopes import Scope
from api.store.models import ListImport, ListRequest, RequestPicture
from api.store.rights import list_within

RequestPosition = tuple[datetime, str]
"""Where a page of requests ended."""

_PENDING = [state.value for state in sorted(PENDING)]


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests are wanted; None: all.

    Attributes:
        state: in this state.
        kind: of this kind.
        watchlist_id: about this list.
        import_id: of this import.
    """

    state: RequestState | None = None
    kind: RequestKind | None = None
    watchlist_id: str | None = None
    import_id: str | None = None


class RequestRepository:
    """Finds and keeps requests."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *rows: ListRequest | RequestPicture | ListImport) -> None:
        """Keeps new rows."""
        self._session.add_all(rows)
        self._session.flush()

    def row(self, request_id: str, *, lock: bool = False) -> ListRequest | None:
        """A request by its id; locked, so that it is decided once."""
        return self._session.get(ListRequest, request_id, with_for_update=lock, populate_existing=lock)

    def case(self, row: ListRequest) -> RequestCase:
        """A request as the rules see it."""
        usable = self.usable_count(row.request_id) if row.kind == RequestKind.ENTRY else None
        return RequestCase(
            RequestState(row.state), row.requested_by, usable, len(row.findings), row.addressed_to
        )

    def usable_count(self, request_id: str) -> int:
        """Pictures of a request that can be searched for."""
        query = select(func.count()).where(
            RequestPicture.request_id == request_id, RequestPicture.outcome == "ok"
        )
        return self._session.scalar(query) or 0

    def pictures(self, request_id: str) -> Sequence[RequestPicture]:
        """The pictures of a request, in order."""
        return self._session.scalars(
            select(RequestPicture)
            .where(RequestPicture.request_id == request_id)
            .order_by(RequestPicture.position)
        ).all()

    def picture(self, reference_id: str) -> RequestPicture | None:
        """One picture by its id."""
        return self._session.get(RequestPicture, reference_id)

    def drop_pictures(self, request_id: str) -> None:
        """Deletes the pictures of a request that came to nothing."""
        self._session.execute(delete(RequestPicture).where(RequestPicture.request_id == request_id))

    def page(
        self, scope: Scope, wanted: RequestFilter, before: RequestPosition | None, limit: int
    ) -> Sequence[ListRequest]:
        """Requests about lists within these rights, newest first; those for deployments on cameras beyond them too."""
        query = select(ListRequest).where(list_within(scope, ListRequest.watchlist_id))
        query = query.order_by(ListRequest.requested_at.desc(), ListRequest.request_id.desc())
        if wanted.state is not None:
            query = query.where(ListRequest.state == wanted.state.value)
        if wanted.kind is not None:
            query = query.where(ListRequest.kind == wanted.kind.value)
        if wanted.watchlist_id is not None:
            query = query.where(ListRequest.watchlist_id == wanted.watchlist_id)
        if wanted.import_id is not None:
            query = query.where(ListRequest.import_id == wanted.import_id)
        if before is not None:
            query = query.where(tuple_(ListRequest.requested_at, ListRequest.request_id) < tuple_(*before))
        return self._session.scalars(query.limit(limit)).all()

    def next_unchecked(self) -> ListRequest | None:
        """The oldest request whose pictures nobody has read yet."""
        return self._session.scalars(
            select(ListRequest)
            .where(ListRequest.state == RequestState.CHECKING.value)
            .order_by(ListRequest.requested_at, ListRequest.request_id)
            .limit(1)
        ).one_or_none()

    def pending_entries(self, watchlist_id: str) -> Sequence[ListRequest]:
        """Requests for entries of a list that nobody has decided yet."""
        return self._session.scalars(
            select(ListRequest).where(
                ListRequest.watchlist_id == watchlist_id,
                ListRequest.kind == RequestKind.ENTRY.value,
                ListRequest.state.in_(_PENDING),
            )
        ).all()

    def sealed_names(self, subject_ids: Sequence[str]) -> dict[str, bytes]:
        """Names asked for under these subject ids, sealed as they are."""
        rows = self._session.execute(
            select(ListRequest.subject_id, ListRequest.name_sealed).where(
                ListRequest.subject_id.in_(subject_ids), ListRequest.kind == RequestKind.ENTRY.value
            )
        )
        return {subject_id: sealed for subject_id, sealed in rows if subject_id and sealed}

    def pending_count(self, watchlist_id: str) -> int:
        """How many entries of a list are asked for and not decided."""
        query = select(func.count()).where(
            ListRequest.watchlist_id == watchlist_id,
            ListRequest.kind == RequestKind.ENTRY.value,
            ListRequest.state.in_(_PENDING),
        )
        return self._session.scalar(query) or 0

    def pending_pictures(self, watchlist_id: str, recipe_sha256: str) -> Sequence[tuple[str, RequestPicture]]:
        """Usable pictures of undecided entries of a list, made by one recipe, with whose they are to be."""
        rows = self._session.execute(
            select(ListRequest.subject_id, RequestPicture)
            .join(ListRequest, ListRequest.request_id == RequestPicture.request_id)
            .where(
                ListRequest.watchlist_id == watchlist_id,
                ListRequest.state == RequestState.OPEN.value,
                RequestPicture.outcome == "ok",
                RequestPicture.recipe_sha256 == recipe_sha256,
            )
            .order_by(RequestPicture.reference_id)
        )
        return [(subject_id or "", picture) for subject_id, picture in rows]

    def pending_renewal(self, subject_id: str) -> bool:
        """Whether somebody asked already to keep an entry longer."""
        found = select(ListRequest.request_id).where(
            ListRequest.subject_id == subject_id,
            ListRequest.kind == RequestKind.RENEWAL.value,
            ListRequest.state.in_(_PENDING),
        )
        return self._session.scalars(found.limit(1)).first() is not None

    def overdue(self, before: datetime, limit: int) -> Sequence[str]:
        """Requests that nobody decided since then."""
        return self._session.scalars(
            select(ListRequest.request_id)
            .where(ListRequest.state.in_(_PENDING), ListRequest.requested_at <= before)
            .order_by(ListRequest.requested_at)
            .limit(limit)
        ).all()

    def waiting_of_import(self, import_id: str) -> dict[str, int]:
        """Requests of an import that nobody has decided, each with how much the check found."""
        rows = self._session.execute(
            select(ListRequest.request_id, ListRequest.findings)
            .where(ListRequest.import_id == import_id, ListRequest.state.in_(_PENDING))
            .order_by(ListRequest.request_id)
        )
        return {request_id: len(findings) for request_id, findings in rows}

    def import_run(self, import_id: str) -> ListImport | None:
        """An import by its id."""
        return self._session.get(ListImport, import_id)

    def imports_in(self, state: str) -> Sequence[ListImport]:
        """Imports in a state, oldest first."""
        return self._session.scalars(
            select(ListImport).where(ListImport.state == state).order_by(ListImport.created_at)
        ).all()
