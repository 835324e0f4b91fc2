"""Claims that were let go of say so, and those in force are found without reading the others"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels = None
depends_on = None

INDEX = "ix_review_claims_claimed_until"
HELD = sa.text("claimed_until IS NOT NULL")


def upgrade() -> None:
    _allow_none(allowed=True)
    # Nobody has anything open while this runs: whoever had, opens it again.
    op.execute("UPDATE review_claims SET claimed_until = NULL")
    op.create_index(INDEX, "review_claims", ["claimed_until"], sqlite_where=HELD, postgresql_where=HELD)


def downgrade() -> None:
    op.drop_index(INDEX, "review_claims")
    op.execute("UPDATE review_claims SET claimed_until = opened_at WHERE claimed_until IS NULL")
    _allow_none(allowed=False)


def _allow_none(*, allowed: bool) -> None:
    with op.batch_alter_table("review_claims") as batch:
        batch.alter_column("claimed_until", existing_type=sa.DateTime(timezone=True), nullable=allowed)
