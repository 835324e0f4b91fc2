"""Entries in force, and those that ended, as supervisors, authorisers and auditors see and remove them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, NotFoundError
from api.ledger.chain import Happening
from api.list_rights import check_list
from api.principals import check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.requests import ENDERS, READERS
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import Subject
from api.vault import SubjectVault


@dataclass(frozen=True, slots=True, repr=False)
class EntryView:
    """An entry with its name opened.

    Attributes:
        row: the entry.
        name: of the subject; None where its key was destroyed.
        references: ids of its pictures with where each comes from, in order.
        searched: whether it is searched where its list is.
    """

    row: Subject
    name: str | None
    references: tuple[tuple[str, str], ...]
    searched: bool


class EntryService:
    """Shows entries and takes them off their lists; every look that tells a name or a face is in the log."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def entries(
        self, principal: Principal, watchlist_id: str, after: str | None, limit: int
    ) -> list[EntryView]:
        """Entries of a list, those that ended included; an entry in the log, because it tells names.

        Raises:
            NotFoundError: there is no such list.
        """
        check_role(principal, READERS)
        check_list(principal, watchlist_id)
        with self._database.write() as session:
            lists = ListRepository(session)
            if lists.watchlist(watchlist_id) is None:
                raise NotFoundError
            rows = lists.entries(watchlist_id, after, limit)
            about = f"watchlist:{watchlist_id}"
            self._append(session, principal, "entries_listed", about, {"entries": len(rows)})
            return [self._entry(lists, row) for row in rows]

    def entry(self, principal: Principal, subject_id: str) -> EntryView:
        """One entry; in the log, because it tells a name.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, READERS)
        with self._database.write() as session:
            lists = ListRepository(session)
            row = _within(principal, lists.subject(subject_id))
            self._append(session, principal, "entry_viewed", f"subject:{subject_id}", {})
            return self._entry(lists, row)

    def remove(
        self, principal: Principal, subject_id: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """From the commit on nobody is searched for by this entry; one person is enough to take away.

        Returns:
            `{subject_id, removed_at}` as JSON values.

        Raises:
            ForbiddenError: neither supervisor nor authoriser.
            NotFoundError: there is no such entry.
            ConflictError: it has ended.
        """
        check_role(principal, ENDERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            now, row = self._clock(), _within(principal, ListRepository(session).subject(subject_id))
            if row.removed_at is not None or row.expires_at <= now:
                raise ConflictError("entry_ended", "this entry has ended already")
            row.removed_at, row.removed_by, row.removed_reason = now, principal.account_id, reason
            session.flush()
            detail = {"watchlist_id": row.watchlist_id}
            self._append(session, principal, "entry_removed", f"subject:{subject_id}", detail)
            result = {"subject_id": subject_id, "removed_at": now.isoformat()}
            keep_result(session, request, 200, result, now)
            return result

    def portrait(self, principal: Principal, subject_id: str, reference_id: str) -> bytes:
        """A picture of an entry, JPEG; in the log.

        Raises:
            NotFoundError: the entry has no such picture, or its key was destroyed.
        """
        check_role(principal, READERS)
        with self._database.write() as session:
            lists = ListRepository(session)
            row = lists.reference(reference_id)
            if row is None or row.subject_id != subject_id:
                raise NotFoundError
            _within(principal, lists.subject(subject_id))
            self._append(
                session,
                principal,
                "reference_viewed",
                f"subject:{subject_id}",
                {"reference_id": reference_id},
            )
        return found_portrait(self._vault.portrait_or_none(subject_id, reference_id, row.portrait_sealed))

    def _entry(self, lists: ListRepository, row: Subject) -> EntryView:
        references = tuple(
            (one.reference_id, one.image_source or row.image_source)
            for one in lists.references(row.subject_id)
        )
        searched = lists.is_listed(row.subject_id, self._clock())
        return EntryView(row, self._vault.name_or_none(row.subject_id, row.name_sealed), references, searched)

    def _append(
        self, session: Session, principal: Principal, kind: str, about: str, detail: Mapping[str, Any]
    ) -> None:
        LedgerRepository(session).append(
            Happening(kind, self._clock(), principal.account_id, about, dict(detail))
        )


def _within(principal: Principal, row: Subject | None) -> Subject:
    """The entry, where there is one on a list she has rights to.

    Raises:
        NotFoundError: there is none; whether one exists beyond her rights is not told.
    """
    if row is None:
        raise NotFoundError
    check_list(principal, row.watchlist_id)
    return row


def found_portrait(jpeg: bytes | None) -> bytes:
    """A portrait that is still there to be shown.

    Raises:
        NotFoundError: its key was destroyed.
    """
    if jpeg is None:
        raise NotFoundError
    return jpeg
