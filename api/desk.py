"""The operator's desk: her queue, what she is shown, her answer, and what she is told afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from api.awaited import AnswerGiven, awaiting, shown_to_judges
from api.claims import check_looked
from api.clock import Clock, Draw
from api.errors import ConflictError, ForbiddenError, NotFoundError
from api.ledger.chain import Happening
from api.pagination import not_ours
from api.principals import Principal
from api.proofs import Asked, JudgementProof, Prover
from api.replays import WriteRequest, keep_result, replayed
from api.review import guards, machine
from api.review.cases import JUDGEABLE, Case, Involvement, Judge, Judgement, Proof, State
from api.review.errors import AlreadyJudgedError, NotEntitledError, NotOpenError
from api.review.policies import ReviewPolicy
from api.review.presentation import Presentation
from api.review.statement import statement_digest
from api.sight import asking, claimed, has_answered, visible
from api.store.candidates import CandidateRepository
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.listings import ListingRepository
from api.store.lists import ListRepository
from api.store.models import CandidateRecord, PresentedEvidence, Review
from api.store.queue import QueuePosition, QueueRepository
from api.store.reviews import ReviewRepository
from api.vault import SubjectVault
from pipelines.events import EvidenceItem

__all__ = ["AnswerGiven", "EvidenceSource", "Revealed", "ReviewDesk", "ShownEvidence"]


class EvidenceSource(Protocol):
    """Opens sealed evidence."""

    def read(self, item: EvidenceItem) -> bytes:
        """The picture (JPEG) or clip."""


@dataclass(frozen=True, slots=True, repr=False)
class ShownEvidence:
    """A picture or clip as it is shown."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True, repr=False)
class Revealed:
    """What a judge is told once she has answered."""

    review_id: str
    name: str
    watchlist: str
    similarity: float
    threshold: float
    outcome: State | None


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a candidate stands under its lock, read once for one answer."""

    case: Case
    involvement: Involvement

    @classmethod
    def of(cls, session: Session, row: CandidateRecord) -> _Standing:
        candidates = CandidateRepository(session)
        return cls(candidates.case(row), candidates.involvement(row))


class ReviewDesk:
    """Everything an operator does."""

    def __init__(
        self,
        database: Database,
        vault: SubjectVault,
        evidence: EvidenceSource,
        policy: ReviewPolicy,
        prover: Prover,
        clock: Clock,
        draw: Draw,
    ) -> None:
        self._database = database
        self._vault = vault
        self._evidence = evidence
        self._policy = policy
        self._prover = prover
        self._clock = clock
        self._draw = draw

    def queue(self, principal: Principal, after: str | None, limit: int) -> list[Presentation]:
        """The reviews she may answer now, oldest first; none whose existence would tell her anything.

        Args:
            principal: who asks.
            after: the last review of the page before.
            limit: reviews at most.

        Raises:
            BadRequestError: there is no review `after`.
        """
        _check_operator(principal)
        now = self._clock()
        with self._database.look() as session:
            reviews = ReviewRepository(session)
            place = _place(reviews, after)
            queued = QueueRepository(session).open_for(asking(principal), now, place, limit)
            review_ids = [one.review_id for one in queued]
            fresh = ListingRepository(session).unlisted(principal.account_id, review_ids)
        gone = set(fresh) - set(self._list(principal, fresh, now)) if fresh else set()
        # Read after that: as it is from its listing on, and not as it was when it was found.
        with self._database.look() as session:
            return ReviewRepository(session).listed([one for one in review_ids if one not in gone], now)

    def _list(self, principal: Principal, review_ids: list[str], now: datetime) -> list[str]:
        """Those that still wait; from here on nothing changes what they show."""
        with self._database.write() as session:
            kept = ListingRepository(session).list_to(principal.account_id, review_ids, now)
            if kept:
                _note(session, "reviews_listed", now, principal, None, {"reviews": kept})
            return kept

    def review(self, principal: Principal, review_id: str) -> Presentation:
        """One review that is open to her, or that she has answered.

        Raises:
            NotFoundError: it is neither; whether it exists is not told.
        """
        _check_operator(principal)
        now = self._clock()
        with self._database.write() as session:
            row = claimed(session, principal, review_id, now, self._policy)
            shown = ReviewRepository(session).load([row], now)[0]
            _note(session, "review_viewed", now, principal, f"review:{review_id}")
            return shown

    def picture(self, principal: Principal, evidence_id: str) -> ShownEvidence:
        """One picture or clip of a review that is open to her, or that she has answered.

        Raises:
            NotFoundError: it belongs to neither.
            EvidenceError: the sealed picture is gone or was changed.
        """
        _check_operator(principal)
        now = self._clock()
        with self._database.write() as session:
            picture = ReviewRepository(session).picture(evidence_id, now)
            if picture is None:
                raise NotFoundError
            row = claimed(session, principal, picture.review_id, now, self._policy)
            about = f"review:{row.review_id}"
            _note(session, "evidence_viewed", now, principal, about, {"kind": picture.kind})
        return self._open(picture)

    def ask_proof(self, principal: Principal, review_id: str, given: AnswerGiven) -> Asked:
        """What she has to put her passkey to before this answer is taken; refused where the answer would be.

        Raises:
            ForbiddenError, NotFoundError, ConflictError: as `judge`.
        """
        with self._database.write() as session:
            now = self._clock()
            review, row = awaiting(session, principal, review_id, now)
            self._answered(_Standing.of(session, row), session, review, principal, given, now)
            CandidateRepository(session).claim(row, now)
            asked = self._prover.ask(session, principal, shown_to_judges(session, review, given, now), now)
            _note(session, "judgement_begun", now, principal, f"review:{review_id}")
            return asked

    def judge(
        self,
        principal: Principal,
        review_id: str,
        given: AnswerGiven,
        proof: JudgementProof,
        request: WriteRequest,
    ) -> dict[str, Any]:
        """Her answer, taken once; the same request again gives the same result and no second answer.

        Returns:
            `{review_id, answer, answered_at}` as JSON values: nothing about what follows from it.

        Raises:
            ForbiddenError: she is no operator, was told too much, had a part in the entry, did not prove that just
                this is her answer, or works in a browser in which this candidate has been answered.
            NotFoundError: no such review.
            ConflictError: she has answered, it is closed, she cannot have looked at it yet, or the proof was asked for too
                long ago.
        """
        with self._database.write() as session:
            now = self._clock()
            review, row = awaiting(session, principal, review_id, now)
            before = replayed(session, request)  # under the lock: the same request may come twice at once
            if before is not None:
                return before
            standing = _Standing.of(session, row)
            self._answered(standing, session, review, principal, given, now)  # who may not is told that first
            candidates = CandidateRepository(session)
            candidates.claim(row, now)
            shown = shown_to_judges(session, review, given, now)
            proved = self._prover.prove(session, principal, shown, proof, now)
            case = self._answered(standing, session, review, principal, given, now, proved)
            candidates.add_judgement(row.candidate_id, case.judgements[-1])
            candidates.save(row, case)
            detail = {
                "answer": given.answer.value,
                "round": case.round,
                "state": case.state.value,
                "authenticator": proved.authenticator,
                "statement_sha256": statement_digest(proved.statement).hex(),
            }
            if given.reason_code is not None:
                detail["reason_code"] = given.reason_code.value
            result = {
                "review_id": review_id,
                "answer": given.answer.value,
                "answered_at": now.isoformat(),
            }
            keep_result(session, request, 201, result, now)
            _note(session, "judged", now, principal, f"review:{review_id}", detail)
            return result

    def _answered(
        self,
        standing: _Standing,
        session: Session,
        review: Review,
        principal: Principal,
        given: AnswerGiven,
        now: datetime,
        proof: Proof | None = None,
    ) -> Case:
        """The case with her answer; nothing is kept yet. Without proof: what would come of it."""
        case = standing.case
        authenticator = proof.authenticator if proof else None
        judge = Judge(
            principal.account_id, principal.session_id, principal.role, principal.device_id, authenticator
        )
        answer = Judgement(
            account_id=judge.account_id,
            session_id=judge.session_id,
            round=case.round,
            answer=given.answer,
            answered_at=now,
            reason=given.reason,
            reason_code=given.reason_code,
            proof=proof,
        )
        try:
            guards.check_may_judge(case, judge, standing.involvement)
            if proof is None:  # which comes first, in the same transaction: once is enough
                check_looked(session, review.review_id, principal, now, self._policy)
            return machine.record_answer(case, answer, self._policy, self._draw())
        except NotEntitledError as error:
            raise ForbiddenError(error.code, str(error)) from error
        except AlreadyJudgedError as error:
            raise ConflictError("already_judged", str(error)) from error
        except NotOpenError as error:
            raise ConflictError("review_closed", str(error)) from error

    def reveal(self, principal: Principal, review_id: str) -> Revealed:
        """Name, list and score of a candidate she has answered; from then on she has been told.

        Raises:
            NotFoundError: no such review for her.
            ForbiddenError: she has not answered it.
        """
        _check_operator(principal)
        now = self._clock()
        with self._database.write() as session:
            review = visible(session, principal, review_id, now)
            candidates = CandidateRepository(session)
            row = candidates.row(review.candidate_id)
            if row is None or not has_answered(candidates.case(row), principal):
                raise ForbiddenError("not_answered", "answer first; then you are told")
            candidates.disclose([row.candidate_id], principal.account_id, "reveal", now)
            _note(session, "revealed", now, principal, f"review:{review_id}")
            return self._told(session, review_id, row)

    def _told(self, session: Session, review_id: str, row: CandidateRecord) -> Revealed:
        lists = ListRepository(session)
        subject, watchlist = lists.subject(row.subject_id), lists.watchlist(row.watchlist_id)
        if subject is None or watchlist is None:
            raise NotFoundError
        state = State(row.state)
        return Revealed(
            review_id=review_id,
            name=self._vault.open_name(subject.subject_id, subject.name_sealed),
            watchlist=watchlist.name,
            similarity=row.similarity,
            threshold=row.threshold,
            outcome=None if state in JUDGEABLE else state,
        )

    def _open(self, picture: PresentedEvidence) -> ShownEvidence:
        if picture.reference_id is None:
            item = EvidenceItem.model_validate(picture.sealed)
            return ShownEvidence(self._evidence.read(item), item.media_type)
        with self._database.read() as session:
            reference = ListRepository(session).reference(picture.reference_id)
        if reference is None:
            raise NotFoundError
        portrait = self._vault.open_portrait(
            reference.subject_id, reference.reference_id, reference.portrait_sealed
        )
        return ShownEvidence(portrait, "image/jpeg")


def _check_operator(principal: Principal) -> None:
    try:
        guards.check_role(principal.role)
    except NotEntitledError as error:
        raise ForbiddenError(error.code, str(error)) from error


def _place(reviews: ReviewRepository, after: str | None) -> QueuePosition | None:
    if after is None:
        return None
    row = reviews.row(after)
    if row is None:
        raise not_ours()
    return row.queued_at, row.review_id


def _note(
    session: Session,
    kind: str,
    now: datetime,
    principal: Principal,
    about: str | None,
    detail: dict[str, Any] | None = None,
) -> None:
    LedgerRepository(session).append(Happening(kind, now, principal.account_id, about, detail or {}))
