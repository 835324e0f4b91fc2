"""A list may have a wanted rate of false alerts of its own"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("watchlists", sa.Column("false_alerts_per_1000_faces", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("watchlists", "false_alerts_per_1000_faces")
