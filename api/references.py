"""The pictures of listed people as they are kept: read again when the embedder changes, and never thrown away
before their entry ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from api.clock import Clock
from api.ledger.chain import Happening
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import SubjectReference
from api.templates import template_row
from api.vault import SubjectVault
from pipelines.recipes import TemplateRecipe
from vision.types import Float32

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ListName:
    """A list and its deployments that have not ended.

    Attributes:
        watchlist_id: of the list.
        name: what people call it.
        deployment_ids: in alphabetical order; empty where it is searched nowhere.
    """

    watchlist_id: str
    name: str
    deployment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class StoredReference:
    """One picture of an entry in force.

    Attributes:
        subject_id: the entry.
        reference_id: the picture.
        number: of the entry's pictures, from 1.
        portrait: opens it, JPEG.
    """

    subject_id: str
    reference_id: str
    number: int
    portrait: Callable[[], bytes]


@dataclass(frozen=True, slots=True, repr=False)
class StoredTemplate:
    """A stored picture with its template by one recipe, opened: to be compared with new ones.

    Attributes:
        reference: the picture.
        template: (D,) float32, unit length.
    """

    reference: StoredReference
    template: Float32


class ReferenceService:
    """Opens stored pictures, and keeps templates made of them."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def lists(self) -> list[ListName]:
        """All lists in the order of their names."""
        with self._database.read() as session:
            lists = ListRepository(session)
            active = lists.active_deployments(self._clock())
            return [
                ListName(
                    row.watchlist_id,
                    row.name,
                    tuple(one.deployment_id for one in active if one.watchlist_id == row.watchlist_id),
                )
                for row in lists.watchlists()
            ]

    def templates(self, watchlist_id: str, recipe_sha256: str) -> list[StoredTemplate]:
        """Entries in force with their templates by one recipe, opened, by entry and picture.

        Raises:
            SealingError: an entry's key is gone.
        """
        with self._database.read() as session:
            rows = ListRepository(session).listed_templates(watchlist_id, recipe_sha256, self._clock())
        return [
            StoredTemplate(
                self._stored(row),
                self._vault.open_template(row.subject_id, row.reference_id, template.template_sealed),
            )
            for row, template in rows
        ]

    def lacking(self, watchlist_id: str, recipe_sha256: str) -> list[StoredReference]:
        """Pictures of entries in force that have no template by this recipe yet, by entry and picture."""
        with self._database.read() as session:
            lists, now = ListRepository(session), self._clock()
            done = {row.reference_id for row, _ in lists.listed_templates(watchlist_id, recipe_sha256, now)}
            rows = [row for row in lists.listed_references(watchlist_id, now) if row.reference_id not in done]
        return [self._stored(row) for row in rows]

    def add_templates(
        self, subject_id: str, recipe: TemplateRecipe, templates: Mapping[str, Float32]
    ) -> None:
        """Keeps templates of one entry's pictures made by another recipe, beside those there are.

        Args:
            subject_id: the entry.
            recipe: what they were made with.
            templates: by reference id; (D,) float32, unit length.

        Raises:
            SealingError: the entry's key is gone.
        """
        now = self._clock()
        with self._database.write() as session:
            lists = ListRepository(session)
            for reference_id, template in templates.items():
                lists.add(template_row(self._vault, (subject_id, reference_id), template, recipe, now))
            detail = {"references": len(templates), "embedder_id": recipe.embedder_id}
            LedgerRepository(session).append(
                Happening("entry_re_enrolled", now, "console", f"subject:{subject_id}", detail)
            )

    def destroy_superseded(self, watchlist_id: str, needed: Iterable[str]) -> int:
        """Deletes a list's templates by recipes that nobody uses any more.

        Args:
            watchlist_id: of the list.
            needed: hashes of the recipes to keep.

        Returns:
            How many templates there were.
        """
        kept, destroyed, now = set(needed), 0, self._clock()
        with self._database.write() as session:
            lists = ListRepository(session)
            for recipe_sha256 in lists.recipes(watchlist_id):
                if recipe_sha256 in kept:
                    continue
                count = lists.destroy_templates(watchlist_id, recipe_sha256)
                destroyed += count
                detail = {"templates": count, "recipe_sha256": recipe_sha256}
                LedgerRepository(session).append(
                    Happening("templates_destroyed", now, "templates", f"watchlist:{watchlist_id}", detail)
                )
        if destroyed:
            _log.info("templates_destroyed", watchlist_id=watchlist_id, templates=destroyed)
        return destroyed

    def _stored(self, row: SubjectReference) -> StoredReference:
        opened = partial(self._vault.open_portrait, row.subject_id, row.reference_id, row.portrait_sealed)
        return StoredReference(row.subject_id, row.reference_id, row.position + 1, opened)
