"""What every step of a request's life has in common: room on its list, its end, its document, its entries in the log."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.errors import NotFoundError
from api.ledger.chain import Happening
from api.review.requests import RequestState
from api.review.watchlists import EntryTerms, check_size
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import ListRequest
from api.store.requests import RequestRepository


def check_room(session: Session, watchlist_id: str, adding: int, now: datetime) -> None:
    """Lets through what fits under the list's cap, what is asked for already counted in.

    Raises:
        NotFoundError: there is no such list.
        RecordError: it would grow beyond its cap.
    """
    lists = ListRepository(session)
    watchlist = lists.watchlist(watchlist_id)
    if watchlist is None:
        raise NotFoundError
    there = lists.listed_count(watchlist_id, now) + RequestRepository(session).pending_count(watchlist_id)
    check_size(there, adding, watchlist.max_entries)


def end_request(
    session: Session,
    row: ListRequest,
    state: RequestState,
    by: tuple[str | None, str | None],
    now: datetime,
) -> None:
    """Ends a request in the caller's transaction; its pictures go where they came to nothing.

    Args:
        by: account and reason; None where the clock ended it.
    """
    account_id, reason = by
    row.state, row.ended_by, row.ended_at, row.ended_reason = state.value, account_id, now, reason
    session.flush()
    if state is not RequestState.APPROVED:
        RequestRepository(session).drop_pictures(row.request_id)
    detail = {"kind": row.kind, "watchlist_id": row.watchlist_id}
    happening = Happening(
        f"request_{state.value}", now, account_id or "clock", f"request:{row.request_id}", detail
    )
    LedgerRepository(session).append(happening)


def request_document(row: ListRequest) -> dict[str, Any]:
    """A request as JSON values: what it is and where it stands; no name."""
    return {
        "request_id": row.request_id,
        "kind": row.kind,
        "state": row.state,
        "watchlist_id": row.watchlist_id,
        "subject_id": row.subject_id,
        "deployment_id": row.deployment_id,
        "requested_at": row.requested_at.isoformat(),
    }


def note_filed(session: Session, row: ListRequest, **more: object) -> None:
    """Writes into the ledger that somebody asked for something; no words, which may hold names."""
    detail = {
        "watchlist_id": row.watchlist_id,
        "subject_id": row.subject_id,
        "deployment_id": row.deployment_id,
        "until": row.until.isoformat(),
        "is_minor": row.is_minor,
        **({"cameras": row.cameras} if row.cameras else {}),
        **more,
    }
    happening = Happening(
        f"{row.kind}_requested", row.requested_at, row.requested_by, f"request:{row.request_id}", detail
    )
    LedgerRepository(session).append(happening)


def new_request_id() -> str:
    """Random, as every id here."""
    return f"req_{secrets.token_hex(12)}"


def entry_terms(row: ListRequest, people: tuple[str, str], image_source: str) -> EntryTerms:
    """What an entry that comes of a request states; `people` requested and authorised it."""
    return EntryTerms(
        requested_by=people[0],
        authorised_by=people[1],
        legal_basis=row.legal_basis,
        case_reference=row.case_reference,
        image_source=image_source,
        expires_at=row.until,
        purpose=row.purpose,
        is_minor=row.is_minor,
        minor_justification=row.minor_justification,
    )
