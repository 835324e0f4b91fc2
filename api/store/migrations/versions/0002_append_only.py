"""What the database itself refuses: rewriting the past, and a confirmation without two people"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("ledger", "judgements", "receipts", "resolutions", "disclosures")

TWO_PEOPLE = """
    SELECT count(DISTINCT j.account_id) FROM judgements j
    JOIN candidates c ON c.candidate_id = j.candidate_id AND c.round = j.round
    WHERE j.candidate_id = NEW.candidate_id AND j.answer = 'same_person' AND c.control_id IS NULL
"""
OTHERS_SAID = """
    SELECT count(*) FROM judgements j
    JOIN candidates c ON c.candidate_id = j.candidate_id AND c.round = j.round
    WHERE j.candidate_id = NEW.candidate_id AND j.answer <> 'same_person'
"""
UNFOUNDED = "a confirmed match needs two people who said the same"


def upgrade() -> None:
    op.execute(
        sa.text("INSERT INTO ledger_head (head_id, sequence, entry_sha256) VALUES (1, 0, :zero)").bindparams(
            zero="0" * 64
        )
    )
    statements = _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite()
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("the triggers that keep the past as it was are not taken away")


def _sqlite() -> list[str]:
    made = []
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            made.append(
                f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    for table in ("outbox", "receipts"):
        made.append(
            f"CREATE TRIGGER {table}_needs_two_people BEFORE INSERT ON {table} "
            f"WHEN ({TWO_PEOPLE}) <> 2 OR ({OTHERS_SAID}) <> 0 "
            f"BEGIN SELECT RAISE(ABORT, '{UNFOUNDED}'); END"
        )
    made.append(
        "CREATE TRIGGER outbox_refuses_delete BEFORE DELETE ON outbox "
        "BEGIN SELECT RAISE(ABORT, 'outbox rows stay'); END"
    )
    made.append(
        "CREATE TRIGGER outbox_keeps_its_event BEFORE UPDATE OF outbox_id, candidate_id, event, schema_name "
        "ON outbox BEGIN SELECT RAISE(ABORT, 'an event in the outbox is not changed'); END"
    )
    return made


def _postgresql() -> list[str]:
    made = [
        "CREATE FUNCTION aiqyn_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        "CREATE FUNCTION aiqyn_needs_two_people() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF ({TWO_PEOPLE}) <> 2 OR ({OTHERS_SAID}) <> 0 "
        f"THEN RAISE EXCEPTION '{UNFOUNDED}'; END IF; RETURN NEW; END $$",
    ]
    for table in APPEND_ONLY:
        made.append(
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()"
        )
        made.append(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION aiqyn_refuse()"
        )
    for table in ("outbox", "receipts"):
        made.append(
            f"CREATE TRIGGER {table}_needs_two_people BEFORE INSERT ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION aiqyn_needs_two_people()"
        )
    made.append(
        "CREATE TRIGGER outbox_refuses_delete BEFORE DELETE ON outbox "
        "FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()"
    )
    made.append(
        "CREATE TRIGGER outbox_keeps_its_event BEFORE UPDATE OF outbox_id, candidate_id, event, schema_name "
        "ON outbox FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()"
    )
    return made
