"""Cameras the service gives its workers, in versions that stay; what masks and settings files cost a camera"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "camera_settings",
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker_id", sa.String(128), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"], ["accounts.account_id"], name="fk_camera_settings_changed_by"
        ),
        sa.PrimaryKeyConstraint("camera_id", "version", name="pk_camera_settings"),
    )
    op.create_index("ix_camera_settings_changed_at", "camera_settings", ["changed_at"])
    for statement in _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite():
        op.execute(statement)
    op.add_column(
        "camera_reports", sa.Column("masked_detections", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column(
        "camera_reports", sa.Column("settings_note", sa.String(500), nullable=False, server_default="")
    )


def downgrade() -> None:
    raise RuntimeError("who gave which camera to whom, and why, is not thrown away")


def _sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER camera_settings_refuses_{verb.lower()} BEFORE {verb} ON camera_settings "
        "BEGIN SELECT RAISE(ABORT, 'camera_settings is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ]


def _postgresql() -> list[str]:
    return [
        "CREATE TRIGGER camera_settings_refuses_change BEFORE UPDATE OR DELETE ON camera_settings "
        "FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()",
        "CREATE TRIGGER camera_settings_refuses_truncate BEFORE TRUNCATE ON camera_settings "
        "FOR EACH STATEMENT EXECUTE FUNCTION aiqyn_refuse()",
    ]
