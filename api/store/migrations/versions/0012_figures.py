"""Shifts, understaffed time, where controls come from, and lists that are for tests"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "shifts",
        sa.Column("shift_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("began_at", time, nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("handover_note", sa.String(1000), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_shifts_account_id"),
        sa.PrimaryKeyConstraint("shift_id", name="pk_shifts"),
    )
    open_ones = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_shifts_one_open",
        "shifts",
        ["account_id"],
        unique=True,
        sqlite_where=open_ones,
        postgresql_where=open_ones,
    )
    op.create_index("ix_shifts_began_at_shift_id", "shifts", ["began_at", "shift_id"])
    op.create_table(
        "understaffed_periods",
        sa.Column("period_id", sa.String(64), nullable=False),
        sa.Column("began_at", time, nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("paged_at", time, nullable=False),
        sa.PrimaryKeyConstraint("period_id", name="pk_understaffed_periods"),
    )
    op.create_index("ix_understaffed_periods_began_at", "understaffed_periods", ["began_at"])
    origin = sa.Column("source", sa.String(16), nullable=False, server_default="library")
    op.add_column("control_items", origin)
    op.add_column("control_items", sa.Column("origin_candidate_id", sa.String(64), nullable=True))
    op.add_column("control_items", sa.Column("taken_at", time, nullable=True))
    op.add_column("control_items", sa.Column("usable_until", time, nullable=True))
    op.create_index(
        "ix_control_items_origin_candidate_id", "control_items", ["origin_candidate_id"], unique=True
    )
    op.create_index("ix_control_items_camera_id", "control_items", ["camera_id"])
    op.create_index("ix_candidates_camera_id_created_at", "candidates", ["camera_id", "created_at"])


def downgrade() -> None:
    raise RuntimeError("who was on duty, and what controls came to, is not thrown away")

