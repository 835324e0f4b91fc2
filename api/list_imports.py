"""Many requests filed at once: all of them in one transaction, or none."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import NotFoundError
from api.ledger.chain import Happening
from api.reference_jobs import keep_reference
from api.request_records import check_room, new_request_id
from api.review.cases import Role
from api.review.requests import RequestKind, RequestState
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import ListImport, ListRequest, RequestPicture
from api.store.people import PeopleRepository
from api.store.requests import RequestRepository
from api.vault import SubjectVault
from pipelines.enrol import Reference
from pipelines.recipes import TemplateRecipe

PREPARING, FILED, ABANDONED = "preparing", "filed", "abandoned"
_FLUSHED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """An account as an import may name it."""

    account_id: str
    role: Role
    active: bool


@dataclass(frozen=True, slots=True, repr=False)
class ImportedPicture:
    """A picture that was read and checked already.

    Attributes:
        reference: portrait and template.
        image_source: where it comes from.
        outcome: `ok`, or why it is none of the references.
    """

    reference: Reference
    image_source: str
    outcome: str


@dataclass(frozen=True, slots=True)
class ImportedFinding:
    """What the check of the pictures found between entries.

    Attributes:
        kind: as `pipelines.reference_findings.Kind`.
        entries: the entries it is about: places in the import, or subject ids of who is listed or asked for.
        similarity: what was measured.
        limit: what it was held against.
    """

    kind: str
    entries: tuple[int | str, ...]
    similarity: float
    limit: float


@dataclass(frozen=True, slots=True, repr=False)
class ImportedEntry:
    """One row of an import, by the rules.

    Attributes:
        name: of the subject; sealed at once.
        requested_by: account of who asks.
        addressed_to: account of who decides.
        pictures: all that were read.
        findings: what the check found of it: kind, numbers of the entries it is about, similarity, limit.
    """

    name: str
    purpose: str
    legal_basis: str
    case_reference: str
    expires_at: datetime
    is_minor: bool
    minor_justification: str | None
    requested_by: str
    addressed_to: str
    pictures: tuple[ImportedPicture, ...]
    findings: tuple[ImportedFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import is of.

    Attributes:
        watchlist_id: the list asked for.
        file_sha256: of the table it was read from.
        recipe: of its templates.
    """

    watchlist_id: str
    file_sha256: str
    recipe: TemplateRecipe


class ImportService:
    """Files the requests of one import; knows who may be named in it."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def people(self) -> dict[str, KnownPerson]:
        """Accounts by login name."""
        with self._database.read() as session:
            return {
                row.username: KnownPerson(row.account_id, Role(row.role), row.active)
                for row in PeopleRepository(session).all()
            }

    def names_asked_for(self, watchlist_id: str) -> dict[str, str]:
        """Names of undecided requests for a list, opened, with their subjects' ids."""
        with self._database.read() as session:
            rows = RequestRepository(session).pending_entries(watchlist_id)
        return {
            self._vault.open_name(row.subject_id, row.name_sealed): row.subject_id
            for row in rows
            if row.subject_id is not None and row.name_sealed is not None
        }

    def room(self, watchlist_id: str) -> int:
        """How many entries a list can still take, what is asked for counted in."""
        with self._database.read() as session:
            watchlist = ListRepository(session).watchlist(watchlist_id)
            if watchlist is None:
                raise NotFoundError
            there = ListRepository(session).listed_count(watchlist_id, self._clock())
            return watchlist.max_entries - there - RequestRepository(session).pending_count(watchlist_id)

    def allows_minors(self, watchlist_id: str) -> bool:
        """Whether entries of people under eighteen are searched."""
        with self._database.read() as session:
            watchlist = ListRepository(session).watchlist(watchlist_id)
            return watchlist is not None and watchlist.allows_minors

    def file(self, plan: ImportPlan, entries: Sequence[ImportedEntry]) -> str:
        """The id of the import: every entry is a request now, waiting for whom it is addressed to.

        What happens to this process meanwhile: there are all requests, or none; keys made for none are destroyed
        by `clear_abandoned`.

        Raises:
            RecordError: the list is full.
            SealingError: the key store cannot be written.
        """
        subject_ids = [f"sub_{secrets.token_hex(12)}" for _ in entries]
        import_id = self._begin(plan, subject_ids)
        try:
            for subject_id in subject_ids:
                self._vault.create_key(subject_id)
            with self._database.write() as session:
                check_room(session, plan.watchlist_id, len(entries), self._clock())
                self._add_all(session, import_id, plan, list(zip(subject_ids, entries, strict=True)))
                self._finish(session, import_id, FILED, requests=len(entries))
        except BaseException:
            self._abandon(import_id)
            raise
        return import_id

    def clear_abandoned(self) -> int:
        """Destroys the keys of imports that never came to their end; only while no import runs.

        Returns:
            How many imports those were.
        """
        with self._database.read() as session:
            found = [row.import_id for row in RequestRepository(session).imports_in(PREPARING)]
        for import_id in found:
            self._abandon(import_id)
        return len(found)

    def _begin(self, plan: ImportPlan, subject_ids: Collection[str]) -> str:
        import_id = f"imp_{secrets.token_hex(8)}"
        with self._database.write() as session:
            RequestRepository(session).add(
                ListImport(
                    import_id=import_id,
                    watchlist_id=plan.watchlist_id,
                    state=PREPARING,
                    file_sha256=plan.file_sha256,
                    rows=len(subject_ids),
                    subject_ids=list(subject_ids),
                    created_at=self._clock(),
                )
            )
        return import_id

    def _add_all(
        self, session: Session, import_id: str, plan: ImportPlan, entries: list[tuple[str, ImportedEntry]]
    ) -> None:
        now, requests = self._clock(), RequestRepository(session)
        ids = [subject_id for subject_id, _ in entries]
        for start in range(0, len(entries), _FLUSHED_AT_ONCE):
            part = entries[start : start + _FLUSHED_AT_ONCE]
            rows = [self._row(import_id, plan, subject_id, entry, now) for subject_id, entry in part]
            for row, (_, entry) in zip(rows, part, strict=True):
                row.findings = [_finding(one, ids) for one in entry.findings]
            requests.add(*rows)
            for row, (subject_id, entry) in zip(rows, part, strict=True):
                requests.add(*self._pictures(row, subject_id, entry, plan.recipe))
            session.expunge_all()  # thousands of portraits need not stay in memory

    def _row(
        self, import_id: str, plan: ImportPlan, subject_id: str, entry: ImportedEntry, now: datetime
    ) -> ListRequest:
        return ListRequest(
            request_id=new_request_id(),
            kind=RequestKind.ENTRY.value,
            state=RequestState.OPEN.value,
            watchlist_id=plan.watchlist_id,
            subject_id=subject_id,
            import_id=import_id,
            requested_by=entry.requested_by,
            requested_at=now,
            addressed_to=entry.addressed_to,
            purpose=entry.purpose,
            legal_basis=entry.legal_basis,
            case_reference=entry.case_reference,
            until=entry.expires_at,
            name_sealed=self._vault.seal_name(subject_id, entry.name),
            is_minor=entry.is_minor,
            minor_justification=entry.minor_justification,
            findings=[],
        )

    def _pictures(
        self, row: ListRequest, subject_id: str, entry: ImportedEntry, recipe: TemplateRecipe
    ) -> list[RequestPicture]:
        made = []
        for position, picture in enumerate(entry.pictures):
            one = RequestPicture(
                reference_id=f"ref_{secrets.token_hex(12)}",
                request_id=row.request_id,
                position=position,
                image_source=picture.image_source,
                outcome=picture.outcome,
            )
            keep_reference(self._vault, subject_id, one, picture.reference, recipe)
            made.append(one)
        return made

    def _abandon(self, import_id: str) -> None:
        with self._database.read() as session:
            row = RequestRepository(session).import_run(import_id)
        if row is None or row.state != PREPARING:
            return
        self._vault.destroy_keys(row.subject_ids)
        with self._database.write() as session:
            self._finish(session, import_id, ABANDONED, requests=0)

    def _finish(self, session: Session, import_id: str, state: str, *, requests: int) -> None:
        row = RequestRepository(session).import_run(import_id)
        if row is None:
            raise NotFoundError
        row.state, row.subject_ids = state, []
        session.flush()
        detail = {"watchlist_id": row.watchlist_id, "requests": requests, "file_sha256": row.file_sha256}
        LedgerRepository(session).append(
            Happening(f"import_{state}", self._clock(), "console", f"import:{import_id}", detail)
        )


def _finding(finding: ImportedFinding, subject_ids: Sequence[str]) -> dict[str, Any]:
    """As `reference_jobs.findings_document` has it; places in the import become the ids made for them."""
    subjects = [subject_ids[one] if isinstance(one, int) else one for one in finding.entries]
    return {
        "kind": finding.kind,
        "subjects": subjects,
        "references": [],
        "similarity": round(finding.similarity, 4),
        "limit": round(finding.limit, 4),
    }
