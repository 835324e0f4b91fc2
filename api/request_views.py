"""Requests as whoever decides them sees them: with names, pictures, and what the check of the pictures found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.entries import found_portrait
from api.errors import NotFoundError
from api.ledger.chain import Happening
from api.list_rights import check_list, is_within, request_within
from api.principals import check_role
from api.review.requests import READERS
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import ListImport, ListRequest, RequestPicture
from api.store.requests import RequestFilter, RequestPosition, RequestRepository
from api.vault import SubjectVault


@dataclass(frozen=True, slots=True, repr=False)
class RequestView:
    """A request with everything whoever decides it may know.

    Attributes:
        row: what was asked for.
        name: of the subject; None where it is about none, or its key was destroyed.
        pictures: what became of each; empty once it has ended.
        others: names of other entries and requests its findings speak of, by their subject's id.
    """

    row: ListRequest
    name: str | None
    pictures: tuple[RequestPicture, ...]
    others: dict[str, str]


@dataclass(frozen=True, slots=True)
class ImportView:
    """An import, and how many of its requests wait.

    Attributes:
        row: the run.
        waiting: requests nobody has decided.
        findings: of these.
    """

    row: ListImport
    waiting: int
    findings: int


class RequestViews:
    """Shows requests; every look that tells a name or a face is in the log."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def page(
        self, principal: Principal, wanted: RequestFilter, before: RequestPosition | None, limit: int
    ) -> Sequence[ListRequest]:
        """Requests within her rights, newest first, without names."""
        check_role(principal, READERS)
        found: list[ListRequest] = []
        with self._database.read() as session:
            requests = RequestRepository(session)
            while len(found) < limit:
                rows = requests.page(principal.scope, wanted, before, limit)
                found += [row for row in rows if is_within(principal.scope, row)]
                if len(rows) < limit:
                    break
                before = rows[-1].requested_at, rows[-1].request_id
        return found[:limit]

    def request(self, principal: Principal, request_id: str) -> RequestView:
        """One request.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, READERS)
        with self._database.write() as session:
            requests = RequestRepository(session)
            row = request_within(principal, requests.row(request_id))
            self._note(session, principal, "request_viewed", request_id, {})
            subject_id, name_sealed = row.subject_id, row.name_sealed
            if name_sealed is None and subject_id is not None:
                subject = ListRepository(session).subject(subject_id)
                name_sealed = subject.name_sealed if subject else None
            name = None
            if subject_id is not None and name_sealed is not None:
                name = self._vault.name_or_none(subject_id, name_sealed)
            return RequestView(
                row, name, tuple(requests.pictures(request_id)), self._others(session, principal, row)
            )

    def portrait(self, principal: Principal, request_id: str, reference_id: str) -> bytes:
        """A picture of a request as it was read, JPEG.

        Raises:
            NotFoundError: it has no such picture, it is not read yet, or could not be.
        """
        check_role(principal, READERS)
        with self._database.write() as session:
            requests = RequestRepository(session)
            row, picture = request_within(principal, requests.row(request_id)), requests.picture(reference_id)
            if row.subject_id is None or picture is None or picture.request_id != request_id:
                raise NotFoundError
            if picture.portrait_sealed is None:
                raise NotFoundError
            self._note(session, principal, "reference_viewed", request_id, {"reference_id": reference_id})
            subject_id, sealed = row.subject_id, picture.portrait_sealed
        return found_portrait(self._vault.portrait_or_none(subject_id, reference_id, sealed))

    def import_run(self, principal: Principal, import_id: str) -> ImportView:
        """One import.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, READERS)
        with self._database.read() as session:
            requests = RequestRepository(session)
            row = requests.import_run(import_id)
            if row is None:
                raise NotFoundError
            check_list(principal, row.watchlist_id)
            waiting = requests.waiting_of_import(import_id)
            return ImportView(row, len(waiting), sum(waiting.values()))

    def _others(self, session: Session, principal: Principal, row: ListRequest) -> dict[str, str]:
        lists, requests = ListRepository(session), RequestRepository(session)
        wanted = {other for finding in row.findings for other in finding["subjects"]} - {row.subject_id}
        asked = requests.sealed_names(sorted(wanted))
        names: dict[str, str] = {}
        for subject_id in sorted(wanted):
            subject = lists.subject(subject_id)
            if subject is not None and not principal.scope.allows_list(subject.watchlist_id):
                continue
            sealed = subject.name_sealed if subject else asked.get(subject_id)
            name = self._vault.name_or_none(subject_id, sealed) if sealed else None
            if name is not None:
                names[subject_id] = name
        return names

    def _note(
        self, session: Session, principal: Principal, kind: str, request_id: str, detail: dict[str, Any]
    ) -> None:
        about = f"request:{request_id}"
        LedgerRepository(session).append(
            Happening(kind, self._clock(), principal.account_id, about, dict(detail))
        )
