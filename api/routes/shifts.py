"""Shifts of operators, and who is on duty."""

from __future__ import annotations

from dataclasses import asdict

from api.deps import Cursor, IdempotencyKey, Limit, Operator, Overseer, ServicesDep
from api.pagination import read_time_cursor, time_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas_figures import (
    DutyOut,
    ShiftEndedOut,
    ShiftEndIn,
    ShiftLineOut,
    ShiftOut,
    ShiftPage,
)

router = api_router("/api/v1", tags=["duty"])


@router.post("/shifts", status_code=201, responses=documented(400, 401, 403, 409))
def begin_shift(principal: Operator, services: ServicesDep, key: IdempotencyKey) -> ShiftOut:
    """Puts this operator on duty, and tells what waits for her."""
    request = WriteRequest.of(principal.account_id, key, "POST /shifts", {})
    return ShiftOut.model_validate(services.shifts.begin(principal, request))


@router.get("/shifts/current", responses=documented(401, 403, 404))
def get_shift(principal: Operator, services: ServicesDep) -> ShiftOut:
    """This operator's shift, and what waits for her."""
    return ShiftOut.model_validate(services.shifts.current(principal))


@router.post("/shifts/current/end", responses=documented(400, 401, 403, 409))
def end_shift(
    body: ShiftEndIn, principal: Operator, services: ServicesDep, key: IdempotencyKey
) -> ShiftEndedOut:
    """Takes this operator off duty, and tells her how she answered the controls of the shift."""
    request = WriteRequest.of(
        principal.account_id, key, "POST /shifts/current/end", body.model_dump(mode="json")
    )
    done = services.shifts.end(principal, body.handover_note, request)
    return ShiftEndedOut.model_validate(done)


@router.get("/shifts", responses=documented(400, 401, 403))
def list_shifts(
    principal: Overseer, services: ServicesDep, limit: Limit = 20, cursor: Cursor = None
) -> ShiftPage:
    """Shifts, newest first, with what was handed over."""
    rows = services.shifts.shifts(principal, read_time_cursor(cursor), limit + 1)
    page = rows[:limit]
    more = len(rows) > limit
    items = [
        ShiftLineOut(
            shift_id=row.shift_id,
            account_id=row.account_id,
            began_at=row.began_at,
            ended_at=row.ended_at,
            handover_note=row.handover_note,
        )
        for row in page
    ]
    next_cursor = time_cursor(page[-1].began_at, page[-1].shift_id) if more else None
    return ShiftPage(items=items, next_cursor=next_cursor)


@router.get("/duty", responses=documented(401, 403))
def get_duty(principal: Overseer, services: ServicesDep) -> DutyOut:
    """Who is on duty now, and for how long too few people were."""
    return DutyOut.model_validate(asdict(services.shifts.duty(principal)))
