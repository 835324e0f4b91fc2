"""Claims, answers taken back, and what comes after a confirmed match"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "judgement_withdrawals",
    "contact_outcomes",
    "retractions",
    "reexaminations",
    "complaint_candidates",
)
UNDONE = "SELECT 1 FROM judgement_withdrawals w WHERE w.judgement_id = j.judgement_id"
TWO_PEOPLE = f"""
    SELECT count(DISTINCT j.account_id) FROM judgements j
    JOIN candidates c ON c.candidate_id = j.candidate_id AND c.round = j.round
    WHERE j.candidate_id = NEW.candidate_id AND j.answer = 'same_person'
    AND c.control_id IS NULL AND c.event IS NOT NULL AND NOT EXISTS ({UNDONE})
"""
OTHERS_SAID = f"""
    SELECT count(*) FROM judgements j
    JOIN candidates c ON c.candidate_id = j.candidate_id AND c.round = j.round
    WHERE j.candidate_id = NEW.candidate_id AND j.answer <> 'same_person' AND NOT EXISTS ({UNDONE})
"""
UNFOUNDED = "a confirmed match needs two people who said the same"
REFUSED = (
    (
        "undone_too_late",
        "INSERT",
        "judgement_withdrawals",
        "EXISTS (SELECT 1 FROM receipts r JOIN judgements j ON j.candidate_id = r.candidate_id "
        "WHERE j.judgement_id = NEW.judgement_id) OR NOT EXISTS (SELECT 1 FROM judgements j "
        "WHERE j.judgement_id = NEW.judgement_id AND j.account_id = NEW.account_id)",
        "an answer is taken back by who gave it, before there is a receipt",
    ),
    (
        "needs_a_receipt",
        "INSERT",
        "retractions",
        "NOT EXISTS (SELECT 1 FROM receipts r "
        "WHERE r.receipt_id = NEW.receipt_id AND r.candidate_id = NEW.candidate_id)",
        "only a confirmed match is retracted",
    ),
    (
        "needs_a_retraction",
        "INSERT",
        "outbox",
        "NEW.schema_name = 'aiqyn.retracted/1' AND NOT EXISTS "
        "(SELECT 1 FROM retractions r WHERE r.candidate_id = NEW.candidate_id)",
        "nothing tells of a retraction that is none",
    ),
    (
        "needs_fresh_judges",
        "INSERT",
        "judgements",
        "EXISTS (SELECT 1 FROM reexaminations x JOIN judgements j ON j.account_id = NEW.account_id "
        "WHERE x.candidate_id = NEW.candidate_id AND (j.candidate_id = x.original_id OR j.candidate_id IN "
        "(SELECT y.candidate_id FROM reexaminations y WHERE y.original_id = x.original_id)))",
        "a re-examination is judged by people who have not judged it before",
    ),
    (
        "stays_answered",
        "UPDATE",
        "complaints",
        "OLD.state = 'answered'",
        "an answered complaint is not changed",
    ),
)
OUTBOX = (
    ("refuses_delete", "DELETE", "outbox rows stay"),
    (
        "keeps_its_event",
        "UPDATE OF outbox_id, candidate_id, event, schema_name",
        "an event in the outbox is not changed",
    ),
)


def upgrade() -> None:
    op.add_column("judgements", sa.Column("reason_code", sa.String(32), nullable=True))
    _judging()
    _after()
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("uq_outbox_candidate_id", "outbox", type_="unique")
        op.create_unique_constraint(
            "uq_outbox_candidate_id_schema_name", "outbox", ["candidate_id", "schema_name"]
        )
        statements = _postgresql()
    else:
        two_means = _drop_trigger("outbox_needs_two_means")
        for name in ("needs_two_people", *(name for name, _, _ in OUTBOX)):
            _drop_trigger(f"outbox_{name}")
        with op.batch_alter_table("outbox") as batch:
            batch.drop_constraint("uq_outbox_candidate_id", type_="unique")
            batch.create_unique_constraint(
                "uq_outbox_candidate_id_schema_name", ["candidate_id", "schema_name"]
            )
        statements = [*_sqlite(), two_means]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("answers taken back, complaints and retractions are not thrown away")


def _drop_trigger(name: str) -> str:
    """Takes a trigger of SQLite away, as making its table anew does; returns what makes it again."""
    named = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
    made: str = op.get_bind().execute(named, {"name": name}).scalar_one()
    op.execute(f"DROP TRIGGER {name}")
    return made


def _judging() -> None:
    op.create_table(
        "review_claims",
        sa.Column("review_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.review_id"], name="fk_review_claims_review_id"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_review_claims_account_id"),
        sa.PrimaryKeyConstraint("review_id", "account_id", name="pk_review_claims"),
    )
    op.create_index("ix_review_claims_account_id", "review_claims", ["account_id"])
    op.create_table(
        "judgement_withdrawals",
        sa.Column("judgement_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["judgement_id"], ["judgements.judgement_id"], name="fk_judgement_withdrawals_judgement_id"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_judgement_withdrawals_account_id"
        ),
        sa.PrimaryKeyConstraint("judgement_id", name="pk_judgement_withdrawals"),
    )


def _after() -> None:
    op.create_table(
        "contact_outcomes",
        sa.Column("outcome_id", sa.String(64), nullable=False),
        sa.Column("candidate_id", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reported_by", sa.String(64), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(500), nullable=True),
        _candidate("contact_outcomes"),
        _account("contact_outcomes", "reported_by"),
        sa.PrimaryKeyConstraint("outcome_id", name="pk_contact_outcomes"),
    )
    op.create_index(
        "ix_contact_outcomes_candidate_id_reported_at", "contact_outcomes", ["candidate_id", "reported_at"]
    )
    op.create_table(
        "complaints",
        sa.Column("complaint_id", sa.String(64), nullable=False),
        sa.Column("candidate_id", sa.String(64), nullable=True),
        sa.Column("camera_id", sa.String(128), nullable=True),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.String(128), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.String(64), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filed_by", sa.String(64), nullable=False),
        _candidate("complaints"),
        _account("complaints", "answered_by"),
        _account("complaints", "filed_by"),
        sa.PrimaryKeyConstraint("complaint_id", name="pk_complaints"),
    )
    op.create_index("ix_complaints_state_due_at", "complaints", ["state", "due_at"])
    op.create_table(
        "complaint_candidates",
        sa.Column("complaint_id", sa.String(64), nullable=False),
        sa.Column("candidate_id", sa.String(64), nullable=False),
        sa.Column("hold_id", sa.String(64), nullable=False),
        _complaint("complaint_candidates"),
        _candidate("complaint_candidates"),
        sa.ForeignKeyConstraint(["hold_id"], ["legal_holds.hold_id"], name="fk_complaint_candidates_hold_id"),
        sa.PrimaryKeyConstraint("complaint_id", "candidate_id", name="pk_complaint_candidates"),
    )
    op.create_index("ix_complaint_candidates_candidate_id", "complaint_candidates", ["candidate_id"])
    op.create_table(
        "reexaminations",
        sa.Column("candidate_id", sa.String(64), nullable=False),
        sa.Column("original_id", sa.String(64), nullable=False),
        sa.Column("complaint_id", sa.String(64), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        _candidate("reexaminations"),
        sa.ForeignKeyConstraint(
            ["original_id"], ["candidates.candidate_id"], name="fk_reexaminations_original_id"
        ),
        _complaint("reexaminations"),
        sa.PrimaryKeyConstraint("candidate_id", name="pk_reexaminations"),
    )
    for column in ("original_id", "complaint_id"):
        op.create_index(f"ix_reexaminations_{column}", "reexaminations", [column])
    op.create_table(
        "retractions",
        sa.Column("retraction_id", sa.String(64), nullable=False),
        sa.Column("candidate_id", sa.String(64), nullable=False),
        sa.Column("receipt_id", sa.String(64), nullable=False),
        sa.Column("reason_code", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("retracted_by", sa.String(64), nullable=False),
        sa.Column("retracted_at", sa.DateTime(timezone=True), nullable=False),
        _candidate("retractions"),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.receipt_id"], name="fk_retractions_receipt_id"),
        _account("retractions", "retracted_by"),
        sa.PrimaryKeyConstraint("retraction_id", name="pk_retractions"),
        sa.UniqueConstraint("candidate_id", name="uq_retractions_candidate_id"),
    )


def _candidate(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["candidate_id"], ["candidates.candidate_id"], name=f"fk_{table}_candidate_id"
    )


def _complaint(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["complaint_id"], ["complaints.complaint_id"], name=f"fk_{table}_complaint_id"
    )


def _account(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["accounts.account_id"], name=f"fk_{table}_{column}")


def _sqlite() -> list[str]:
    made = ["DROP TRIGGER receipts_needs_two_people"]
    for table in ("outbox", "receipts"):
        made.append(
            f"CREATE TRIGGER {table}_needs_two_people BEFORE INSERT ON {table} "
            f"WHEN ({TWO_PEOPLE}) <> 2 OR ({OTHERS_SAID}) <> 0 "
            f"BEGIN SELECT RAISE(ABORT, '{UNFOUNDED}'); END"
        )
    made += [
        f"CREATE TRIGGER outbox_{name} BEFORE {verb} ON outbox BEGIN SELECT RAISE(ABORT, '{words}'); END"
        for name, verb, words in OUTBOX
    ]
    made += [
        f"CREATE TRIGGER {table}_{name} BEFORE {verb} ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        for name, verb, table, condition, words in REFUSED
    ]
    made += [
        f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table in APPEND_ONLY
        for verb in ("UPDATE", "DELETE")
    ]
    made.append(
        "CREATE TRIGGER complaints_refuses_delete BEFORE DELETE ON complaints "
        "BEGIN SELECT RAISE(ABORT, 'complaints stay'); END"
    )
    return made


def _postgresql() -> list[str]:
    made = [
        "CREATE OR REPLACE FUNCTION aiqyn_needs_two_people() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF ({TWO_PEOPLE}) <> 2 OR ({OTHERS_SAID}) <> 0 "
        f"THEN RAISE EXCEPTION '{UNFOUNDED}'; END IF; RETURN NEW; END $$"
    ]
    for name, verb, table, condition, words in REFUSED:
        made += [
            f"CREATE FUNCTION aiqyn_{table}_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {condition} THEN RAISE EXCEPTION '{words}'; END IF; RETURN NEW; END $$",
            f"CREATE TRIGGER {table}_{name} BEFORE {verb} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION aiqyn_{table}_{name}()",
        ]
    for table in APPEND_ONLY:
        made += [
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()",
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION aiqyn_refuse()",
        ]
    made.append(
        "CREATE TRIGGER complaints_refuses_delete BEFORE DELETE ON complaints "
        "FOR EACH ROW EXECUTE FUNCTION aiqyn_refuse()"
    )
    return made
