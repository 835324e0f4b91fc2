"""Evidence that is still there is found without reading all that was; clips apart, for how long they take"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels = None
depends_on = None

TABLE = "evidence_records"
BOTH = "ix_evidence_records_kind_created_at"
KEPT = "ix_evidence_records_kept"
CLIPS = "ix_evidence_records_clips"
STILL_THERE = sa.text("deleted_at IS NULL")
SHOWN_CLIPS = sa.text("kind = 'clip_redacted'")


def upgrade() -> None:
    op.create_index(
        KEPT, TABLE, ["kind", "created_at"], sqlite_where=STILL_THERE, postgresql_where=STILL_THERE
    )
    op.create_index(CLIPS, TABLE, ["created_at"], sqlite_where=SHOWN_CLIPS, postgresql_where=SHOWN_CLIPS)
    op.drop_index(BOTH, TABLE)


def downgrade() -> None:
    op.create_index(BOTH, TABLE, ["kind", "created_at"])
    op.drop_index(CLIPS, TABLE)
    op.drop_index(KEPT, TABLE)
