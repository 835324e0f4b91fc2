"""Faces searched by day, so that false alerts can be told per thousand of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("camera_reports", "camera_days"):
        op.add_column(table, sa.Column("faces_searched", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("how many faces were searched is not thrown away")
