"""Watchlists, subjects, deployments and gallery versions as records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from api.review.deployments import DeploymentTerms
from api.review.scopes import Scope
from api.store.models import (
    Deployment,
    DeploymentCamera,
    GalleryVersion,
    ReferenceTemplate,
    Subject,
    SubjectReference,
    Watchlist,
)
from api.store.rights import list_within, within


def person_key(person: str) -> str:
    """A person's name as it is compared: without case and surrounding blanks."""
    return person.strip().casefold()


class ListRepository:
    """Finds and keeps who is looked for, and where."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *rows: Watchlist | Subject | SubjectReference | ReferenceTemplate | GalleryVersion) -> None:
        """Keeps new rows."""
        self._session.add_all(rows)
        self._session.flush()

    def watchlist(self, watchlist_id: str) -> Watchlist | None:
        """A list by its id."""
        return self._session.get(Watchlist, watchlist_id)

    def watchlist_named(self, name: str) -> Watchlist | None:
        """A list by its name."""
        return self._session.scalars(select(Watchlist).where(Watchlist.name == name)).one_or_none()

    def subject(self, subject_id: str) -> Subject | None:
        """An entry by its id."""
        return self._session.get(Subject, subject_id)

    def is_listed(self, subject_id: str, at: datetime) -> bool:
        """Whether an entry is searched at a time: neither removed nor over, nor a minor where none is allowed."""
        found = self._session.scalars(
            select(Subject.subject_id).where(Subject.subject_id == subject_id, *_searched_at(at))
        )
        return found.one_or_none() is not None

    def listed_count(self, watchlist_id: str, at: datetime) -> int:
        """How many entries of a list are in force at a time."""
        query = select(func.count()).select_from(Subject).where(*_in_force(watchlist_id, at))
        return self._session.scalar(query) or 0

    def entries(self, watchlist_id: str, after: str | None, limit: int) -> Sequence[Subject]:
        """Entries of a list, those that ended included, in the order of their ids."""
        query = select(Subject).where(Subject.watchlist_id == watchlist_id).order_by(Subject.subject_id)
        if after is not None:
            query = query.where(Subject.subject_id > after)
        return self._session.scalars(query.limit(limit)).all()

    def listed(self, watchlist_id: str, at: datetime) -> Sequence[Subject]:
        """Entries of a list in force at a time, in the order of their ids."""
        return self._session.scalars(
            select(Subject)
            .where(
                Subject.watchlist_id == watchlist_id, Subject.removed_at.is_(None), Subject.expires_at > at
            )
            .order_by(Subject.subject_id)
        ).all()

    def references(self, subject_id: str) -> Sequence[SubjectReference]:
        """The pictures of an entry, in order."""
        return self._session.scalars(
            select(SubjectReference)
            .where(SubjectReference.subject_id == subject_id)
            .order_by(SubjectReference.position)
        ).all()

    def reference_sizes(self, subject_id: str) -> Sequence[tuple[str, int, int]]:
        """Id, width and height of the pictures of an entry, in order, without the pictures themselves."""
        found = self._session.execute(
            select(
                SubjectReference.reference_id,
                SubjectReference.portrait_width,
                SubjectReference.portrait_height,
            )
            .where(SubjectReference.subject_id == subject_id)
            .order_by(SubjectReference.position)
        )
        return [(reference_id, width, height) for reference_id, width, height in found]

    def reference(self, reference_id: str) -> SubjectReference | None:
        """One picture by its id."""
        return self._session.get(SubjectReference, reference_id)

    def add_deployment(self, terms: DeploymentTerms, now: datetime, request_id: str | None = None) -> None:
        """Keeps a new deployment and its cameras.

        Args:
            request_id: of the approved request it comes from; None at the console.
        """
        self._session.add(
            Deployment(
                deployment_id=terms.deployment_id,
                watchlist_id=terms.watchlist_id,
                purpose=terms.purpose,
                requested_by=terms.requested_by,
                requested_by_key=person_key(terms.requested_by),
                authorised_by=terms.authorised_by,
                authorised_by_key=person_key(terms.authorised_by),
                starts_at=terms.starts_at,
                ends_at=terms.ends_at,
                created_at=now,
                place=terms.place,
                request_id=request_id,
            )
        )
        self._session.flush()
        self._session.add_all(
            DeploymentCamera(deployment_id=terms.deployment_id, camera_id=camera_id)
            for camera_id in sorted(terms.camera_ids)
        )
        self._session.flush()

    def deployment(self, deployment_id: str) -> DeploymentTerms | None:
        """A deployment and its cameras by its id."""
        row = self._session.get(Deployment, deployment_id)
        return None if row is None else self.terms(row)

    def deployment_row(self, deployment_id: str) -> Deployment | None:
        """A deployment with who ended it and why."""
        return self._session.get(Deployment, deployment_id)

    def deployments(self, scope: Scope, after: str | None, limit: int) -> Sequence[Deployment]:
        """Deployments, ended ones too, whose list is within these rights on all their cameras; by their ids."""
        beyond = select(DeploymentCamera.camera_id).where(
            DeploymentCamera.deployment_id == Deployment.deployment_id,
            ~within(scope, Deployment.watchlist_id, DeploymentCamera.camera_id),
        )
        query = select(Deployment).where(~beyond.exists()).order_by(Deployment.deployment_id)
        if after is not None:
            query = query.where(Deployment.deployment_id > after)
        return self._session.scalars(query.limit(limit)).all()

    def active_deployments(self, at: datetime) -> list[DeploymentTerms]:
        """Deployments that have not ended, those that begin later included, in the order of their ids."""
        query = select(Deployment).where(Deployment.ends_at > at).order_by(Deployment.deployment_id)
        return [self.terms(row) for row in self._session.scalars(query)]

    def newest_gallery(self, deployment_id: str) -> GalleryVersion | None:
        """The newest gallery version of a deployment."""
        return self._session.scalars(
            select(GalleryVersion)
            .where(GalleryVersion.deployment_id == deployment_id)
            .order_by(GalleryVersion.version.desc())
            .limit(1)
        ).one_or_none()

    def listed_references(self, watchlist_id: str, at: datetime) -> Sequence[SubjectReference]:
        """Pictures of the entries in force, by entry and position."""
        return self._session.scalars(
            select(SubjectReference)
            .join(Subject, Subject.subject_id == SubjectReference.subject_id)
            .where(*_in_force(watchlist_id, at))
            .order_by(SubjectReference.subject_id, SubjectReference.position)
        ).all()

    def ended_with_gallery(self, at: datetime) -> Sequence[str]:
        """Deployments that are over and had a gallery, in the order of their ids."""
        has_gallery = select(GalleryVersion.deployment_id).where(
            GalleryVersion.deployment_id == Deployment.deployment_id
        )
        return self._session.scalars(
            select(Deployment.deployment_id)
            .where(Deployment.ends_at <= at, has_gallery.exists())
            .order_by(Deployment.deployment_id)
        ).all()

    def searched_template_ids(self, watchlist_id: str, recipe_sha256: str, at: datetime) -> Sequence[str]:
        """Of which pictures `searched_templates` has templates, in its order; reads none of them."""
        return self._session.scalars(
            select(SubjectReference.reference_id)
            .join(Subject, Subject.subject_id == SubjectReference.subject_id)
            .join(ReferenceTemplate, ReferenceTemplate.reference_id == SubjectReference.reference_id)
            .where(
                Subject.watchlist_id == watchlist_id,
                *_searched_at(at),
                ReferenceTemplate.recipe_sha256 == recipe_sha256,
            )
            .order_by(SubjectReference.subject_id, SubjectReference.position)
        ).all()

    def newest_recipe(self, watchlist_id: str, at: datetime) -> ReferenceTemplate | None:
        """The newest template of what is searched: what a first gallery is made with."""
        return self._session.scalars(
            select(ReferenceTemplate)
            .join(SubjectReference, SubjectReference.reference_id == ReferenceTemplate.reference_id)
            .join(Subject, Subject.subject_id == SubjectReference.subject_id)
            .where(Subject.watchlist_id == watchlist_id, *_searched_at(at))
            .order_by(ReferenceTemplate.created_at.desc(), ReferenceTemplate.reference_id)
            .limit(1)
        ).one_or_none()

    def searched_templates(
        self, watchlist_id: str, recipe_sha256: str, at: datetime
    ) -> Sequence[tuple[SubjectReference, ReferenceTemplate]]:
        """As `listed_templates`, without minors where the list allows none: what a gallery is made of."""
        return self._templates(recipe_sha256, (Subject.watchlist_id == watchlist_id, *_searched_at(at)))

    def listed_templates(
        self, watchlist_id: str, recipe_sha256: str, at: datetime
    ) -> Sequence[tuple[SubjectReference, ReferenceTemplate]]:
        """Pictures of the entries in force with their templates by one recipe, by entry and position."""
        return self._templates(recipe_sha256, _in_force(watchlist_id, at))

    def _templates(
        self, recipe_sha256: str, conditions: tuple[ColumnElement[bool], ...]
    ) -> list[tuple[SubjectReference, ReferenceTemplate]]:
        rows = self._session.execute(
            select(SubjectReference, ReferenceTemplate)
            .join(Subject, Subject.subject_id == SubjectReference.subject_id)
            .join(ReferenceTemplate, ReferenceTemplate.reference_id == SubjectReference.reference_id)
            .where(*conditions, ReferenceTemplate.recipe_sha256 == recipe_sha256)
            .order_by(SubjectReference.subject_id, SubjectReference.position)
        )
        return [(reference, template) for reference, template in rows]

    def watchlist_ids(self, scope: Scope, after: str | None, limit: int) -> Sequence[str]:
        """Ids of lists within these rights, in order."""
        query = select(Watchlist.watchlist_id).where(list_within(scope, Watchlist.watchlist_id))
        query = query.order_by(Watchlist.watchlist_id)
        if after is not None:
            query = query.where(Watchlist.watchlist_id > after)
        return self._session.scalars(query.limit(limit)).all()

    def watchlists(self) -> Sequence[Watchlist]:
        """All lists, in the order of their names."""
        return self._session.scalars(select(Watchlist).order_by(Watchlist.name)).all()

    def recipes(self, watchlist_id: str) -> Sequence[str]:
        """Hashes of the recipes a list's templates were made by, those of ended entries included."""
        return self._session.scalars(
            select(ReferenceTemplate.recipe_sha256)
            .join(SubjectReference, SubjectReference.reference_id == ReferenceTemplate.reference_id)
            .join(Subject, Subject.subject_id == SubjectReference.subject_id)
            .where(Subject.watchlist_id == watchlist_id)
            .distinct()
            .order_by(ReferenceTemplate.recipe_sha256)
        ).all()

    def destroy_templates(self, watchlist_id: str, recipe_sha256: str) -> int:
        """Deletes a list's templates by one recipe; returns how many there were."""
        of_list = (
            select(SubjectReference.reference_id)
            .join(Subject, Subject.subject_id == SubjectReference.subject_id)
            .where(Subject.watchlist_id == watchlist_id)
        )
        rows = self._session.scalars(
            select(ReferenceTemplate).where(
                ReferenceTemplate.reference_id.in_(of_list),
                ReferenceTemplate.recipe_sha256 == recipe_sha256,
            )
        ).all()
        for row in rows:
            self._session.delete(row)
        self._session.flush()
        return len(rows)

    def terms(self, row: Deployment) -> DeploymentTerms:
        """A deployment with its cameras."""
        cameras = self._session.scalars(
            select(DeploymentCamera.camera_id).where(DeploymentCamera.deployment_id == row.deployment_id)
        )
        return DeploymentTerms(
            deployment_id=row.deployment_id,
            watchlist_id=row.watchlist_id,
            camera_ids=frozenset(cameras),
            purpose=row.purpose,
            requested_by=row.requested_by,
            authorised_by=row.authorised_by,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            place=row.place,
        )


def _in_force(watchlist_id: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions on entries: of the list, neither removed nor past their end."""
    return Subject.watchlist_id == watchlist_id, Subject.removed_at.is_(None), Subject.expires_at > at


def _searched_at(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions on entries: in force, and nobody under eighteen unless the list allows it."""
    allowed = exists().where(Watchlist.watchlist_id == Subject.watchlist_id, Watchlist.allows_minors)
    return Subject.removed_at.is_(None), Subject.expires_at > at, or_(Subject.is_minor.is_(False), allowed)
