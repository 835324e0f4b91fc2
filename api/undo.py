"""Taking an answer back: undone while nothing rests on it, and the confirmed match retracted once something does."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, ForbiddenError, NotFoundError
from api.ledger.chain import Happening
from api.replays import WriteRequest, keep_result, replayed
from api.retractions import RetractionGround, RetractionService
from api.review import guards, machine
from api.review.cases import Case, State
from api.review.errors import NotEntitledError, NotOpenError
from api.review.policies import ReviewPolicy
from api.review.redress import RetractionCode
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.models import CandidateRecord
from api.store.reviews import ReviewRepository

UNDONE: Final = "undone"
RETRACTED: Final = "retracted"


class AnswerUndo:
    """What a judge may do about an answer she gave."""

    def __init__(
        self, database: Database, retractions: RetractionService, policy: ReviewPolicy, clock: Clock
    ) -> None:
        self._database = database
        self._retractions = retractions
        self._policy = policy
        self._clock = clock

    def take_back(
        self, principal: Principal, review_id: str, reason: str | None, request: WriteRequest
    ) -> dict[str, Any]:
        """Takes her answer back.

        Her answer stays in the records and counts for nothing; she answers this candidate no more. Where a
        receipt rests on it by now, two people do not stand by it any more, and it is retracted.

        Returns:
            `{review_id, result, at}` as JSON values; `result` is `undone` or `retracted`.

        Raises:
            ForbiddenError: she is no operator.
            NotFoundError: no review she has answered.
            ConflictError: something else has come of it, and it is hers no more; or it is retracted already.
        """
        _check_operator(principal)
        with self._database.write() as session:
            now = self._clock()
            review, candidates = ReviewRepository(session).row(review_id), CandidateRepository(session)
            row = None if review is None else candidates.row(review.candidate_id, lock=True)
            if row is None:
                raise NotFoundError
            before = replayed(session, request)  # under the lock: the same request may come twice at once
            if before is not None:
                return before
            case = candidates.case(row)
            if all(item.account_id != principal.account_id for item in case.judgements):
                raise NotFoundError
            done = self._done(session, row, case, principal, reason, now)
            result = {"review_id": review_id, "result": done, "at": now.isoformat()}
            keep_result(session, request, 200, result, now)
            return result

    def _done(
        self,
        session: Session,
        row: CandidateRecord,
        case: Case,
        principal: Principal,
        reason: str | None,
        now: datetime,
    ) -> str:
        account_id = principal.account_id
        if case.state is State.CONFIRMED and any(item.account_id == account_id for item in case.current):
            words = reason or "a judge took her answer back"
            ground = RetractionGround(RetractionCode.JUDGE_ERROR, words, account_id)
            self._retractions.retract_in(session, row.candidate_id, ground, now)
            return RETRACTED
        try:
            undone = machine.undo(case, account_id, now, self._policy)
        except NotOpenError as error:
            raise ConflictError("too_late", str(error)) from error
        candidates = CandidateRepository(session)
        candidates.withdraw_judgement(row.candidate_id, account_id, reason, now)
        candidates.save(row, undone)
        detail = {"round": undone.round, "state": undone.state.value}
        LedgerRepository(session).append(
            Happening("judgement_undone", now, account_id, f"candidate:{row.candidate_id}", detail)
        )
        return UNDONE


def _check_operator(principal: Principal) -> None:
    try:
        guards.check_role(principal.role)
    except NotEntitledError as error:
        raise ForbiddenError(error.code, str(error)) from error
