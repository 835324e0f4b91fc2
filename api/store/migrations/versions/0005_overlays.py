"""What people draw on pictures, in versions that stay"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "overlays",
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shapes", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("drawn_by", sa.String(64), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["drawn_by"], ["accounts.account_id"], name="fk_overlays_drawn_by"),
        sa.PrimaryKeyConstraint("camera_id", "kind", "version", name="pk_overlays"),
    )
    for statement in _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite():
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("what was drawn, by whom and why, is not thrown away")


def _sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER overlays_refuses_{verb.lower()} BEFORE {verb} ON overlays "
        "BEGIN SELECT RAISE(ABORT, 'overlays is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ]


def _postgresql() -> list[str]:
    return [
        "CREATE TRIGGER overlays_refuses_change BEFORE UPDATE OR DELETE ON overlays "
        "FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()",
        "CREATE TRIGGER overlays_refuses_truncate BEFORE TRUNCATE ON overlays "
        "FOR EACH STATEMENT EXECUTE FUNCTION aiqyn_refuse()",
    ]
