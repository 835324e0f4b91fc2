"""Enrolment: a folder of references becomes entries of a list, a deployment, and a gallery version.

Perception makes templates and portraits, the records keep them under each subject's own key; the running
service notices the new version and seals it to every worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from pipelines.enrol import PictureReport, enrol_folder, reference_pictures
from pipelines.enrol_check import CheckedEnrolment, ListCheck, ListedReference, check_enrolment
from pipelines.errors import EnrolError
from pipelines.recipes import TemplateRecipe
from pipelines.stages import Engines


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
        false_alerts_per_1000_faces: the list's own wanted rate; None to leave it as it is.
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
    false_alerts_per_1000_faces: float | None = None


@dataclass(frozen=True, slots=True)
class EnrolOptions:
    """How a folder is held against its list.

    Attributes:
        false_alerts_per_1000_faces: the wanted rate of a list without one of its own; the settings' default
            where None.
        accepted: folder names whose pictures somebody looked at and answers for.
    """

    false_alerts_per_1000_faces: float | None = None
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class CheckedList:
    """A folder held against its list, and nothing added yet.

    Attributes:
        watchlist_id: of the list; None where there is none of that name yet.
        checked: accepted references, reports and findings.
        already_listed: ids of folder names that are entries already; their pictures were passed over.
        not_compared: pictures on the list that have no template by this embedder yet.
    """

    watchlist_id: str | None
    checked: CheckedEnrolment
    already_listed: dict[str, str]
    not_compared: int


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
    options: EnrolOptions | None = None,
    *,
    on_picture: Callable[[PictureReport], None] = lambda _: None,
) -> Enrolled:
    """Enrols a folder with one sub-folder per subject, named as the subject is to be called.

    Args:
        services: over the database and key store.
        perception: the models the workers run.
        references: the folder.
        terms: who, where, what for, until when.
        options: None for the defaults.
        on_picture: told of each picture as it is done.

    Raises:
        EnrolError: no such folder, or not one usable picture in it.
        RecordError: terms that break a rule; nothing was added then.
        SealingError: the key store cannot be used.
    """
    checked = check_list(services, perception, references, terms, options, on_picture=on_picture)
    return keep_list(services, perception, checked, terms, options)


def check_list(
    services: Services,
    perception: Perception,
    references: Path,
    terms: ListTerms,
    options: EnrolOptions | None = None,
    *,
    on_picture: Callable[[PictureReport], None] = lambda _: None,
) -> CheckedList:
    """Holds a folder against its list; adds nothing. Arguments and errors as `enrol_list`."""
    options = options or EnrolOptions()
    services.records.check_terms(_deployment_terms("new", terms), _entry_terms(terms))
    services.records.deployment_of_list(terms.deployment_id, terms.watchlist)
    watchlist_id = services.records.find_watchlist(terms.watchlist)
    names = services.records.names(watchlist_id) if watchlist_id else {}
    shown = dict.fromkeys(name for name, _ in reference_pictures(references))
    already = {name: names[name] for name in shown if name in names}
    found = enrol_folder(references, enrolment_engines(perception), on_picture, pass_over=already)
    recipe = TemplateRecipe.of(perception.models, perception.preprocessing)
    listed = listed_references(services, watchlist_id, recipe) if watchlist_id else []
    own_rate = services.records.wanted_rate(watchlist_id) if watchlist_id else None
    rate = terms.false_alerts_per_1000_faces or own_rate or _default_rate(options)
    against = ListCheck(perception.calibration, rate, listed, options.accepted)
    lacking = services.references.lacking(watchlist_id, recipe.sha256) if watchlist_id else []
    return CheckedList(watchlist_id, check_enrolment(found, against), already, len(lacking))


def keep_list(
    services: Services,
    perception: Perception,
    checked: CheckedList,
    terms: ListTerms,
    options: EnrolOptions | None = None,
) -> Enrolled:
    """Adds what the check left, one transaction per entry: an interrupted run is ended by running it again.

    Raises:
        EnrolError: nothing was left, and nobody of the folder is on the list.
        RecordError, SealingError: as `enrol_list`.
    """
    options = options or EnrolOptions()
    found = checked.checked.enrolment
    if not found.references and not checked.already_listed:
        raise EnrolError("not one picture in it could be used; nothing was enrolled")
    deployment = services.records.deployment_of_list(terms.deployment_id, terms.watchlist)
    watchlist_id = services.records.ensure_watchlist(terms.watchlist, terms.purpose)
    if terms.false_alerts_per_1000_faces is not None:
        services.records.want_rate(watchlist_id, terms.false_alerts_per_1000_faces)
    recipe = TemplateRecipe.of(perception.models, perception.preprocessing)
    subject_ids = dict(checked.already_listed)
    for name, pictures in groupby(found.references, key=lambda reference: reference.subject_id):
        inputs = [ReferenceInput(picture.portrait_jpeg, picture.embedding, recipe) for picture in pictures]
        subject_ids[name] = services.records.add_subject(watchlist_id, name, inputs, _entry_terms(terms))
    if deployment is None:
        services.records.add_deployment(_deployment_terms(watchlist_id, terms))
    rate = _default_rate(options)
    model = GalleryModel(recipe.embedder_id, recipe.embedder_sha256, recipe.preprocessing, rate)
    version = services.galleries.begin(terms.deployment_id, model)
    return Enrolled(
        watchlist_id,
        terms.deployment_id,
        version,
        subject_ids,
        tuple(checked.already_listed),
        found.refused,
        found.missing,
    )


def listed_references(services: Services, watchlist_id: str, recipe: TemplateRecipe) -> list[ListedReference]:
    """Who is on a list already, as new references are held against them."""
    names = {subject_id: name for name, subject_id in services.records.names(watchlist_id).items()}
    return [
        ListedReference(
            names[one.reference.subject_id],
            f"{names[one.reference.subject_id]}, picture {one.reference.number} on the list",
            one.template,
            one.reference.portrait,
        )
        for one in services.references.templates(watchlist_id, recipe.sha256)
    ]


def enrolment_engines(perception: Perception) -> Engines:
    """The models for photographs: a session's face detector looks for faces as a camera shows them."""
    return replace(perception.engines(), face_detector=perception.face_detector)


def _default_rate(options: EnrolOptions) -> float:
    return options.false_alerts_per_1000_faces or IdentificationConfig().false_alerts_per_1000_faces


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
