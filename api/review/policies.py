"""What may be set about judging. How many people must agree is not among it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from api.review.cases import JUDGES_NEEDED


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """Times and shares.

    Attributes:
        hold: between the second *same person* and the confirmation.
        act_for: how long a confirmed match may be acted on.
        expire_after: how long a candidate waits for its judges.
        second_judge_share: 0 to 1, of the candidates whose first answer is *different*, how many
            get a second judge all the same.
        control_share: 0 to 1, controls mixed in per real candidate.
        control_first: whether a control comes with the very first real candidate.
        control_spread: controls enter the queue at a random moment within this time.
        claim_for: how long a review somebody opened is hers.
        minimum_look: between the first sight of a review and an answer, at least; nothing: not asked for.
        outcome_within: how long after a confirmed match its outcome is waited for before it is asked for.
        answer_within: how long an answer to a complaint may take.
    """

    hold: timedelta = timedelta(seconds=10)
    act_for: timedelta = timedelta(minutes=30)
    expire_after: timedelta = timedelta(minutes=30)
    second_judge_share: float = 0.3
    control_share: float = 0.05
    control_first: bool = False
    control_spread: timedelta = timedelta(seconds=30)
    claim_for: timedelta = timedelta(minutes=3)
    minimum_look: timedelta = timedelta(0)
    outcome_within: timedelta = timedelta(hours=24)
    answer_within: timedelta = timedelta(days=15)

    def __post_init__(self) -> None:
        for name in ("second_judge_share", "control_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("act_for", "expire_after", "claim_for", "outcome_within", "answer_within"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f"{name} must be longer than nothing, got {getattr(self, name)}")
        if min(self.hold, self.control_spread, self.minimum_look) < timedelta(0):
            raise ValueError("hold, control_spread and minimum_look cannot be negative")

    def as_document(self) -> dict[str, float | int]:
        """The policy as it is written into a receipt; the number of judges is part of it."""
        return {
            "judges": JUDGES_NEEDED,
            "hold_seconds": self.hold.total_seconds(),
            "act_for_seconds": self.act_for.total_seconds(),
            "expire_after_seconds": self.expire_after.total_seconds(),
            "minimum_look_seconds": self.minimum_look.total_seconds(),
            "second_judge_share": self.second_judge_share,
        }
