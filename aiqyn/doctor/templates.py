"""Whether the galleries in force are of the embedder the settings name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from aiqyn.doctor.report import Check, fail, ok, warn
from pipelines.config import Config
from pipelines.errors import PipelineError
from pipelines.recipes import TemplateRecipe
from weights.catalog import Catalog
from weights.errors import WeightsError
from weights.store import WeightStore

NAME = "templates"


def check_templates(config: Config, catalog: Catalog) -> Check:
    """Whether a worker with these settings could search every deployment in force."""
    from sqlalchemy.exc import SQLAlchemyError

    from pipelines.build import embedder_in_use

    if _is_absent(config.database_address()):
        return ok(NAME, "nobody is enrolled yet")
    try:
        store = WeightStore(config.paths.weights_dir, catalog)
        used = embedder_in_use(store, config.models.embedder)
        others = _of_other_recipes(config, TemplateRecipe(used.id, used.sha256, used.preprocessing))
    except (PipelineError, WeightsError) as error:
        return warn(NAME, str(error), "mend models.embedder in the settings")
    except SQLAlchemyError as error:
        fix = "start `aiqyn serve` once, which brings the schema up to date, or mend api.database_url"
        return warn(NAME, f"the database cannot be read ({type(error).__name__})", fix)
    if not others:
        return ok(NAME, "every deployment is of the embedder in use")
    return fail(
        NAME,
        "; ".join(
            f"deployment {deployment_id}: templates are of embedder {recipe}, worker uses {used.id}"
            for deployment_id, recipe in others
        ),
        "aiqyn enrol --refresh",
    )


def _is_absent(url: str) -> bool:
    from sqlalchemy import make_url

    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file()


def _of_other_recipes(config: Config, used: TemplateRecipe) -> list[tuple[str, TemplateRecipe]]:
    """Deployments in force whose newest gallery a worker with this embedder would refuse."""
    from api.galleries import model_of
    from api.store.engine import Database, open_engine
    from api.store.lists import ListRepository

    database = Database(open_engine(config.database_address()))
    try:
        with database.read() as session:
            lists = ListRepository(session)
            found = [
                (one.deployment_id, lists.newest_gallery(one.deployment_id))
                for one in lists.active_deployments(datetime.now(UTC))
            ]
            recipes = [(name, model_of(version).recipe) for name, version in found if version is not None]
    finally:
        database.close()
    return [(name, recipe) for name, recipe in recipes if not recipe.fits(used)]
