"""Enrolment: a folder of references becomes entries of a list, a deployment, and a gallery version.

Perception makes templates and portraits, the records keep them under each subject's own key; the running
service notices the new version and seals it to every worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from api.galleries import GalleryModel
from api.records import ReferenceInput
from api.review.deployments import DeploymentTerms
from api.review.watchlists import EntryTerms
from api.services import Services
from pipelines.build import Perception
from pipelines.config import IdentificationConfig
from pipelines.enrol import Enrolment, PictureReport, enrol_folder
from pipelines.errors import EnrolError
from pipelines.recipes import TemplateRecipe


@dataclass(frozen=True, slots=True)
class ListTerms:
    """Who is to be looked for where, for what, until when, and on whose word.

    Attributes:
        watchlist: name of the list; made where there is none of that name.
        purpose: what for.
        deployment_id: made where there is none of that id.
        cameras: where the list is searched.
        active_from: when the search begins; aware.
        active_until: when search and entries end; aware.
        requested_by: login name or office of the person who asked.
        authorised_by: of the person who allowed it; somebody else.
        legal_basis: the provision it rests on.
        case_reference: the file it belongs to.
        image_source: where the pictures come from.
    """

    watchlist: str
    purpose: str
    deployment_id: str
    cameras: frozenset[str]
    active_from: datetime
    active_until: datetime
    requested_by: str
    authorised_by: str
    legal_basis: str
    case_reference: str
    image_source: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of it.

    Attributes:
        watchlist_id: of the list.
        deployment_id: of the deployment.
        gallery_version: of the deployment, with these entries.
        subject_ids: by folder name; entries that were there before included.
        already_listed: folder names that were entries before, left as they were.
        refused: pictures that could not be used.
        missing: folder names none of whose pictures could be used.
    """

    watchlist_id: str
    deployment_id: str
    gallery_version: int
    subject_ids: dict[str, str]
    already_listed: tuple[str, ...]
    refused: tuple[PictureReport, ...]
    missing: tuple[str, ...]


def enrol_list(
    services: Services,
    perception: Perception,
    references: Path,
    terms: ListTerms,
    *,
    false_alerts_per_1000_faces: float | None = None,
    on_picture: Callable[[PictureReport], None] = lambda _: None,
) -> Enrolled:
    """Enrols a folder with one sub-folder per subject, named as the subject is to be called.

    Args:
        services: over the database and key store.
        perception: the models the workers run.
        references: the folder.
        terms: who, where, what for, until when.
        false_alerts_per_1000_faces: the wanted rate; the settings' default where None.
        on_picture: told of each picture as it is done.

    Raises:
        EnrolError: no such folder, or not one usable picture in it.
        RecordError: terms that break a rule; nothing was added then.
        SealingError: the key store cannot be used.
    """
    deployment = _deployment(services, terms)
    found = enrol_folder(references, perception.engines(), on_picture)
    if not found.references:
        raise EnrolError(f"{references}: not one picture in it could be used")
    watchlist_id = services.records.ensure_watchlist(terms.watchlist, terms.purpose)
    recipe = TemplateRecipe.of(perception.models, perception.preprocessing)
    known = services.records.names(watchlist_id)
    subject_ids, already = _add_entries(services, watchlist_id, found, terms, recipe, known)
    if deployment is None:
        services.records.add_deployment(_deployment_terms(watchlist_id, terms))
    rate = false_alerts_per_1000_faces or IdentificationConfig().false_alerts_per_1000_faces
    model = GalleryModel(recipe.embedder_id, recipe.embedder_sha256, perception.preprocessing, rate)
    version = services.galleries.begin(terms.deployment_id, model)
    return Enrolled(
        watchlist_id, terms.deployment_id, version, subject_ids, already, found.refused, found.missing
    )


def _deployment(services: Services, terms: ListTerms) -> DeploymentTerms | None:
    """The deployment where there is one; refused where it is another list's."""
    services.records.check_terms(_deployment_terms("new", terms), _entry_terms(terms))
    return services.records.deployment_of_list(terms.deployment_id, terms.watchlist)


def _add_entries(
    services: Services,
    watchlist_id: str,
    found: Enrolment,
    terms: ListTerms,
    recipe: TemplateRecipe,
    known: dict[str, str],
) -> tuple[dict[str, str], tuple[str, ...]]:
    subject_ids: dict[str, str] = {}
    already: list[str] = []
    for name, pictures in groupby(found.references, key=lambda reference: reference.subject_id):
        if name in known:
            subject_ids[name] = known[name]
            already.append(name)
            continue
        inputs = [ReferenceInput(picture.portrait_jpeg, picture.embedding, recipe) for picture in pictures]
        subject_ids[name] = services.records.add_subject(watchlist_id, name, inputs, _entry_terms(terms))
    return subject_ids, tuple(already)


def _entry_terms(terms: ListTerms) -> EntryTerms:
    return EntryTerms(
        requested_by=terms.requested_by,
        authorised_by=terms.authorised_by,
        legal_basis=terms.legal_basis,
        case_reference=terms.case_reference,
        image_source=terms.image_source,
        expires_at=terms.active_until,
    )


def _deployment_terms(watchlist_id: str, terms: ListTerms) -> DeploymentTerms:
    return DeploymentTerms(
        deployment_id=terms.deployment_id,
        watchlist_id=watchlist_id,
        camera_ids=terms.cameras,
        purpose=terms.purpose,
        requested_by=terms.requested_by,
        authorised_by=terms.authorised_by,
        starts_at=terms.active_from,
        ends_at=terms.active_until,
    )
