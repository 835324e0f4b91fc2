"""What the demo must have shown, and whether it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiqyn.demo.footage.truth import GroundTruth
from aiqyn.demo.operators import Given

OPERATORS_PER_JUDGEMENT = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """One candidate at the end, as the supervisor's screen has it.

    Attributes:
        name: of the listed person it was compared with.
        state: of the judgement machine.
        is_control: whether the server mixed it in.
        answers: of its judges, in the order given.
    """

    candidate_id: str
    name: str
    state: str
    is_control: bool
    answers: tuple[str, ...]

    @property
    def judged(self) -> str:
        """What its judges made of it, in the words for a real candidate."""
        if not self.is_control:
            return self.state
        return "rejected" if set(self.answers) == {"different"} else "not rejected"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One entry of the confirmed stream; it exists only once its receipt has been verified."""

    candidate_id: str
    receipt: str
    judges: tuple[str, ...]
    verified: bool = True


def outcome_of(row: dict[str, Any]) -> Outcome:
    """An item of `GET /api/v1/candidates` as an outcome."""
    return Outcome(
        candidate_id=row["candidate_id"],
        name=row["name"],
        state=row["state"],
        is_control=bool(row["is_control"]),
        answers=tuple(judgement["answer"] for judgement in row["judgements"]),
    )


def missing(
    truth: GroundTruth, outcomes: Sequence[Outcome], confirmed: Sequence[Confirmed], given: Sequence[Given]
) -> list[str]:
    """What the demo should have shown and did not, one line each; empty when it showed all.

    Args:
        truth: who is in the clip and who is listed.
        outcomes: every candidate, controls among them.
        confirmed: the verified entries of the confirmed stream.
        given: all answers of the scripted operators.
    """
    real = [outcome for outcome in outcomes if not outcome.is_control]
    controls = [outcome for outcome in outcomes if outcome.is_control]
    expected = {person.subject_id for person in truth.persons if person.subject_id and person.appears}
    absent = {person.subject_id for person in truth.persons if person.subject_id and not person.appears}
    confirmed_names = {outcome.name for outcome in real if outcome.state == "confirmed"}
    problems = [f"{name} appears in the clip and was not confirmed" for name in expected - confirmed_names]
    problems += [f"{name} never appears and was confirmed" for name in absent & confirmed_names]
    problems += _stream_problems(real, controls, confirmed)
    if not controls:
        problems.append("no control was mixed in")
    rejected = all(control.judged == "rejected" for control in controls)
    if not rejected or any(len(control.answers) != OPERATORS_PER_JUDGEMENT for control in controls):
        problems.append("a control was not rejected by both operators")
    if any(count > 1 for count in Counter((item.username, item.review_id) for item in given).values()):
        problems.append("an operator was asked twice about one candidate")
    return problems


def _stream_problems(
    real: Sequence[Outcome], controls: Sequence[Outcome], confirmed: Sequence[Confirmed]
) -> list[str]:
    """Whether the stream holds exactly the confirmed candidates, each with two judges."""
    published = {item.candidate_id for item in confirmed}
    agreed = {outcome.candidate_id for outcome in real if outcome.state == "confirmed"}
    problems = []
    if published != agreed:
        problems.append(f"{len(agreed)} candidates were confirmed and {len(published)} published")
    if published & {outcome.candidate_id for outcome in controls}:
        problems.append("a control reached the confirmed stream")
    if any(len(set(item.judges)) != OPERATORS_PER_JUDGEMENT for item in confirmed):
        problems.append("a receipt does not rest on two people")
    return problems
