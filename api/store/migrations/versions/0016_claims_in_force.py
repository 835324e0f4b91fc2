"""Claims that were let go of say so, those in force are found without reading the others; a cheaper guard"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels = None
depends_on = None

INDEX = "ix_review_claims_claimed_until"
HELD = sa.text("claimed_until IS NOT NULL")
FRESH = "aiqyn_judgements_needs_fresh_judges"
JUDGED_BEFORE = """
    EXISTS (SELECT 1 FROM reexaminations x JOIN judgements j ON j.account_id = NEW.account_id
    WHERE x.candidate_id = NEW.candidate_id AND (j.candidate_id = x.original_id OR j.candidate_id IN
    (SELECT y.candidate_id FROM reexaminations y WHERE y.original_id = x.original_id)))
"""
IS_ASKED_AGAIN = "EXISTS (SELECT 1 FROM reexaminations x WHERE x.candidate_id = NEW.candidate_id)"
WORDS = "a re-examination is judged by people who have not judged it before"


def upgrade() -> None:
    _allow_none(allowed=True)
    # Nobody has anything open while this runs: whoever had, opens it again.
    op.execute("UPDATE review_claims SET claimed_until = NULL")
    op.create_index(INDEX, "review_claims", ["claimed_until"], sqlite_where=HELD, postgresql_where=HELD)
    if op.get_bind().dialect.name == "postgresql":
        # Asked apart: in one query PostgreSQL may begin with all she ever judged, and nearly no candidate is asked again.
        _guard(f"IF {IS_ASKED_AGAIN} THEN IF {JUDGED_BEFORE} THEN RAISE EXCEPTION '{WORDS}'; END IF; END IF;")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _guard(f"IF {JUDGED_BEFORE} THEN RAISE EXCEPTION '{WORDS}'; END IF;")
    op.drop_index(INDEX, "review_claims")
    op.execute("UPDATE review_claims SET claimed_until = opened_at WHERE claimed_until IS NULL")
    _allow_none(allowed=False)


def _allow_none(*, allowed: bool) -> None:
    with op.batch_alter_table("review_claims") as batch:
        batch.alter_column("claimed_until", existing_type=sa.DateTime(timezone=True), nullable=allowed)


def _guard(body: str) -> None:
    op.execute(
        f"CREATE OR REPLACE FUNCTION {FRESH}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} RETURN NEW; END $$"
    )
