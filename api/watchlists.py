"""Lists as supervisors, authorisers and auditors see and change them."""

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
from api.list_rights import check_list, check_new_list
from api.list_rules import rules_as_answers
from api.principals import check_role
from api.records import slug
from api.replays import WriteRequest, keep_result, replayed
from api.review.requests import AUTHORISERS, READERS
from api.review.watchlists import WatchlistTerms, check_watchlist
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import Watchlist
from api.store.requests import RequestRepository


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


class WatchlistService:
    """Makes, changes and shows lists."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, principal: Principal, terms: WatchlistTerms, request: WriteRequest) -> dict[str, Any]:
        """A new list, empty.

        Returns:
            The list as JSON values.

        Raises:
            ForbiddenError: not an authoriser, or one whose rights name lists.
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
            check_new_list(principal, row.watchlist_id)
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
        check_list(principal, watchlist_id)
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
        check_list(principal, watchlist_id)
        with self._database.read() as session:
            return self._view(session, watchlist_id)

    def watchlists(self, principal: Principal, after: str | None, limit: int) -> list[WatchlistView]:
        """Lists within her rights, in the order of their ids."""
        check_role(principal, READERS)
        with self._database.read() as session:
            ids = ListRepository(session).watchlist_ids(principal.scope, after, limit)
            return [self._view(session, watchlist_id) for watchlist_id in ids]

    def _view(self, session: Session, watchlist_id: str) -> WatchlistView:
        lists = ListRepository(session)
        row = lists.watchlist(watchlist_id)
        if row is None:
            raise NotFoundError
        pending = RequestRepository(session).pending_count(watchlist_id)
        return WatchlistView(row, lists.listed_count(watchlist_id, self._clock()), pending)

    def _note(
        self, session: Session, principal: Principal, kind: str, row: Watchlist, detail: Mapping[str, Any]
    ) -> None:
        about = f"watchlist:{row.watchlist_id}"
        LedgerRepository(session).append(
            Happening(kind, self._clock(), principal.account_id, about, dict(detail))
        )


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
