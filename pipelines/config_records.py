"""How long records stay that nobody needs as evidence."""

from __future__ import annotations

from pydantic import Field

from pipelines.config_base import Settings


class RecordsConfig(Settings):
    """Ages after which records are deleted. Judgements, receipts, the outbox, holds and the ledger always stay."""

    logins_days: float | None = Field(
        default=90.0, ge=1, description="logins that are over and through which nobody judged; null: for ever"
    )
    write_results_days: float | None = Field(
        default=7.0, ge=1, description="results kept under an Idempotency-Key; null: for ever"
    )
    listings_days: float | None = Field(
        default=90.0,
        ge=1,
        description="to whom a review was listed, once its candidate has ended; null: for ever",
    )
    camera_days_days: float | None = Field(
        default=1100.0, ge=366, description="what became of a camera's frames, by day; null: for ever"
    )
    camera_gaps_days: float | None = Field(
        default=1100.0, ge=92, description="gaps of a camera that have ended; null: for ever"
    )
