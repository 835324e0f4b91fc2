"""Decisions on requests: what a second person approves comes into force, in the transaction that says so."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, NotFoundError
from api.ledger.chain import Happening
from api.list_requests import RequestService
from api.list_rights import check_list, request_within
from api.list_rules import rules_as_answers
from api.principals import check_role
from api.replays import WriteRequest, keep_result, replayed
from api.request_records import end_request, entry_terms, request_document
from api.review.deployments import DeploymentTerms, check_deployment
from api.review.requests import (
    AUTHORISERS,
    RequestKind,
    RequestState,
    check_approval,
    check_refusal,
)
from api.review.watchlists import check_entry, check_size
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository, person_key
from api.store.models import (
    ListRequest,
    ReferenceTemplate,
    RequestPicture,
    Subject,
    SubjectReference,
)
from api.store.people import PeopleRepository
from api.store.requests import RequestRepository

MOST_AT_ONCE: Final = 200
"""Requests of an import decided in one transaction."""


class DecisionService:
    """What authorisers do: approve or refuse what somebody else asked for."""

    def __init__(self, database: Database, requests: RequestService, clock: Clock) -> None:
        self._database = database
        self._requests = requests
        self._clock = clock

    def approve(
        self, principal: Principal, request_id: str, findings_seen: int, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """What was asked for comes into force.

        Args:
            findings_seen: how many findings of the check of its pictures she was shown.

        Returns:
            The request as JSON values.

        Raises:
            ForbiddenError: not an authoriser, or her own request.
            NotFoundError: there is no such request.
            ConflictError: it has ended, is not checked, or shows other findings.
            UnprocessableError: its terms do not hold any more: it ran out, or the list is full.
        """
        check_role(principal, AUTHORISERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            row = self._locked(session, principal, request_id)
            self._approve(session, principal, row, findings_seen, reason)
            return self._kept(session, request, request_document(row))

    def refuse(
        self, principal: Principal, request_id: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """Nothing comes of it, and what was sealed for it is destroyed; arguments and errors as `approve`."""
        check_role(principal, AUTHORISERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            row = self._locked(session, principal, request_id)
            self._refuse(session, principal, row, reason)
            result = self._kept(session, request, request_document(row))
        self._requests.destroy_sealed(row)
        return result

    def approve_import(
        self, principal: Principal, import_id: str, findings_seen: int, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """The next `MOST_AT_ONCE` requests of an import that wait come into force, or none of these.

        A call for each part, so that thousands of entries do not keep every other writer waiting.

        Args:
            findings_seen: over all that wait.

        Returns:
            `{import_id, decided, waiting, findings}` as JSON values; the last two are of what waits still.

        Raises:
            As `approve`; the first request that cannot be approved undoes its part.
        """
        check_role(principal, AUTHORISERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            waiting = self._waiting(session, principal, import_id)
            found = sum(waiting.values())
            if found != findings_seen:
                raise ConflictError(
                    "not_decidable",
                    f"the check found {found} things, and findings_seen says {findings_seen}: read them",
                )
            part = list(waiting)[:MOST_AT_ONCE]
            for request_id in part:
                row = self._locked(session, principal, request_id)
                self._approve(session, principal, row, len(row.findings), reason)
            return self._kept(session, request, _import_document(import_id, waiting, part))

    def refuse_import(
        self, principal: Principal, import_id: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """Nothing comes of the next `MOST_AT_ONCE` requests of an import that wait; as `refuse`."""
        check_role(principal, AUTHORISERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            waiting = self._waiting(session, principal, import_id)
            part = list(waiting)[:MOST_AT_ONCE]
            rows = [self._locked(session, principal, request_id) for request_id in part]
            for row in rows:
                self._refuse(session, principal, row, reason)
            result = self._kept(session, request, _import_document(import_id, waiting, part))
        for row in rows:
            self._requests.destroy_sealed(row)
        return result

    def _locked(self, session: Session, principal: Principal, request_id: str) -> ListRequest:
        return request_within(principal, RequestRepository(session).row(request_id, lock=True))

    def _waiting(self, session: Session, principal: Principal, import_id: str) -> dict[str, int]:
        requests = RequestRepository(session)
        run = requests.import_run(import_id)
        if run is None:
            raise NotFoundError
        check_list(principal, run.watchlist_id)
        waiting = requests.waiting_of_import(import_id)
        if not waiting:
            raise ConflictError("not_decidable", "no request of this import waits for anybody")
        return waiting

    def _refuse(self, session: Session, principal: Principal, row: ListRequest, reason: str) -> None:
        with rules_as_answers():
            check_refusal(RequestRepository(session).case(row), principal.account_id)
        end_request(session, row, RequestState.REFUSED, (principal.account_id, reason), self._clock())

    def _approve(
        self, session: Session, principal: Principal, row: ListRequest, findings_seen: int, reason: str
    ) -> None:
        with rules_as_answers():
            check_approval(RequestRepository(session).case(row), principal.account_id, findings_seen)
            # First, because the database takes nothing of a request that is not approved.
            end_request(session, row, RequestState.APPROVED, (principal.account_id, reason), self._clock())
            people = (_username(session, row.requested_by), principal.username)
            if row.kind == RequestKind.ENTRY:
                self._list_subject(session, row, people)
            elif row.kind == RequestKind.RENEWAL:
                self._renew(session, row, people)
            else:
                self._deploy(session, row, people)

    def _list_subject(self, session: Session, row: ListRequest, people: tuple[str, str]) -> None:
        now, lists = self._clock(), ListRepository(session)
        pictures = [one for one in RequestRepository(session).pictures(row.request_id) if one.outcome == "ok"]
        terms = entry_terms(row, people, pictures[0].image_source)
        check_entry(terms, now)
        watchlist = lists.watchlist(row.watchlist_id)
        if watchlist is None:
            raise NotFoundError
        check_size(lists.listed_count(row.watchlist_id, now), 1, watchlist.max_entries)
        lists.add(
            Subject(
                subject_id=row.subject_id,
                watchlist_id=row.watchlist_id,
                name_sealed=row.name_sealed,
                requested_by=people[0],
                requested_by_key=person_key(people[0]),
                authorised_by=people[1],
                authorised_by_key=person_key(people[1]),
                legal_basis=terms.legal_basis,
                case_reference=terms.case_reference,
                image_source=terms.image_source,
                created_at=now,
                expires_at=terms.expires_at,
                purpose=terms.purpose,
                is_minor=terms.is_minor,
                minor_justification=terms.minor_justification,
                request_id=row.request_id,
            )
        )
        for position, picture in enumerate(pictures):
            lists.add(self._reference(row, picture, position))
            lists.add(self._template(picture))
        RequestRepository(session).drop_pictures(row.request_id)
        self._note(session, row, "entry_added", f"subject:{row.subject_id}", references=len(pictures))

    def _reference(self, row: ListRequest, picture: RequestPicture, position: int) -> SubjectReference:
        return SubjectReference(
            reference_id=picture.reference_id,
            subject_id=row.subject_id,
            position=position,
            portrait_sealed=picture.portrait_sealed,
            portrait_width=picture.portrait_width,
            portrait_height=picture.portrait_height,
            created_at=self._clock(),
            image_source=picture.image_source,
        )

    def _template(self, picture: RequestPicture) -> ReferenceTemplate:
        return ReferenceTemplate(
            reference_id=picture.reference_id,
            recipe_sha256=picture.recipe_sha256,
            embedder_id=picture.embedder_id,
            embedder_sha256=picture.embedder_sha256,
            preprocessing=picture.preprocessing,
            template_sealed=picture.template_sealed,
            created_at=self._clock(),
        )

    def _renew(self, session: Session, row: ListRequest, people: tuple[str, str]) -> None:
        now = self._clock()
        subject = ListRepository(session).subject(row.subject_id or "")
        if subject is None or subject.removed_at is not None or subject.expires_at <= now:
            raise ConflictError("entry_ended", "the entry has ended in the meantime: ask for a new one")
        check_entry(entry_terms(row, people, subject.image_source), now)
        subject.expires_at = row.until
        session.flush()
        self._note(session, row, "entry_renewed", f"subject:{row.subject_id}")

    def _deploy(self, session: Session, row: ListRequest, people: tuple[str, str]) -> None:
        terms = DeploymentTerms(
            deployment_id=row.deployment_id or "",
            watchlist_id=row.watchlist_id,
            camera_ids=frozenset(row.cameras or ()),
            purpose=row.purpose,
            requested_by=people[0],
            authorised_by=people[1],
            starts_at=row.starts_at or row.requested_at,
            ends_at=row.until,
            place=row.place or "",
        )
        check_deployment(terms, self._clock())
        ListRepository(session).add_deployment(terms, self._clock(), row.request_id)
        cameras = sorted(terms.camera_ids)
        self._note(session, row, "deployment_added", f"deployment:{row.deployment_id}", cameras=cameras)

    def _note(self, session: Session, row: ListRequest, kind: str, about: str, **detail: object) -> None:
        told = {
            "watchlist_id": row.watchlist_id,
            "request_id": row.request_id,
            "until": row.until.isoformat(),
        }
        LedgerRepository(session).append(
            Happening(kind, self._clock(), row.ended_by or "", about, told | detail)
        )

    def _kept(self, session: Session, request: WriteRequest, result: dict[str, Any]) -> dict[str, Any]:
        keep_result(session, request, 200, result, self._clock())
        return result


def _import_document(import_id: str, waiting: dict[str, int], decided: list[str]) -> dict[str, Any]:
    left = {request_id: found for request_id, found in waiting.items() if request_id not in set(decided)}
    return {
        "import_id": import_id,
        "decided": len(decided),
        "waiting": len(left),
        "findings": sum(left.values()),
    }


def _username(session: Session, account_id: str) -> str:
    account = PeopleRepository(session).by_id(account_id)
    if account is None:
        raise NotFoundError
    return account.username
