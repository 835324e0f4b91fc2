"""Watchlists, entries and deployments: made by the rules, sealed, logged."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.clock import Clock
from api.ledger.chain import Happening
from api.review.deployments import DeploymentTerms, check_deployment
from api.review.errors import RecordError
from api.review.watchlists import DEFAULT_MAX_ENTRIES, EntryTerms, check_entry, check_rate, check_size
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository, person_key
from api.store.models import ReferenceTemplate, Subject, SubjectReference, Watchlist
from api.templates import template_row
from api.vault import SubjectVault
from pipelines.recipes import TemplateRecipe
from vision.images import decode_image
from vision.types import Float32


@dataclass(frozen=True, slots=True, repr=False)
class ReferenceInput:
    """One picture of a subject, as enrolment gives it.

    Attributes:
        portrait_jpeg: the face, encoded afresh from pixels by enrolment, so that nothing of the original
            file is in it.
        template: (D,) float32, unit length.
        recipe: what the template was made with.
    """

    portrait_jpeg: bytes
    template: Float32
    recipe: TemplateRecipe


@dataclass(frozen=True, slots=True, repr=False)
class GallerySubject:
    """A listed subject's templates, opened: for building a gallery and for nothing else.

    Attributes:
        subject_id: the entry.
        templates: (D,) float32 each.
    """

    subject_id: str
    templates: tuple[Float32, ...]


class RecordService:
    """Makes and reads the records of who is looked for, and where."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def ensure_watchlist(self, name: str, purpose: str, max_entries: int = DEFAULT_MAX_ENTRIES) -> str:
        """The id of the list of that name; made where there is none.

        Raises:
            RecordError: no name or no purpose.
        """
        if not name.strip() or not purpose.strip():
            raise RecordError("a watchlist has a name and a purpose")
        now = self._clock()
        with self._database.write() as session:
            lists = ListRepository(session)
            known = lists.watchlist_named(name)
            if known is not None:
                return known.watchlist_id
            watchlist_id = f"{slug(name)}-{secrets.token_hex(3)}"
            lists.add(
                Watchlist(
                    watchlist_id=watchlist_id,
                    name=name,
                    purpose=purpose,
                    max_entries=max_entries,
                    created_at=now,
                )
            )
            self._note(session, "watchlist_added", f"watchlist:{watchlist_id}", max_entries=max_entries)
        return watchlist_id

    def find_watchlist(self, name: str) -> str | None:
        """The id of the list of that name; None where there is none."""
        with self._database.read() as session:
            known = ListRepository(session).watchlist_named(name)
            return None if known is None else known.watchlist_id

    def wanted_rate(self, watchlist_id: str) -> float | None:
        """A list's own wanted rate of false alerts per 1000 faces; None where it has none."""
        with self._database.read() as session:
            watchlist = ListRepository(session).watchlist(watchlist_id)
            return None if watchlist is None else watchlist.false_alerts_per_1000_faces

    def want_rate(self, watchlist_id: str, false_alerts_per_1000_faces: float) -> None:
        """Gives a list a wanted rate of its own; its galleries follow at their next version.

        Raises:
            RecordError: no such list, or a rate out of range.
        """
        check_rate(false_alerts_per_1000_faces)
        with self._database.write() as session:
            watchlist = ListRepository(session).watchlist(watchlist_id)
            if watchlist is None:
                raise RecordError(f"there is no watchlist {watchlist_id}")
            if watchlist.false_alerts_per_1000_faces == false_alerts_per_1000_faces:
                return
            watchlist.false_alerts_per_1000_faces = false_alerts_per_1000_faces
            self._note(
                session,
                "watchlist_rate_wanted",
                f"watchlist:{watchlist_id}",
                false_alerts_per_1000_faces=false_alerts_per_1000_faces,
            )

    def add_subject(
        self, watchlist_id: str, name: str, references: Sequence[ReferenceInput], terms: EntryTerms
    ) -> str:
        """The id of a new entry; it is random, so that nothing which carries it tells the name.

        Raises:
            RecordError: no such list, list full, no reference, or terms that break a rule.
            SealingError: the key store cannot be written.
            ImageError: a portrait is no picture.
        """
        now = self._clock()
        check_entry(terms, now)
        if not references:
            raise RecordError("an entry has at least one reference picture")
        subject_id = f"sub_{secrets.token_hex(12)}"
        self._vault.create_key(subject_id)
        try:
            with self._database.write() as session:
                lists = ListRepository(session)
                self._check_room(lists, watchlist_id)
                lists.add(self._subject(subject_id, watchlist_id, name, terms))
                for reference, template in self._references(subject_id, references):
                    lists.add(reference)
                    lists.add(template)
                self._note(
                    session,
                    "entry_added",
                    f"subject:{subject_id}",
                    watchlist_id=watchlist_id,
                    references=len(references),
                    expires_at=terms.expires_at.isoformat(),
                )
        except BaseException:
            self._vault.destroy_key(subject_id)  # a key without an entry would never be destroyed later
            raise
        return subject_id

    def add_deployment(self, terms: DeploymentTerms) -> None:
        """Activates a list on cameras, for a time and a purpose.

        Raises:
            RecordError: no such list, or terms that break a rule.
        """
        check_deployment(terms)
        with self._database.write() as session:
            lists = ListRepository(session)
            if lists.watchlist(terms.watchlist_id) is None:
                raise RecordError(f"there is no watchlist {terms.watchlist_id}")
            lists.add_deployment(terms, self._clock())
            self._note(
                session,
                "deployment_added",
                f"deployment:{terms.deployment_id}",
                watchlist_id=terms.watchlist_id,
                cameras=sorted(terms.camera_ids),
                starts_at=terms.starts_at.isoformat(),
                ends_at=terms.ends_at.isoformat(),
            )

    def check_terms(self, deployment: DeploymentTerms, entry: EntryTerms) -> None:
        """Lets through terms that entry and deployment could be made with, before any work is done.

        Raises:
            RecordError: says what is missing or too long.
        """
        check_entry(entry, self._clock())
        check_deployment(deployment)

    def deployment_of_list(self, deployment_id: str, watchlist_name: str) -> DeploymentTerms | None:
        """A deployment by its id; None where there is none.

        Raises:
            RecordError: it searches another list, or has ended.
        """
        with self._database.read() as session:
            lists = ListRepository(session)
            found, watchlist = lists.deployment(deployment_id), lists.watchlist_named(watchlist_name)
        if found is None:
            return None
        if watchlist is None or found.watchlist_id != watchlist.watchlist_id:
            raise RecordError(f"the deployment {deployment_id} searches another list; name a new one")
        if found.ends_at <= self._clock():
            raise RecordError(f"the deployment {deployment_id} has ended; name a new one")
        return found

    def names(self, watchlist_id: str) -> dict[str, str]:
        """Names of the entries in force, opened, with the entries' ids: to recognise who is listed already."""
        with self._database.read() as session:
            return {
                self._vault.open_name(row.subject_id, row.name_sealed): row.subject_id
                for row in ListRepository(session).listed(watchlist_id, self._clock())
            }

    def gallery_subjects(self, watchlist_id: str, recipe_sha256: str) -> list[GallerySubject]:
        """The list's entries in force with their templates by one recipe, in the order of their ids."""
        with self._database.read() as session:
            rows = ListRepository(session).searched_templates(watchlist_id, recipe_sha256, self._clock())
        templates: dict[str, list[Float32]] = {}
        for row, template in rows:
            opened = self._vault.open_template(row.subject_id, row.reference_id, template.template_sealed)
            templates.setdefault(row.subject_id, []).append(opened)
        return [GallerySubject(subject_id, tuple(found)) for subject_id, found in templates.items()]

    def _check_room(self, lists: ListRepository, watchlist_id: str) -> None:
        watchlist = lists.watchlist(watchlist_id)
        if watchlist is None:
            raise RecordError(f"there is no watchlist {watchlist_id}")
        check_size(lists.listed_count(watchlist_id, self._clock()), 1, watchlist.max_entries)

    def _subject(self, subject_id: str, watchlist_id: str, name: str, terms: EntryTerms) -> Subject:
        return Subject(
            subject_id=subject_id,
            watchlist_id=watchlist_id,
            name_sealed=self._vault.seal_name(subject_id, name),
            requested_by=terms.requested_by,
            requested_by_key=person_key(terms.requested_by),
            authorised_by=terms.authorised_by,
            authorised_by_key=person_key(terms.authorised_by),
            legal_basis=terms.legal_basis,
            case_reference=terms.case_reference,
            image_source=terms.image_source,
            created_at=self._clock(),
            expires_at=terms.expires_at,
            purpose=terms.purpose,
            is_minor=terms.is_minor,
            minor_justification=terms.minor_justification,
        )

    def _references(
        self, subject_id: str, references: Sequence[ReferenceInput]
    ) -> Iterator[tuple[SubjectReference, ReferenceTemplate]]:
        for position, reference in enumerate(references):
            reference_id = f"ref_{secrets.token_hex(12)}"
            jpeg = reference.portrait_jpeg
            height, width = decode_image(jpeg, name="portrait").shape[:2]
            yield (
                SubjectReference(
                    reference_id=reference_id,
                    subject_id=subject_id,
                    position=position,
                    portrait_sealed=self._vault.seal_portrait(subject_id, reference_id, jpeg),
                    portrait_width=width,
                    portrait_height=height,
                    created_at=self._clock(),
                ),
                template_row(
                    self._vault,
                    (subject_id, reference_id),
                    reference.template,
                    reference.recipe,
                    self._clock(),
                ),
            )

    def _note(self, session: Session, kind: str, about: str, **detail: object) -> None:
        LedgerRepository(session).append(Happening(kind, self._clock(), "console", about, detail))


def slug(name: str) -> str:
    """Letters and digits of a name, for an id; names in other scripts become `list`."""
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:40] or "list"
