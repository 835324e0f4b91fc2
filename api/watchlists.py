"""Lists and their entries as supervisors, authorisers and auditors see and change them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, NotFoundError
from api.ledger.chain import Happening
from api.list_rules import check_role, rules_as_answers
from api.records import slug
from api.replays import WriteRequest, keep_result, replayed
from api.review.requests import AUTHORISERS, ENDERS, READERS
from api.review.watchlists import WatchlistTerms, check_watchlist
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import Subject, Watchlist
from api.store.requests import RequestRepository
from api.vault import SubjectVault


@dataclass(frozen=True, slots=True)
class WatchlistView:
    """A list, and how full it is.

    Attributes:
        row: the list.
        entries: in force now.
        pending: asked for and not decided.
    """

    row: Watchlist
    entries: int
    pending: int


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


class WatchlistService:
    """Makes, changes and shows lists; shows and removes entries."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def add(self, principal: Principal, terms: WatchlistTerms, request: WriteRequest) -> dict[str, Any]:
        """A new list, empty.

        Returns:
            The list as JSON values.

        Raises:
            ForbiddenError: not an authoriser.
            ConflictError: there is one of that name.
            UnprocessableError: terms that break a rule.
        """
        check_role(principal, AUTHORISERS)
        with rules_as_answers():
            check_watchlist(terms)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            lists, now = ListRepository(session), self._clock()
            if lists.watchlist_named(terms.name.strip()) is not None:
                raise ConflictError("name_taken", "there is a list of that name already")
            row = Watchlist(
                watchlist_id=f"{slug(terms.name)}-{secrets.token_hex(3)}",
                name=terms.name.strip(),
                purpose=terms.purpose,
                legal_basis=terms.legal_basis,
                max_entries=terms.max_entries,
                false_alerts_per_1000_faces=terms.false_alerts_per_1000_faces,
                is_test=terms.is_test,
                allows_minors=terms.allows_minors,
                created_at=now,
            )
            lists.add(row)
            self._note(session, principal, "watchlist_added", row, _limits(row))
            result = watchlist_document(WatchlistView(row, 0, 0))
            keep_result(session, request, 201, result, now)
            return result

    def change(
        self,
        principal: Principal,
        watchlist_id: str,
        changes: Mapping[str, Any],
        reason: str,
        request: WriteRequest,
    ) -> dict[str, Any]:
        """Changes what a list may do: cap, wanted rate, minors. What it is, what for and whether it is a test stay.

        Args:
            changes: of `max_entries`, `false_alerts_per_1000_faces`, `allows_minors`, those that change.
            reason: why; kept with the list.

        Raises:
            ForbiddenError: not an authoriser.
            NotFoundError: there is no such list.
            UnprocessableError: terms that break a rule, or a cap below what is on it.
        """
        check_role(principal, AUTHORISERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            view = self._view(session, watchlist_id)
            row, old = view.row, _limits(view.row)
            for name in old.keys() & changes.keys():
                setattr(row, name, changes[name])
            with rules_as_answers():
                check_watchlist(_terms(row))
            if row.max_entries < view.entries + view.pending:
                raise ConflictError(
                    "list_fuller",
                    f"{view.entries} entries and {view.pending} requests are on it: remove some first",
                )
            row.changed_by, row.changed_reason = principal.account_id, reason
            session.flush()
            new = {name: value for name, value in _limits(row).items() if value != old[name]}
            self._note(session, principal, "watchlist_changed", row, new)
            result = watchlist_document(view)
            keep_result(session, request, 200, result, self._clock())
            return result

    def watchlist(self, principal: Principal, watchlist_id: str) -> WatchlistView:
        """One list.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, READERS)
        with self._database.read() as session:
            return self._view(session, watchlist_id)

    def watchlists(self, principal: Principal, after: str | None, limit: int) -> list[WatchlistView]:
        """Lists in the order of their ids."""
        check_role(principal, READERS)
        with self._database.read() as session:
            ids = ListRepository(session).watchlist_ids(after, limit)
            return [self._view(session, watchlist_id) for watchlist_id in ids]

    def entries(
        self, principal: Principal, watchlist_id: str, after: str | None, limit: int
    ) -> list[EntryView]:
        """Entries of a list, those that ended included; an entry in the log, because it tells names.

        Raises:
            NotFoundError: there is no such list.
        """
        check_role(principal, READERS)
        with self._database.write() as session:
            lists = ListRepository(session)
            watchlist = lists.watchlist(watchlist_id)
            if watchlist is None:
                raise NotFoundError
            rows = lists.entries(watchlist_id, after, limit)
            self._note(session, principal, "entries_listed", watchlist, {"entries": len(rows)})
            return [self._entry(lists, row) for row in rows]

    def entry(self, principal: Principal, subject_id: str) -> EntryView:
        """One entry; in the log, because it tells a name.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, READERS)
        with self._database.write() as session:
            lists = ListRepository(session)
            row = lists.subject(subject_id)
            if row is None:
                raise NotFoundError
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
            now, row = self._clock(), ListRepository(session).subject(subject_id)
            if row is None:
                raise NotFoundError
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
            row = ListRepository(session).reference(reference_id)
            if row is None or row.subject_id != subject_id:
                raise NotFoundError
            self._append(
                session,
                principal,
                "reference_viewed",
                f"subject:{subject_id}",
                {"reference_id": reference_id},
            )
        return found_portrait(self._vault.portrait_or_none(subject_id, reference_id, row.portrait_sealed))

    def _view(self, session: Session, watchlist_id: str) -> WatchlistView:
        lists = ListRepository(session)
        row = lists.watchlist(watchlist_id)
        if row is None:
            raise NotFoundError
        pending = RequestRepository(session).pending_count(watchlist_id)
        return WatchlistView(row, lists.listed_count(watchlist_id, self._clock()), pending)

    def _entry(self, lists: ListRepository, row: Subject) -> EntryView:
        references = tuple(
            (one.reference_id, one.image_source or row.image_source)
            for one in lists.references(row.subject_id)
        )
        searched = lists.is_listed(row.subject_id, self._clock())
        return EntryView(row, self._vault.name_or_none(row.subject_id, row.name_sealed), references, searched)

    def _note(
        self, session: Session, principal: Principal, kind: str, row: Watchlist, detail: Mapping[str, Any]
    ) -> None:
        self._append(session, principal, kind, f"watchlist:{row.watchlist_id}", detail)

    def _append(
        self, session: Session, principal: Principal, kind: str, about: str, detail: Mapping[str, Any]
    ) -> None:
        LedgerRepository(session).append(
            Happening(kind, self._clock(), principal.account_id, about, dict(detail))
        )


def found_portrait(jpeg: bytes | None) -> bytes:
    """A portrait that is still there to be shown.

    Raises:
        NotFoundError: its key was destroyed.
    """
    if jpeg is None:
        raise NotFoundError
    return jpeg


def watchlist_document(view: WatchlistView) -> dict[str, Any]:
    """A list as JSON values."""
    row = view.row
    return {
        "watchlist_id": row.watchlist_id,
        "name": row.name,
        "purpose": row.purpose,
        "legal_basis": row.legal_basis,
        "is_test": row.is_test,
        "created_at": row.created_at.isoformat(),
        "entries": view.entries,
        "pending": view.pending,
        **_limits(row),
    }


def _limits(row: Watchlist) -> dict[str, Any]:
    return {
        "max_entries": row.max_entries,
        "false_alerts_per_1000_faces": row.false_alerts_per_1000_faces,
        "allows_minors": row.allows_minors,
    }


def _terms(row: Watchlist) -> WatchlistTerms:
    return WatchlistTerms(
        row.name, row.purpose, row.legal_basis or "-", row.max_entries, row.false_alerts_per_1000_faces
    )
