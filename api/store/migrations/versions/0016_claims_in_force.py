"""Claims in force are found without reading all there ever were"""

from __future__ import annotations

from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels = None
depends_on = None

INDEX = "ix_review_claims_claimed_until"


def upgrade() -> None:
    op.create_index(INDEX, "review_claims", ["claimed_until"])


def downgrade() -> None:
    op.drop_index(INDEX, "review_claims")
