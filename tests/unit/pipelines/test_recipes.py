"""`pipelines.recipes`: which templates may be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.events import ModelRef
from pipelines.recipes import TemplateRecipe

RECIPE = TemplateRecipe("m", "a" * 64, "embedder:bgr/112x112")


def test_only_the_embedders_part_counts() -> None:
    models = (
        ModelRef(role="face_detector", id="f", sha256="b" * 64),
        ModelRef(role="embedder", id="m", sha256="a" * 64),
    )
    assert TemplateRecipe.of(models, "face_detector:x embedder:bgr/112x112") == RECIPE
    assert TemplateRecipe.of(models, "face_detector:y").preprocessing == ""


@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, embedder_id="n"),
        replace(RECIPE, embedder_sha256="b" * 64),
        replace(RECIPE, preprocessing="embedder:bgr/112x112+mirrored"),
    ],
)
def test_another_model_file_or_preparation_does_not_fit(other: TemplateRecipe) -> None:
    assert not RECIPE.fits(other)
    assert not other.fits(RECIPE)
    assert RECIPE.sha256 != other.sha256


def test_a_preparation_that_was_not_said_is_taken_on_trust() -> None:
    assert RECIPE.fits(replace(RECIPE, preprocessing=""))


def test_the_migration_names_recipes_alike() -> None:
    from importlib import import_module

    migration = import_module("api.store.migrations.versions.0003_templates_by_recipe")
    named = migration._recipe_sha256(RECIPE.embedder_id, RECIPE.embedder_sha256, RECIPE.preprocessing)
    assert named == RECIPE.sha256
