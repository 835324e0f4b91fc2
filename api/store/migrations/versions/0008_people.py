"""Accounts approved by a second person, rights by list and camera, logins that are refreshed, counted failures"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _people()
    _rights()
    _logins()
    _keep_what_is_there()


def downgrade() -> None:
    raise RuntimeError("who approved whom is not thrown away")


def _people() -> None:
    op.create_table(
        "installation",
        sa.Column("installation_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("installation_id", name="pk_installation"),
    )
    for column in (sa.Column("person_sha256", sa.String(64)), sa.Column("oidc_subject", sa.String(255))):
        op.add_column("accounts", column)
        op.create_index(f"ix_accounts_{column.name}", "accounts", [column.name], unique=True)
    op.create_table(
        "account_requests",
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "decided_by IS NULL OR (decided_by <> requested_by AND decided_by <> account_id)",
            name="ck_account_requests_second_person",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_account_requests_account_id"
        ),
        sa.PrimaryKeyConstraint("request_id", name="pk_account_requests"),
    )
    op.create_index("ix_account_requests_account_id", "account_requests", ["account_id"])


def _rights() -> None:
    op.create_table(
        "camera_groups",
        sa.Column("camera_group_id", sa.String(64), nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["changed_by"], ["accounts.account_id"], name="fk_camera_groups_changed_by"),
        sa.PrimaryKeyConstraint("camera_group_id", name="pk_camera_groups"),
    )
    op.create_table(
        "camera_group_members",
        sa.Column("camera_group_id", sa.String(64), nullable=False),
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_group_id"],
            ["camera_groups.camera_group_id"],
            name="fk_camera_group_members_camera_group_id",
        ),
        sa.PrimaryKeyConstraint("camera_group_id", "camera_id", name="pk_camera_group_members"),
    )
    op.create_table(
        "grants",
        sa.Column("grant_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("watchlist_id", sa.String(128), nullable=True),
        sa.Column("camera_group_id", sa.String(64), nullable=True),
        sa.Column("granted_by", sa.String(64), nullable=False),
        sa.Column("granted_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_grants_account_id"),
        sa.ForeignKeyConstraint(["watchlist_id"], ["watchlists.watchlist_id"], name="fk_grants_watchlist_id"),
        sa.ForeignKeyConstraint(
            ["camera_group_id"], ["camera_groups.camera_group_id"], name="fk_grants_camera_group_id"
        ),
        sa.PrimaryKeyConstraint("grant_id", name="pk_grants"),
    )
    op.create_index("ix_grants_account_id", "grants", ["account_id"])


def _logins() -> None:
    for column in (
        sa.Column("ends_at", TIME, nullable=False, server_default="1970-01-01 00:00:00+00"),
        sa.Column("how", sa.String(16), nullable=False, server_default="password"),
    ):
        op.add_column("login_sessions", column)
    op.create_table(
        "refresh_tokens",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["login_sessions.session_id"], name="fk_refresh_tokens_session_id"
        ),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_refresh_tokens"),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"])
    op.create_table(
        "login_counts",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key_sha256", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("wait_until", TIME, nullable=True),
        sa.PrimaryKeyConstraint("kind", "key_sha256", name="pk_login_counts"),
    )
    op.create_index("ix_login_counts_last_at", "login_counts", ["last_at"])
    op.create_table(
        "oidc_flows",
        sa.Column("state_sha256", sa.String(64), nullable=False),
        sa.Column("binding_sha256", sa.String(64), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("verifier", sa.String(128), nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("state_sha256", name="pk_oidc_flows"),
    )


def _keep_what_is_there() -> None:
    """Accounts keep what they could do. Their logins end: a token good for twelve hours is no longer given."""
    op.execute(
        "INSERT INTO grants (grant_id, account_id, granted_by, granted_at) "
        "SELECT 'grant_' || account_id, account_id, 'migration', created_at FROM accounts"
    )
    op.execute(
        "UPDATE login_sessions SET ends_at = expires_at, revoked_at = COALESCE(revoked_at, created_at)"
    )
