"""The first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
        sa.UniqueConstraint("username", name="uq_accounts_username"),
    )
    op.create_table(
        "ledger",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("previous_sha256", sa.String(length=64), nullable=False),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_ledger"),
        sa.UniqueConstraint("entry_sha256", name="uq_ledger_entry_sha256"),
    )
    op.create_index("ix_ledger_kind", "ledger", ["kind"], unique=False)
    op.create_table(
        "ledger_head",
        sa.Column("head_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("entry_sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("head_id", name="pk_ledger_head"),
    )
    op.create_table(
        "watchlists",
        sa.Column("watchlist_id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=500), nullable=False),
        sa.Column("max_entries", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("watchlist_id", name="pk_watchlists"),
        sa.UniqueConstraint("name", name="uq_watchlists_name"),
    )
    op.create_table(
        "deployments",
        sa.Column("deployment_id", sa.String(length=128), nullable=False),
        sa.Column("watchlist_id", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=500), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("requested_by_key", sa.String(length=128), nullable=False),
        sa.Column("authorised_by", sa.String(length=128), nullable=False),
        sa.Column("authorised_by_key", sa.String(length=128), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["watchlist_id"], ["watchlists.watchlist_id"], name="fk_deployments_watchlist_id"
        ),
        sa.PrimaryKeyConstraint("deployment_id", name="pk_deployments"),
    )
    op.create_index("ix_deployments_watchlist_id", "deployments", ["watchlist_id"], unique=False)
    op.create_table(
        "idempotent_results",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_idempotent_results_account_id"
        ),
        sa.PrimaryKeyConstraint("account_id", "idempotency_key", name="pk_idempotent_results"),
    )
    op.create_table(
        "login_sessions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_login_sessions_account_id"),
        sa.PrimaryKeyConstraint("session_id", name="pk_login_sessions"),
        sa.UniqueConstraint("token_sha256", name="uq_login_sessions_token_sha256"),
    )
    op.create_index("ix_login_sessions_account_id", "login_sessions", ["account_id"], unique=False)
    op.create_table(
        "subjects",
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("watchlist_id", sa.String(length=128), nullable=False),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("requested_by_key", sa.String(length=128), nullable=False),
        sa.Column("authorised_by", sa.String(length=128), nullable=False),
        sa.Column("authorised_by_key", sa.String(length=128), nullable=False),
        sa.Column("legal_basis", sa.String(length=500), nullable=False),
        sa.Column("case_reference", sa.String(length=128), nullable=False),
        sa.Column("image_source", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["watchlist_id"], ["watchlists.watchlist_id"], name="fk_subjects_watchlist_id"
        ),
        sa.PrimaryKeyConstraint("subject_id", name="pk_subjects"),
    )
    op.create_index("ix_subjects_watchlist_id", "subjects", ["watchlist_id"], unique=False)
    op.create_table(
        "control_items",
        sa.Column("control_id", sa.String(length=64), nullable=False),
        sa.Column("deployment_id", sa.String(length=128), nullable=False),
        sa.Column("camera_id", sa.String(length=128), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("truth", sa.String(length=16), nullable=False),
        sa.Column("pts_seconds", sa.Double(), nullable=False),
        sa.Column("face_xyxy", sa.JSON(), nullable=False),
        sa.Column("face_size_px", sa.Double(), nullable=False),
        sa.Column("similarity", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("frame", sa.JSON(), nullable=False),
        sa.Column("probe", sa.JSON(), nullable=False),
        sa.Column("frame_accounting", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times_used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.deployment_id"], name="fk_control_items_deployment_id"
        ),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.subject_id"], name="fk_control_items_subject_id"),
        sa.PrimaryKeyConstraint("control_id", name="pk_control_items"),
    )
    op.create_table(
        "deployment_cameras",
        sa.Column("deployment_id", sa.String(length=128), nullable=False),
        sa.Column("camera_id", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.deployment_id"], name="fk_deployment_cameras_deployment_id"
        ),
        sa.PrimaryKeyConstraint("deployment_id", "camera_id", name="pk_deployment_cameras"),
    )
    op.create_table(
        "gallery_versions",
        sa.Column("deployment_id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subjects", sa.Integer(), nullable=False),
        sa.Column("templates", sa.Integer(), nullable=False),
        sa.Column("embedder_id", sa.String(length=128), nullable=False),
        sa.Column("embedder_sha256", sa.String(length=64), nullable=False),
        sa.Column("preprocessing", sa.Text(), nullable=False),
        sa.Column("false_alerts_per_1000_faces", sa.Double(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.deployment_id"], name="fk_gallery_versions_deployment_id"
        ),
        sa.PrimaryKeyConstraint("deployment_id", "version", name="pk_gallery_versions"),
    )
    op.create_table(
        "subject_references",
        sa.Column("reference_id", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("portrait_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("portrait_width", sa.Integer(), nullable=False),
        sa.Column("portrait_height", sa.Integer(), nullable=False),
        sa.Column("template_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("embedder_id", sa.String(length=128), nullable=False),
        sa.Column("embedder_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.subject_id"], name="fk_subject_references_subject_id"
        ),
        sa.PrimaryKeyConstraint("reference_id", name="pk_subject_references"),
    )
    op.create_index("ix_subject_references_subject_id", "subject_references", ["subject_id"], unique=False)
    op.create_table(
        "candidates",
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("event", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("control_id", sa.String(length=64), nullable=True),
        sa.Column("truth", sa.String(length=16), nullable=True),
        sa.Column("camera_id", sa.String(length=128), nullable=False),
        sa.Column("deployment_id", sa.String(length=128), nullable=False),
        sa.Column("watchlist_id", sa.String(length=128), nullable=False),
        sa.Column("subject_id", sa.String(length=128), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("similarity", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["control_id"], ["control_items.control_id"], name="fk_candidates_control_id"
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.deployment_id"], name="fk_candidates_deployment_id"
        ),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.subject_id"], name="fk_candidates_subject_id"),
        sa.ForeignKeyConstraint(
            ["watchlist_id"], ["watchlists.watchlist_id"], name="fk_candidates_watchlist_id"
        ),
        sa.PrimaryKeyConstraint("candidate_id", name="pk_candidates"),
    )
    op.create_index(
        "ix_candidates_created_at_candidate_id", "candidates", ["created_at", "candidate_id"], unique=False
    )
    op.create_index("ix_candidates_state_expires_at", "candidates", ["state", "expires_at"], unique=False)
    op.create_index("ix_candidates_subject_id", "candidates", ["subject_id"], unique=False)
    op.create_table(
        "disclosures",
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("how", sa.String(length=32), nullable=False),
        sa.Column("disclosed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_disclosures_account_id"),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name="fk_disclosures_candidate_id"
        ),
        sa.PrimaryKeyConstraint("candidate_id", "account_id", name="pk_disclosures"),
    )
    op.create_table(
        "judgements",
        sa.Column("judgement_id", sa.String(length=64), nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_judgements_account_id"),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name="fk_judgements_candidate_id"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["login_sessions.session_id"], name="fk_judgements_session_id"
        ),
        sa.PrimaryKeyConstraint("judgement_id", name="pk_judgements"),
        sa.UniqueConstraint("candidate_id", "account_id", name="uq_judgements_candidate_id_account_id"),
        sa.UniqueConstraint("candidate_id", "session_id", name="uq_judgements_candidate_id_session_id"),
    )
    op.create_index("ix_judgements_account_id", "judgements", ["account_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("outbox_id", sa.String(length=64), nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("schema_name", sa.String(length=64), nullable=False),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.candidate_id"], name="fk_outbox_candidate_id"),
        sa.PrimaryKeyConstraint("outbox_id", name="pk_outbox"),
        sa.UniqueConstraint("candidate_id", name="uq_outbox_candidate_id"),
    )
    op.create_index("ix_outbox_sent_at_created_at", "outbox", ["sent_at", "created_at"], unique=False)
    op.create_table(
        "receipts",
        sa.Column("receipt_id", sa.String(length=64), nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("act_before", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name="fk_receipts_candidate_id"
        ),
        sa.PrimaryKeyConstraint("receipt_id", name="pk_receipts"),
        sa.UniqueConstraint("candidate_id", name="uq_receipts_candidate_id"),
    )
    op.create_table(
        "resolutions",
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("round", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_resolutions_account_id"),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name="fk_resolutions_candidate_id"
        ),
        sa.PrimaryKeyConstraint("candidate_id", "round", name="pk_resolutions"),
    )
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("candidate_id", sa.String(length=64), nullable=False),
        sa.Column("camera_id", sa.String(length=128), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pts_seconds", sa.Double(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("face_xyxy", sa.JSON(), nullable=False),
        sa.Column("face_size_px", sa.Double(), nullable=False),
        sa.Column("frame_accounting", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate_id"], ["candidates.candidate_id"], name="fk_reviews_candidate_id"
        ),
        sa.PrimaryKeyConstraint("review_id", name="pk_reviews"),
        sa.UniqueConstraint("candidate_id", name="uq_reviews_candidate_id"),
    )
    op.create_index("ix_reviews_queued_at_review_id", "reviews", ["queued_at", "review_id"], unique=False)
    op.create_table(
        "presented_evidence",
        sa.Column("evidence_id", sa.String(length=64), nullable=False),
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("reference_id", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["subject_references.reference_id"], name="fk_presented_evidence_reference_id"
        ),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.review_id"], name="fk_presented_evidence_review_id"),
        sa.PrimaryKeyConstraint("evidence_id", name="pk_presented_evidence"),
    )
    op.create_index("ix_presented_evidence_review_id", "presented_evidence", ["review_id"], unique=False)
    op.create_table(
        "review_listings",
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_review_listings_account_id"
        ),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.review_id"], name="fk_review_listings_review_id"),
        sa.PrimaryKeyConstraint("review_id", "account_id", name="pk_review_listings"),
    )


def downgrade() -> None:
    raise RuntimeError("there is nothing before the first tables")
