"""Place in the queue beside the state, and indexes for a million candidates"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels = None
depends_on = None

WAITING = sa.text("state IN ('one_answer', 'open')")
CONTROLS = sa.text("control_id IS NOT NULL")
PLAIN = (  # for what is deleted by age, and whether anybody judged through a login
    ("idempotent_results", "created_at"),
    ("review_listings", "listed_at"),
    ("judgements", "session_id"),
)


def upgrade() -> None:
    op.add_column("candidates", sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("candidates", sa.Column("review_id", sa.String(64), nullable=True))
    for column in ("queued_at", "review_id"):
        op.execute(
            f"UPDATE candidates SET {column} = (SELECT reviews.{column} FROM reviews "
            "WHERE reviews.candidate_id = candidates.candidate_id)"
        )
    op.create_index(
        "ix_candidates_waiting",
        "candidates",
        ["queued_at", "review_id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index(
        "ix_candidates_control_id",
        "candidates",
        ["control_id"],
        sqlite_where=CONTROLS,
        postgresql_where=CONTROLS,
    )
    for table, column in PLAIN:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table, column in PLAIN:
        op.drop_index(f"ix_{table}_{column}", table)
    op.drop_index("ix_candidates_control_id", "candidates")
    op.drop_index("ix_candidates_waiting", "candidates")
    op.drop_column("candidates", "review_id")
    op.drop_column("candidates", "queued_at")
