"""Requests that another person decides, imports, and what lists, entries and deployments say besides"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels = None
depends_on = None

ONE_PERSON = "who requests and who authorises are two people"
NOT_APPROVED = "nothing comes of a request that was not approved"
DECIDED = "a request that has ended stays as it is"


def upgrade() -> None:
    _add_columns()
    _create_imports()
    _create_requests()
    _create_pictures()
    for statement in _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite():
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("who asked for what, and who allowed it, is not thrown away")


def _add_columns() -> None:
    time, reason = sa.DateTime(timezone=True), sa.String(1000)
    added: dict[str, list[sa.Column[Any]]] = {
        "watchlists": [
            sa.Column("legal_basis", sa.String(500), nullable=False, server_default=""),
            sa.Column("is_test", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("allows_minors", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("changed_by", sa.String(64), nullable=True),
            sa.Column("changed_reason", reason, nullable=True),
        ],
        "subjects": [
            sa.Column("purpose", sa.String(500), nullable=False, server_default=""),
            sa.Column("is_minor", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("minor_justification", reason, nullable=True),
            sa.Column("request_id", sa.String(64), nullable=True),
            sa.Column("removed_by", sa.String(64), nullable=True),
            sa.Column("removed_reason", reason, nullable=True),
        ],
        "subject_references": [sa.Column("image_source", sa.String(500), nullable=True)],
        "deployments": [
            sa.Column("place", sa.String(500), nullable=False, server_default=""),
            sa.Column("request_id", sa.String(64), nullable=True),
            sa.Column("revoked_at", time, nullable=True),
            sa.Column("revoked_by", sa.String(64), nullable=True),
            sa.Column("revoked_reason", reason, nullable=True),
        ],
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)


def _create_imports() -> None:
    op.create_table(
        "list_imports",
        sa.Column("import_id", sa.String(64), nullable=False),
        sa.Column("watchlist_id", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("subject_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["watchlist_id"], ["watchlists.watchlist_id"], name="fk_list_imports_watchlist_id"
        ),
        sa.PrimaryKeyConstraint("import_id", name="pk_list_imports"),
    )


def _create_requests() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "list_requests",
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("watchlist_id", sa.String(128), nullable=False),
        sa.Column("subject_id", sa.String(128), nullable=True),
        sa.Column("deployment_id", sa.String(128), nullable=True),
        sa.Column("import_id", sa.String(64), nullable=True),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_at", time, nullable=False),
        sa.Column("addressed_to", sa.String(64), nullable=True),
        sa.Column("ended_by", sa.String(64), nullable=True),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("ended_reason", sa.String(1000), nullable=True),
        sa.Column("purpose", sa.String(500), nullable=False),
        sa.Column("legal_basis", sa.String(500), nullable=False),
        sa.Column("case_reference", sa.String(128), nullable=False),
        sa.Column("starts_at", time, nullable=True),
        sa.Column("until", time, nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("is_minor", sa.Boolean(), nullable=False),
        sa.Column("minor_justification", sa.String(1000), nullable=True),
        sa.Column("place", sa.String(500), nullable=True),
        sa.Column("cameras", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'refused') OR (ended_by IS NOT NULL AND ended_by <> requested_by)",
            name="ck_list_requests_two_people",
        ),
        sa.ForeignKeyConstraint(
            ["watchlist_id"], ["watchlists.watchlist_id"], name="fk_list_requests_watchlist_id"
        ),
        sa.ForeignKeyConstraint(["import_id"], ["list_imports.import_id"], name="fk_list_requests_import_id"),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["accounts.account_id"], name="fk_list_requests_requested_by"
        ),
        sa.ForeignKeyConstraint(
            ["addressed_to"], ["accounts.account_id"], name="fk_list_requests_addressed_to"
        ),
        sa.ForeignKeyConstraint(["ended_by"], ["accounts.account_id"], name="fk_list_requests_ended_by"),
        sa.PrimaryKeyConstraint("request_id", name="pk_list_requests"),
    )
    for column in ("state", "watchlist_id", "subject_id", "deployment_id", "import_id"):
        op.create_index(f"ix_list_requests_{column}", "list_requests", [column])
    op.create_index(
        "ix_list_requests_requested_at_request_id", "list_requests", ["requested_at", "request_id"]
    )


def _create_pictures() -> None:
    op.create_table(
        "request_pictures",
        sa.Column("reference_id", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_source", sa.String(500), nullable=False),
        sa.Column("upload_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("outcome", sa.String(24), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("portrait_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("portrait_width", sa.Integer(), nullable=True),
        sa.Column("portrait_height", sa.Integer(), nullable=True),
        sa.Column("template_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("recipe_sha256", sa.String(64), nullable=True),
        sa.Column("embedder_id", sa.String(128), nullable=True),
        sa.Column("embedder_sha256", sa.String(64), nullable=True),
        sa.Column("preprocessing", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["list_requests.request_id"], name="fk_request_pictures_request_id"
        ),
        sa.PrimaryKeyConstraint("reference_id", name="pk_request_pictures"),
    )
    op.create_index("ix_request_pictures_request_id", "request_pictures", ["request_id"])


_MADE = {"subjects": "subject_id", "deployments": "deployment_id"}
_ENDED = "OLD.state IN ('approved', 'refused', 'withdrawn', 'lapsed')"


def _unapproved(key: str) -> str:
    return (
        "NEW.request_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM list_requests r "
        f"WHERE r.request_id = NEW.request_id AND r.state = 'approved' AND r.{key} = NEW.{key})"
    )


def _sqlite() -> list[str]:
    made = []
    for table, key in _MADE.items():
        for verb in ("INSERT", "UPDATE"):
            made.append(
                f"CREATE TRIGGER {table}_{verb.lower()}_needs_two_people BEFORE {verb} ON {table} "
                f"WHEN NEW.requested_by_key = NEW.authorised_by_key "
                f"BEGIN SELECT RAISE(ABORT, '{ONE_PERSON}'); END"
            )
            made.append(
                f"CREATE TRIGGER {table}_{verb.lower()}_needs_approval BEFORE {verb} ON {table} "
                f"WHEN {_unapproved(key)} BEGIN SELECT RAISE(ABORT, '{NOT_APPROVED}'); END"
            )
    made += [
        f"CREATE TRIGGER list_requests_stay_decided BEFORE UPDATE ON list_requests WHEN {_ENDED} "
        f"BEGIN SELECT RAISE(ABORT, '{DECIDED}'); END",
        "CREATE TRIGGER list_requests_refuse_delete BEFORE DELETE ON list_requests "
        f"BEGIN SELECT RAISE(ABORT, '{DECIDED}'); END",
    ]
    return made


def _postgresql() -> list[str]:
    made = []
    for table, key in _MADE.items():
        made += [
            f"CREATE FUNCTION aiqyn_{table}_founded() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF NEW.requested_by_key = NEW.authorised_by_key THEN RAISE EXCEPTION '{ONE_PERSON}'; END IF; "
            f"IF {_unapproved(key)} THEN RAISE EXCEPTION '{NOT_APPROVED}'; END IF; RETURN NEW; END $$",
            f"CREATE TRIGGER {table}_founded BEFORE INSERT OR UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION aiqyn_{table}_founded()",
        ]
    made += [
        "CREATE FUNCTION aiqyn_request_stays() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF TG_OP = 'DELETE' OR {_ENDED} THEN RAISE EXCEPTION '{DECIDED}'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER list_requests_stay BEFORE UPDATE OR DELETE ON list_requests "
        "FOR EACH ROW EXECUTE FUNCTION aiqyn_request_stays()",
    ]
    return made
