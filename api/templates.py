"""A template as it is stored: sealed under its subject's key, with what it was made with."""

from __future__ import annotations

from datetime import datetime

from api.store.models import ReferenceTemplate
from api.vault import SubjectVault
from pipelines.recipes import TemplateRecipe
from vision.types import Float32


def template_row(
    vault: SubjectVault, of: tuple[str, str], template: Float32, recipe: TemplateRecipe, now: datetime
) -> ReferenceTemplate:
    """A template as it is stored.

    Args:
        vault: seals it under the subject's key.
        of: subject and reference.
        template: (D,) float32, unit length.
        recipe: what it was made with.
        now: aware.
    """
    subject_id, reference_id = of
    return ReferenceTemplate(
        reference_id=reference_id,
        recipe_sha256=recipe.sha256,
        embedder_id=recipe.embedder_id,
        embedder_sha256=recipe.embedder_sha256,
        preprocessing=recipe.preprocessing,
        template_sealed=vault.seal_template(subject_id, reference_id, template),
        created_at=now,
    )
