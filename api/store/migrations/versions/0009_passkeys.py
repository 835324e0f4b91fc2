"""Passkeys, the browser of a login, and judgements that prove themselves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels = None
depends_on = None

ONE_MEANS = """
    SELECT 1 FROM judgements a
    JOIN judgements b ON b.candidate_id = a.candidate_id AND b.round = a.round AND b.account_id <> a.account_id
    JOIN candidates c ON c.candidate_id = a.candidate_id AND c.round = a.round
    WHERE a.candidate_id = NEW.candidate_id AND a.answer = 'same_person' AND b.answer = 'same_person'
    AND (a.session_id = b.session_id OR a.authenticator = b.authenticator OR a.device_id = b.device_id)
"""
PROVED = """
    SELECT 1 FROM passkeys p
    JOIN login_sessions s ON s.session_id = NEW.session_id AND s.account_id = p.account_id
    WHERE p.passkey_id = NEW.authenticator AND p.account_id = NEW.account_id AND p.revoked_at IS NULL
    AND s.device_id = NEW.device_id AND NEW.statement IS NOT NULL AND NEW.statement_sha256 IS NOT NULL
    AND NEW.assertion IS NOT NULL
"""
TOGETHER = "a confirmed match needs two people with a passkey, a browser and a login each"
UNPROVED = "a judgement needs an assertion of its judge own passkey, in the browser of her login"
KEPT = "the key of a passkey is never changed, and a revoked one stays so"
KEY_COLUMNS = "passkey_id, account_id, credential_id, public_key, rp_id, created_at"


def upgrade() -> None:
    op.create_table(
        "passkeys",
        sa.Column("passkey_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("rp_id", sa.String(255), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("aaguid", sa.String(36), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.account_id"], name="fk_passkeys_account_id"),
        sa.PrimaryKeyConstraint("passkey_id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    )
    op.create_index("ix_passkeys_account_id", "passkeys", ["account_id"])
    op.create_table(
        "webauthn_challenges",
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("review_id", sa.String(64), nullable=True),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.account_id"], name="fk_webauthn_challenges_account_id"
        ),
        sa.PrimaryKeyConstraint("challenge", name="pk_webauthn_challenges"),
    )
    op.create_index("ix_webauthn_challenges_account_id", "webauthn_challenges", ["account_id"])
    op.add_column("login_sessions", sa.Column("device_id", sa.String(64), nullable=True))
    _prove_judgements()


def _prove_judgements() -> None:
    """Columns that older judgements leave empty, and which no new one may."""
    op.add_column("judgements", sa.Column("authenticator", sa.String(64), nullable=True))
    op.add_column("judgements", sa.Column("device_id", sa.String(64), nullable=True))
    op.add_column("judgements", sa.Column("statement", sa.Text(), nullable=True))
    op.add_column("judgements", sa.Column("statement_sha256", sa.String(64), nullable=True))
    op.add_column("judgements", sa.Column("assertion", sa.JSON(none_as_null=True), nullable=True))
    for means in ("authenticator", "device_id"):
        columns = ["candidate_id", means]
        op.create_index(f"uq_judgements_candidate_id_{means}", "judgements", columns, unique=True)
    op.create_index("uq_judgements_statement_sha256", "judgements", ["statement_sha256"], unique=True)
    for statement in _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite():
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("what proves judgements is not taken away")


def _sqlite() -> list[str]:
    made = [
        f"CREATE TRIGGER judgements_need_proof BEFORE INSERT ON judgements WHEN NOT EXISTS ({PROVED}) "
        f"BEGIN SELECT RAISE(ABORT, '{UNPROVED}'); END",
        f"CREATE TRIGGER passkeys_refuse_delete BEFORE DELETE ON passkeys BEGIN SELECT RAISE(ABORT, '{KEPT}'); END",
        f"CREATE TRIGGER passkeys_keep_their_key BEFORE UPDATE OF {KEY_COLUMNS} ON passkeys "
        f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END",
        "CREATE TRIGGER passkeys_stay_revoked BEFORE UPDATE OF revoked_at ON passkeys "
        f"WHEN OLD.revoked_at IS NOT NULL BEGIN SELECT RAISE(ABORT, '{KEPT}'); END",
    ]
    for table in ("outbox", "receipts"):
        made.append(
            f"CREATE TRIGGER {table}_needs_two_means BEFORE INSERT ON {table} WHEN EXISTS ({ONE_MEANS}) "
            f"BEGIN SELECT RAISE(ABORT, '{TOGETHER}'); END"
        )
    return made


def _postgresql() -> list[str]:
    made = [
        _function("aiqyn_needs_proof", f"NOT EXISTS ({PROVED})", UNPROVED),
        _function("aiqyn_needs_two_means", f"EXISTS ({ONE_MEANS})", TOGETHER),
        _function("aiqyn_keeps_passkey", "TRUE", KEPT),
        _row_trigger("judgements_need_proof", "INSERT ON judgements", "aiqyn_needs_proof"),
        _row_trigger("passkeys_refuse_delete", "DELETE ON passkeys", "aiqyn_keeps_passkey"),
        _row_trigger(
            "passkeys_keep_their_key", f"UPDATE OF {KEY_COLUMNS} ON passkeys", "aiqyn_keeps_passkey"
        ),
        "CREATE TRIGGER passkeys_stay_revoked BEFORE UPDATE OF revoked_at ON passkeys FOR EACH ROW "
        "WHEN (OLD.revoked_at IS NOT NULL) EXECUTE FUNCTION aiqyn_keeps_passkey()",
        "CREATE TRIGGER passkeys_refuse_truncate BEFORE TRUNCATE ON passkeys "
        "FOR EACH STATEMENT EXECUTE FUNCTION aiqyn_keeps_passkey()",
    ]
    for table in ("outbox", "receipts"):
        made.append(_row_trigger(f"{table}_needs_two_means", f"INSERT ON {table}", "aiqyn_needs_two_means"))
    return made


def _function(name: str, refused_when: str, message: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {refused_when} THEN RAISE EXCEPTION '{message}'; END IF; RETURN NEW; END $$"
    )


def _row_trigger(name: str, when: str, function: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {when} FOR EACH ROW EXECUTE FUNCTION {function}()"
