"""Everything that follows an answer: undo, retraction, the outcome of the contact, complaints, and what is owed."""

from __future__ import annotations

from dataclasses import dataclass

from api.after_watch import AfterWatch
from api.clock import Clock, Draw
from api.clockwork import Issuer
from api.complaints import ComplaintService
from api.outcomes import OutcomeService
from api.reexaminations import Reexaminer
from api.retractions import RetractionService
from api.store.engine import Database
from api.undo import AnswerUndo


@dataclass(frozen=True, slots=True, repr=False)
class AfterServices:
    """The services of it."""

    undo: AnswerUndo
    retractions: RetractionService
    outcomes: OutcomeService
    complaints: ComplaintService
    reexaminer: Reexaminer
    watch: AfterWatch


def build_after(database: Database, issuer: Issuer, clock: Clock, chance: Draw) -> AfterServices:
    """All of them, over one database."""
    policy, retractions = issuer.policy, RetractionService(database, issuer, clock)
    return AfterServices(
        undo=AnswerUndo(database, retractions, policy, clock),
        retractions=retractions,
        outcomes=OutcomeService(database, policy, clock),
        complaints=ComplaintService(database, retractions, policy, clock),
        reexaminer=Reexaminer(database, policy, clock, chance),
        watch=AfterWatch(database, policy, clock),
    )
