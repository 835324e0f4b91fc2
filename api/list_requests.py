"""Requests for entries, renewals and deployments: filed, withdrawn, and lapsed where nobody decides them."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, ForbiddenError, NotFoundError
from api.list_rights import check_list, request_within
from api.list_rules import rules_as_answers
from api.principals import check_role
from api.replays import WriteRequest, keep_result, replayed
from api.request_records import (
    check_room,
    end_request,
    new_request_id,
    note_filed,
    request_document,
)
from api.review.requests import (
    DECIDE_WITHIN,
    REQUESTERS,
    RequestKind,
    RequestState,
    check_ending,
)
from api.review.watchlists import check_expiry, check_minor
from api.review.wishes import (
    DeploymentWish,
    EntryWish,
    RenewalWish,
    Upload,
    check_deployment_wish,
    check_entry_wish,
)
from api.store.engine import Database
from api.store.lists import ListRepository
from api.store.models import ListRequest, RequestPicture
from api.store.requests import RequestRepository
from api.vault import SubjectVault


class RequestService:
    """What supervisors ask for. Nothing of it is searched before somebody else approves it."""

    def __init__(self, database: Database, vault: SubjectVault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock

    def file_entry(
        self, principal: Principal, watchlist_id: str, wish: EntryWish, request: WriteRequest
    ) -> dict[str, Any]:
        """Asks for an entry. Its pictures lie sealed under the subject's own key until they are read.

        Returns:
            The request as JSON values.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such list.
            UnprocessableError: terms that break a rule, or the list is full.
        """
        check_role(principal, REQUESTERS)
        check_list(principal, watchlist_id)
        now = self._clock()
        with rules_as_answers():
            check_entry_wish(wish, now)
        subject_id = f"sub_{secrets.token_hex(12)}"
        try:
            with self._database.write() as session:
                before = replayed(session, request)
                if before is not None:
                    return before
                with rules_as_answers():
                    check_room(session, watchlist_id, 1, now)
                self._vault.create_key(subject_id)
                row = self._entry_row(principal.account_id, watchlist_id, subject_id, wish, now)
                RequestRepository(session).add(row, *self._pictures(row, wish.uploads))
                note_filed(session, row, pictures=len(wish.uploads))
                return _kept(session, row, request, now)
        except BaseException:
            self._vault.destroy_key(subject_id)  # a key without a request would never be destroyed later
            raise

    def file_renewal(
        self, principal: Principal, subject_id: str, wish: RenewalWish, request: WriteRequest
    ) -> dict[str, Any]:
        """Asks that an entry stay longer; until that is approved it ends when it would have.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such entry.
            ConflictError: it has ended, or somebody asked already.
            UnprocessableError: terms that break a rule.
        """
        check_role(principal, REQUESTERS)
        now = self._clock()
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            subject = ListRepository(session).subject(subject_id)
            if subject is None:
                raise NotFoundError
            check_list(principal, subject.watchlist_id)
            if subject.removed_at is not None or subject.expires_at <= now:
                raise ConflictError("entry_ended", "this entry has ended: ask for a new one")
            if RequestRepository(session).pending_renewal(subject_id):
                raise ConflictError("already_requested", "somebody asked already to keep this entry longer")
            with rules_as_answers():
                check_minor(wish.minor_justification, is_minor=subject.is_minor)
                check_expiry(wish.expires_at, now, is_minor=subject.is_minor)
            row = _row(
                RequestKind.RENEWAL, RequestState.OPEN, principal.account_id, subject.watchlist_id, now
            )
            row.subject_id, row.until, row.is_minor = subject_id, wish.expires_at, subject.is_minor
            row.purpose, row.minor_justification = wish.reason, wish.minor_justification
            row.legal_basis, row.case_reference = subject.legal_basis, subject.case_reference
            RequestRepository(session).add(row)
            note_filed(session, row)
            return _kept(session, row, request, now)

    def file_deployment(
        self, principal: Principal, watchlist_id: str, wish: DeploymentWish, request: WriteRequest
    ) -> dict[str, Any]:
        """Asks that a list be searched on cameras, for a time, a place and a purpose.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such list, or it or a camera is not within her rights.
            UnprocessableError: terms that break a rule.
        """
        check_role(principal, REQUESTERS)
        now = self._clock()
        with rules_as_answers():
            check_deployment_wish(wish, now)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            if ListRepository(session).watchlist(watchlist_id) is None:
                raise NotFoundError
            row = _row(RequestKind.DEPLOYMENT, RequestState.OPEN, principal.account_id, watchlist_id, now)
            row.deployment_id = f"dep_{secrets.token_hex(8)}"
            row.purpose, row.place = wish.purpose, wish.place
            row.legal_basis, row.case_reference = wish.legal_basis, wish.case_reference
            row.starts_at, row.until = wish.starts_at, wish.ends_at
            row.cameras = sorted(set(wish.camera_ids))
            request_within(principal, row)
            RequestRepository(session).add(row)
            note_filed(session, row)
            return _kept(session, row, request, now)

    def withdraw(
        self, principal: Principal, request_id: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """Takes back one's own request; what was sealed for it is destroyed.

        Raises:
            NotFoundError: there is no such request.
            ForbiddenError: somebody else's.
            ConflictError: it has ended.
        """
        check_role(principal, REQUESTERS)
        now = self._clock()
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            row = RequestRepository(session).row(request_id, lock=True)
            if row is None:
                raise NotFoundError
            if row.requested_by != principal.account_id:
                raise ForbiddenError("not_own_request", "only who asked for it can withdraw it")
            with rules_as_answers():
                check_ending(RequestRepository(session).case(row))
            end_request(session, row, RequestState.WITHDRAWN, (principal.account_id, reason), now)
            result = _kept(session, row, request, now, status=200)
        self.destroy_sealed(row)
        return result

    def lapse_once(self) -> int:
        """Ends requests nobody decided in time; returns how many."""
        now = self._clock()
        with self._database.read() as session:
            overdue = RequestRepository(session).overdue(now - DECIDE_WITHIN, 100)
        lapsed = 0
        for request_id in overdue:
            with self._database.write() as session:
                row = RequestRepository(session).row(request_id, lock=True)
                if row is None or row.state not in (RequestState.CHECKING, RequestState.OPEN):
                    continue
                end_request(session, row, RequestState.LAPSED, (None, None), now)
            self.destroy_sealed(row)
            lapsed += 1
        return lapsed

    def destroy_sealed(self, row: ListRequest) -> None:
        """Makes what was sealed for a request that came to nothing unreadable; after its commit.

        Raises:
            SealingError: the key store cannot be written.
        """
        if row.kind == RequestKind.ENTRY and row.subject_id is not None:
            self._vault.destroy_key(row.subject_id)

    def _entry_row(
        self, account_id: str, watchlist_id: str, subject_id: str, wish: EntryWish, now: datetime
    ) -> ListRequest:
        row = _row(RequestKind.ENTRY, RequestState.CHECKING, account_id, watchlist_id, now)
        row.subject_id, row.name_sealed = subject_id, self._vault.seal_name(subject_id, wish.name.strip())
        row.purpose, row.legal_basis = wish.purpose, wish.legal_basis
        row.case_reference, row.until = wish.case_reference, wish.expires_at
        row.is_minor, row.minor_justification = wish.is_minor, wish.minor_justification
        return row

    def _pictures(self, row: ListRequest, uploads: tuple[Upload, ...]) -> list[RequestPicture]:
        subject_id, made = row.subject_id or "", []
        for position, upload in enumerate(uploads):
            reference_id = f"ref_{secrets.token_hex(12)}"
            made.append(
                RequestPicture(
                    reference_id=reference_id,
                    request_id=row.request_id,
                    position=position,
                    image_source=upload.image_source,
                    upload_sealed=self._vault.seal_upload(subject_id, reference_id, upload.data),
                )
            )
        return made


def _row(
    kind: RequestKind, state: RequestState, account_id: str, watchlist_id: str, now: datetime
) -> ListRequest:
    return ListRequest(
        request_id=new_request_id(),
        kind=kind.value,
        state=state.value,
        watchlist_id=watchlist_id,
        requested_by=account_id,
        requested_at=now,
        is_minor=False,
        findings=[],
    )


def _kept(
    session: Session, row: ListRequest, request: WriteRequest, now: datetime, *, status: int = 201
) -> dict[str, Any]:
    result = request_document(row)
    keep_result(session, request, status, result, now)
    return result
