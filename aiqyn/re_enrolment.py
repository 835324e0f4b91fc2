"""A change of embedder: new templates from the stored pictures, then new galleries from the new templates.

Templates of both embedders lie side by side until every deployment of the list is searched with the new ones (see
`api.template_watch`), so that workers change over when they do. It goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from aiqyn.enrolment import enrolment_engines
from api.references import ListName, StoredReference
from api.services import Services
from pipelines.build import Perception
from pipelines.enrol import enrol_portrait
from pipelines.errors import EnrolError
from pipelines.recipes import TemplateRecipe
from pipelines.stages import Engines
from vision.errors import VisionError
from vision.images import decode_image
from vision.types import Float32


@dataclass(frozen=True, slots=True)
class RefreshedList:
    """What became of one list.

    Attributes:
        watchlist_id: of the list.
        name: of the list.
        made: templates made now.
        failed: a line for each picture no template could be made of.
        gallery_versions: by deployment, made by the embedder in use; none where every picture failed.
    """

    watchlist_id: str
    name: str
    made: int
    failed: tuple[str, ...]
    gallery_versions: dict[str, int]


def pictures_to_refresh(services: Services, perception: Perception) -> int:
    """How many stored pictures have no template by the embedder in use, over all lists."""
    recipe = _recipe(perception)
    return sum(
        len(services.references.lacking(one.watchlist_id, recipe.sha256))
        for one in services.references.lists()
    )


def refresh_lists(
    services: Services,
    perception: Perception,
    *,
    on_picture: Callable[[str], None] = lambda _: None,
) -> list[RefreshedList]:
    """Re-enrols every list from its stored pictures, for the embedder in use.

    Args:
        services: over the database and key store.
        perception: the models the workers run from now on.
        on_picture: told the list's name after each picture.

    Raises:
        SealingError: an entry's key is gone.
    """
    return [refresh_list(services, perception, one, on_picture) for one in services.references.lists()]


def refresh_list(
    services: Services,
    perception: Perception,
    watchlist: ListName,
    on_picture: Callable[[str], None] = lambda _: None,
) -> RefreshedList:
    """Re-enrols one list; arguments and errors as `refresh_lists`."""
    recipe, engines = _recipe(perception), enrolment_engines(perception)
    waiting = services.references.lacking(watchlist.watchlist_id, recipe.sha256)
    names = {subject_id: name for name, subject_id in services.records.names(watchlist.watchlist_id).items()}
    failed: list[str] = []
    made = 0
    for subject_id, pictures in groupby(waiting, key=lambda one: one.subject_id):
        templates: dict[str, Float32] = {}
        for picture in pictures:
            try:
                templates[picture.reference_id] = _template(picture, engines)
            except (EnrolError, VisionError) as error:
                failed.append(f"{names[subject_id]}, picture {picture.number}: {error}")
            on_picture(watchlist.name)
        if templates:
            services.references.add_templates(subject_id, recipe, templates)
        made += len(templates)
    versions = _switched(services, watchlist.deployment_ids, watchlist.watchlist_id, recipe)
    return RefreshedList(watchlist.watchlist_id, watchlist.name, made, tuple(failed), versions)


def _template(picture: StoredReference, engines: Engines) -> Float32:
    return enrol_portrait(decode_image(picture.portrait(), name="the stored picture"), engines)


def _switched(
    services: Services, deployment_ids: Sequence[str], watchlist_id: str, recipe: TemplateRecipe
) -> dict[str, int]:
    """Versions by deployment; a list none of whose pictures gave a template keeps its old gallery."""
    if not services.records.gallery_subjects(watchlist_id, recipe.sha256):
        return {}
    versions = {one: services.galleries.switch(one, recipe) for one in deployment_ids}
    return {one: version for one, version in versions.items() if version is not None}


def _recipe(perception: Perception) -> TemplateRecipe:
    return TemplateRecipe.of(perception.models, perception.preprocessing)
