"""Templates beside the pictures they were made of, so that a change of embedder can be prepared while the old ones
are still in use"""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels = None
depends_on = None

OLD_COLUMNS = ("template_sealed", "embedder_id", "embedder_sha256")

# The preprocessing was kept with the gallery versions alone; the newest of the list with that model tells it.
KEPT = """
    SELECT r.reference_id, r.template_sealed, r.embedder_id, r.embedder_sha256, r.created_at,
        (SELECT v.preprocessing FROM gallery_versions v
         JOIN deployments d ON d.deployment_id = v.deployment_id
         WHERE d.watchlist_id = s.watchlist_id AND v.embedder_sha256 = r.embedder_sha256
         ORDER BY v.created_at DESC LIMIT 1) AS preprocessing
    FROM subject_references r JOIN subjects s ON s.subject_id = r.subject_id
"""


def upgrade() -> None:
    op.create_table(
        "reference_templates",
        sa.Column("reference_id", sa.String(length=64), nullable=False),
        sa.Column("recipe_sha256", sa.String(length=64), nullable=False),
        sa.Column("embedder_id", sa.String(length=128), nullable=False),
        sa.Column("embedder_sha256", sa.String(length=64), nullable=False),
        sa.Column("preprocessing", sa.Text(), nullable=False),
        sa.Column("template_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reference_id"],
            ["subject_references.reference_id"],
            name="fk_reference_templates_reference_id",
        ),
        sa.PrimaryKeyConstraint("reference_id", "recipe_sha256", name="pk_reference_templates"),
    )
    _move_templates()
    for column in OLD_COLUMNS:
        op.drop_column("subject_references", column)


def downgrade() -> None:
    raise RuntimeError("templates of two recipes do not fit into one column again")


def _move_templates() -> None:
    connection = op.get_bind()
    insert = sa.text(
        "INSERT INTO reference_templates (reference_id, recipe_sha256, embedder_id, embedder_sha256, "
        "preprocessing, template_sealed, created_at) VALUES (:reference_id, :recipe_sha256, :embedder_id, "
        ":embedder_sha256, :preprocessing, :template_sealed, :created_at)"
    )
    for row in connection.execute(sa.text(KEPT)).mappings().all():
        parts = (row["preprocessing"] or "").split()
        preprocessing = next((part for part in parts if part.startswith("embedder:")), "")
        recipe = _recipe_sha256(row["embedder_id"], row["embedder_sha256"], preprocessing)
        connection.execute(insert, {**row, "preprocessing": preprocessing, "recipe_sha256": recipe})


def _recipe_sha256(embedder_id: str, embedder_sha256: str, preprocessing: str) -> str:
    """As `pipelines.recipes.TemplateRecipe.sha256` was when this was written; a migration never changes."""
    document = {"recipe": [embedder_id, embedder_sha256, preprocessing]}
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()
