"""Lists and their entries."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import Path, Response

from api.deps import Cursor, IdempotencyKey, Limit, ServicesDep
from api.pagination import pair_cursor, read_pair_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.review.watchlists import WatchlistTerms
from api.review.wishes import EntryWish, RenewalWish, Upload
from api.routes.list_access import Authoriser, Ender, ListReader, Requester
from api.routing import api_router
from api.schemas_lists import (
    EntryIn,
    EntryOut,
    EntryPage,
    EntryRemoved,
    ReasonIn,
    RenewalIn,
    WatchlistChangeIn,
    WatchlistIn,
    WatchlistOut,
    WatchlistPage,
)
from api.schemas_requests import RequestOut
from api.watchlists import watchlist_document

RATE = "false_alerts_per_1000_faces"

MAX_ENTRY_BYTES = 24 * 1024 * 1024
"""A request with pictures; every other body is small."""

JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "the face, upright"}
}

router = api_router("/api/v1", tags=["lists"])

WatchlistId = Annotated[str, Path(max_length=128)]
SubjectId = Annotated[str, Path(max_length=128)]
ReferenceId = Annotated[str, Path(max_length=64)]


@router.get("/watchlists", responses=documented(400, 401, 403))
def list_watchlists(
    principal: ListReader, services: ServicesDep, limit: Limit = 50, cursor: Cursor = None
) -> WatchlistPage:
    """All lists, and how full they are."""
    views = services.lists.watchlists.watchlists(principal, _after(cursor), limit + 1)
    items = [WatchlistOut.model_validate(watchlist_document(view)) for view in views[:limit]]
    more = len(views) > limit
    return WatchlistPage(items=items, next_cursor=pair_cursor("", items[-1].watchlist_id) if more else None)


@router.post("/watchlists", status_code=201, responses=documented(400, 401, 403, 409))
def add_watchlist(
    body: WatchlistIn, principal: Authoriser, services: ServicesDep, key: IdempotencyKey
) -> WatchlistOut:
    """A new list, empty."""
    request = WriteRequest.of(principal.account_id, key, "POST /watchlists", body.model_dump(mode="json"))
    made = services.lists.watchlists.add(principal, WatchlistTerms(**body.model_dump()), request)
    return WatchlistOut.model_validate(made)


@router.get("/watchlists/{watchlist_id}", responses=documented(401, 403, 404))
def get_watchlist(watchlist_id: WatchlistId, principal: ListReader, services: ServicesDep) -> WatchlistOut:
    """One list."""
    view = services.lists.watchlists.watchlist(principal, watchlist_id)
    return WatchlistOut.model_validate(watchlist_document(view))


@router.patch("/watchlists/{watchlist_id}", responses=documented(400, 401, 403, 404, 409))
def change_watchlist(
    watchlist_id: WatchlistId,
    body: WatchlistChangeIn,
    principal: Authoriser,
    services: ServicesDep,
    key: IdempotencyKey,
) -> WatchlistOut:
    """Changes cap, wanted rate, or whether minors are searched."""
    action = f"PATCH /watchlists/{watchlist_id}"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    said = body.model_dump(exclude={"reason"}, exclude_unset=True)
    # Null takes a list's own rate away; for the others it says nothing.
    changes = {name: value for name, value in said.items() if value is not None or name == RATE}
    done = services.lists.watchlists.change(principal, watchlist_id, changes, body.reason, request)
    return WatchlistOut.model_validate(done)


@router.get("/watchlists/{watchlist_id}/entries", responses=documented(400, 401, 403, 404))
def list_entries(
    watchlist_id: WatchlistId,
    principal: ListReader,
    services: ServicesDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EntryPage:
    """Who is listed, on whose word and until when; those whose entries ended included."""
    views = services.lists.entries.entries(principal, watchlist_id, _after(cursor), limit + 1)
    items = [EntryOut.of(view) for view in views[:limit]]
    more = len(views) > limit
    return EntryPage(items=items, next_cursor=pair_cursor("", items[-1].subject_id) if more else None)


@router.post(
    "/watchlists/{watchlist_id}/entries",
    status_code=201,
    responses=documented(400, 401, 403, 404, 409, 413),
    max_body_size=MAX_ENTRY_BYTES,
)
def request_entry(
    watchlist_id: WatchlistId,
    body: EntryIn,
    principal: Requester,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RequestOut:
    """Asks that somebody be listed; nothing is searched before somebody else approves it."""
    said = body.model_dump(mode="json", exclude={"pictures"})
    uploads = tuple(Upload(one.data_base64, one.source) for one in body.pictures)
    digests = [[hashlib.sha256(one.data).hexdigest(), one.image_source] for one in uploads]
    action = f"POST /watchlists/{watchlist_id}/entries"
    request = WriteRequest.of(principal.account_id, key, action, said | {"pictures": digests})
    wish = EntryWish(**body.model_dump(exclude={"pictures"}), uploads=uploads)
    return RequestOut.model_validate(
        services.lists.requests.file_entry(principal, watchlist_id, wish, request)
    )


@router.get("/entries/{subject_id}", responses=documented(401, 403, 404))
def get_entry(subject_id: SubjectId, principal: ListReader, services: ServicesDep) -> EntryOut:
    """One entry."""
    return EntryOut.of(services.lists.entries.entry(principal, subject_id))


@router.get(
    "/entries/{subject_id}/references/{reference_id}",
    response_class=Response,
    responses={**JPEG, **documented(401, 403, 404)},
)
def get_reference(
    subject_id: SubjectId, reference_id: ReferenceId, principal: ListReader, services: ServicesDep
) -> Response:
    """A picture of an entry."""
    jpeg = services.lists.entries.portrait(principal, subject_id, reference_id)
    return Response(jpeg, media_type="image/jpeg")


@router.post("/entries/{subject_id}/renewal", status_code=201, responses=documented(400, 401, 403, 404, 409))
def request_renewal(
    subject_id: SubjectId,
    body: RenewalIn,
    principal: Requester,
    services: ServicesDep,
    key: IdempotencyKey,
) -> RequestOut:
    """Asks that an entry stay longer."""
    action = f"POST /entries/{subject_id}/renewal"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    wish = RenewalWish(**body.model_dump())
    return RequestOut.model_validate(
        services.lists.requests.file_renewal(principal, subject_id, wish, request)
    )


@router.post("/entries/{subject_id}/removal", responses=documented(400, 401, 403, 404, 409))
def remove_entry(
    subject_id: SubjectId,
    body: ReasonIn,
    principal: Ender,
    services: ServicesDep,
    key: IdempotencyKey,
) -> EntryRemoved:
    """Takes somebody off a list; the workers have it within a second or two."""
    action = f"POST /entries/{subject_id}/removal"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.lists.entries.remove(principal, subject_id, body.reason, request)
    return EntryRemoved.model_validate(done)


def _after(cursor: str | None) -> str | None:
    found = read_pair_cursor(cursor)
    return found[1] if found else None
