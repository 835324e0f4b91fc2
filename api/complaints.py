"""Complaints: filed for a person, re-examined by people who never saw it, answered by a date."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, ForbiddenError, NotFoundError
from api.grievances import Grievance, candidates_of, hold_for
from api.ledger.chain import Happening
from api.oversight import within_rights
from api.principals import OVERSEERS, SUPERVISORS, check_role
from api.reexaminations import finding
from api.replays import WriteRequest, keep_result, replayed
from api.retractions import RetractionGround, RetractionService
from api.review.errors import RedressError
from api.review.policies import ReviewPolicy
from api.review.redress import (
    ComplaintOutcome,
    ComplaintState,
    Examined,
    RetractionCode,
    to_retract,
)
from api.store.after import ComplaintPosition, ComplaintRepository
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.evidence import HoldRepository
from api.store.ledger import LedgerRepository, OutboxRepository
from api.store.models import Complaint


@dataclass(frozen=True, slots=True)
class ComplaintAnswer:
    """How a complaint is answered.

    Attributes:
        outcome: upheld or not, or nothing found.
        answer: in words, to the person; kept with the complaint, not in the ledger.
        retract: candidates it is about that are to be retracted, besides those that must be.
    """

    outcome: ComplaintOutcome
    answer: str
    retract: frozenset[str] = frozenset()


class ComplaintService:
    """Takes complaints, and answers."""

    def __init__(
        self, database: Database, retractions: RetractionService, policy: ReviewPolicy, clock: Clock
    ) -> None:
        self._database = database
        self._retractions = retractions
        self._policy = policy
        self._clock = clock

    def file(self, principal: Principal, grievance: Grievance, request: WriteRequest) -> dict[str, Any]:
        """Takes a complaint; nothing of the candidates it is about is deleted until it is answered.

        Returns:
            The complaint as JSON values.

        Raises:
            ForbiddenError: not a supervisor.
            NotFoundError: there is no such candidate or camera within her rights.
            UnprocessableError: a time that is none, or a time and place with too many candidates.
        """
        check_role(principal, SUPERVISORS)
        with self._database.write() as session:
            now, complaints = self._clock(), ComplaintRepository(session)
            before = replayed(session, request)
            if before is not None:
                return before
            if grievance.camera_id is not None and not principal.scope.allows_camera(grievance.camera_id):
                raise NotFoundError
            about = candidates_of(session, grievance)
            for candidate_id in about:
                within_rights(principal, CandidateRepository(session).row(candidate_id))
            complaint = Complaint(
                complaint_id=f"cmp_{secrets.token_hex(12)}",
                candidate_id=grievance.candidate_id,
                camera_id=grievance.camera_id,
                from_at=grievance.from_at,
                to_at=grievance.to_at,
                reference=grievance.reference,
                received_at=now,
                due_at=now + self._policy.answer_within,
                state=ComplaintState.OPEN.value,
                filed_by=principal.account_id,
            )
            complaints.add(complaint)
            for candidate_id in about:
                hold = hold_for(candidate_id, complaint, now)
                HoldRepository(session).add(hold)
                complaints.link(complaint.complaint_id, candidate_id, hold.hold_id)
            _note(session, "complaint_filed", now, principal, complaint, {"candidates": about})
            result = complaint_document(session, complaint)
            keep_result(session, request, 201, result, now)
            return result

    def complaints(
        self,
        principal: Principal,
        after: ComplaintPosition | None,
        limit: int,
        state: ComplaintState | None,
    ) -> list[dict[str, Any]]:
        """Complaints within her rights as JSON values, those due first first."""
        check_role(principal, OVERSEERS)
        with self._database.read() as session:
            rows = ComplaintRepository(session).page(principal.scope, after, limit, state)
            return [complaint_document(session, row) for row in rows]

    def complaint(self, principal: Principal, complaint_id: str) -> dict[str, Any]:
        """One complaint as JSON values, with what was found of each candidate it is about.

        Raises:
            NotFoundError: there is none of that id, or not within her rights.
        """
        check_role(principal, OVERSEERS)
        with self._database.read() as session:
            row = ComplaintRepository(session).row(principal.scope, complaint_id)
            if row is None:
                raise NotFoundError
            return complaint_document(session, row)

    def answer(
        self, principal: Principal, complaint_id: str, given: ComplaintAnswer, request: WriteRequest
    ) -> dict[str, Any]:
        """Answers a complaint once two fresh judges have looked at all it is about.

        What they did not both call the same person is retracted with it, if it is still in force.

        Returns:
            The complaint as JSON values.

        Raises:
            ForbiddenError: not a supervisor, or one who had a part in what it is about.
            NotFoundError: there is no such complaint, or not within her rights.
            ConflictError: it is answered, not re-examined yet, or the answer is not what was found.
        """
        check_role(principal, SUPERVISORS)
        with self._database.write() as session:
            now, complaints = self._clock(), ComplaintRepository(session)
            complaint = complaints.row(principal.scope, complaint_id, lock=True)
            if complaint is None:
                raise NotFoundError
            before = replayed(session, request)
            if before is not None:
                return before
            if complaint.state == ComplaintState.ANSWERED.value:
                raise ConflictError("already_answered", "this complaint is answered")
            about = [link.candidate_id for link in complaints.links(complaint_id)]
            _check_apart(session, principal, about)
            # Holds before the ledger's head, as whoever lifts one locks them: no two wait for each other.
            _close(session, principal, complaint, given, now)
            retracted = self._retract(session, principal, complaint, about, given, now)
            detail = {"outcome": given.outcome.value, "retracted": retracted}
            _note(session, "complaint_answered", now, principal, complaint, detail)
            result = complaint_document(session, complaint)
            keep_result(session, request, 200, result, now)
            return result

    def _retract(
        self,
        session: Session,
        principal: Principal,
        complaint: Complaint,
        about: Sequence[str],
        given: ComplaintAnswer,
        now: datetime,
    ) -> list[str]:
        candidates = CandidateRepository(session)
        for candidate_id in about:
            candidates.row(candidate_id, lock=True)
        examined = {key: _examined(session, complaint.complaint_id, key) for key in about}
        try:
            wanted = sorted(to_retract(given.outcome, examined, given.retract))
        except RedressError as error:
            raise ConflictError(error.code, str(error)) from error
        words = f"complaint {complaint.complaint_id} was upheld"
        ground = RetractionGround(RetractionCode.COMPLAINT_UPHELD, words, principal.account_id)
        for candidate_id in wanted:
            self._retractions.retract_in(session, candidate_id, ground, now)
        return wanted


def complaint_document(session: Session, row: Complaint) -> dict[str, Any]:
    """A complaint as JSON values. It names nobody, and tells of no candidate more than what judges found."""
    links = ComplaintRepository(session).links(row.complaint_id)
    times = {
        name: getattr(row, name) for name in ("from_at", "to_at", "received_at", "due_at", "answered_at")
    }
    plain = (
        "complaint_id",
        "candidate_id",
        "camera_id",
        "reference",
        "state",
        "outcome",
        "answer",
        "answered_by",
        "filed_by",
    )
    return {
        **{name: getattr(row, name) for name in plain},
        **{name: None if time is None else time.isoformat() for name, time in times.items()},
        "candidates": [
            {
                "candidate_id": link.candidate_id,
                "finding": finding(session, row.complaint_id, link.candidate_id).value,
                "in_force": _in_force(session, link.candidate_id),
            }
            for link in links
        ],
    }


def _check_apart(session: Session, principal: Principal, about: Sequence[str]) -> None:
    """Lets through who had no part in what the complaint is about.

    Raises:
        ForbiddenError: she requested or authorised an entry or deployment, or decided a disagreement.
    """
    candidates = CandidateRepository(session)
    people = set(ComplaintRepository(session).resolvers(about))
    for candidate_id in about:
        row = candidates.row(candidate_id)
        people |= candidates.involvement(row).responsible if row is not None else frozenset()
    if principal.account_id in people:
        raise ForbiddenError("responsible", "this account had a part in what the complaint is about")


def _close(
    session: Session, principal: Principal, complaint: Complaint, given: ComplaintAnswer, now: datetime
) -> None:
    for link in ComplaintRepository(session).links(complaint.complaint_id):
        hold = HoldRepository(session).row(link.hold_id)
        if hold is not None and hold.lifted_at is None:
            hold.lifted_by, hold.lifted_at = principal.account_id, now
            hold.lifted_reason = f"complaint {complaint.complaint_id} is answered"
    complaint.state = ComplaintState.ANSWERED.value
    complaint.outcome, complaint.answer = given.outcome.value, given.answer
    complaint.answered_by, complaint.answered_at = principal.account_id, now
    session.flush()


def _examined(session: Session, complaint_id: str, candidate_id: str) -> Examined:
    return Examined(finding(session, complaint_id, candidate_id), _in_force(session, candidate_id))


def _in_force(session: Session, candidate_id: str) -> bool:
    outbox = OutboxRepository(session)
    return outbox.receipt(candidate_id) is not None and outbox.retraction(candidate_id) is None


def _note(
    session: Session,
    kind: str,
    now: datetime,
    principal: Principal,
    complaint: Complaint,
    detail: dict[str, Any],
) -> None:
    about = f"complaint:{complaint.complaint_id}"
    LedgerRepository(session).append(Happening(kind, now, principal.account_id, about, detail))
