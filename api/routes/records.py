"""Receipts and the ledger."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.convert import ledger_entry_out, receipt_out
from api.deps import Cursor, Limit, Overseer, ServicesDep
from api.pagination import read_sequence_cursor, sequence_cursor
from api.problems import documented
from api.routing import api_router
from api.schemas import LedgerPage, ReceiptOut

router = api_router("/api/v1", tags=["oversight"])


@router.get("/receipts/{receipt_id}", responses=documented(401, 403, 404))
def get_receipt(
    receipt_id: Annotated[str, Path(max_length=64, description="the receipt's id, or its candidate's")],
    principal: Overseer,
    services: ServicesDep,
) -> ReceiptOut:
    """The signed receipt of a confirmed match."""
    return receipt_out(services.oversight.receipt(principal, receipt_id))


@router.get("/ledger", responses=documented(400, 401, 403))
def list_ledger(
    principal: Overseer, services: ServicesDep, limit: Limit = 50, cursor: Cursor = None
) -> LedgerPage:
    """What happened, oldest first."""
    entries = services.oversight.ledger(principal, read_sequence_cursor(cursor), limit + 1)
    page = entries[:limit]
    more = len(entries) > limit
    return LedgerPage(
        items=[ledger_entry_out(entry) for entry in page],
        next_cursor=sequence_cursor(page[-1].sequence) if more else None,
    )
