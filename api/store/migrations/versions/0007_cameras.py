"""What workers say of their cameras: reports, gaps, and frames by day"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "camera_reports",
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.Column("worker_id", sa.String(128), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("deployment_id", sa.String(128), nullable=False),
        sa.Column("gallery_version", sa.Integer(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("log_id", sa.String(64), nullable=False),
        sa.Column("counted", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name="pk_camera_reports"),
    )
    op.create_table(
        "camera_gaps",
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.Column("worker_id", sa.String(128), nullable=False),
        sa.Column("log_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("ended_by_restart", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "worker_id", "log_id", "number", name="pk_camera_gaps"),
    )
    op.create_index("ix_camera_gaps_camera_id_began_at", "camera_gaps", ["camera_id", "began_at"])
    counts = ("read", "decoded", "undecodable", "not_sampled", "gated", "inferred")
    op.create_table(
        "camera_days",
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("worker_id", sa.String(128), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        sa.Column("dropped", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "day", "worker_id", name="pk_camera_days"),
    )


def downgrade() -> None:
    for table in ("camera_days", "camera_gaps", "camera_reports"):
        op.drop_table(table)
