"""What the judgement machine works on: one candidate's case, and the people around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

JUDGES_NEEDED: Final = 2
"""People who must say *same person*. A floor of the product: no setting reaches it."""


class Role(StrEnum):
    """What an account is for; each account has exactly one."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Answer(StrEnum):
    """What a judge may say."""

    SAME_PERSON = "same_person"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot_tell"


class State(StrEnum):
    """Where a candidate stands."""

    OPEN = "open"
    ONE_ANSWER = "one_answer"
    CONFIRMED_HELD = "confirmed_held"
    CONFIRMED = "confirmed"
    DISAGREEMENT = "disagreement"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    CONTROL_PASSED = "control_passed"
    CONTROL_FAILED = "control_failed"


JUDGEABLE: Final = frozenset({State.OPEN, State.ONE_ANSWER})
"""States in which an answer is awaited."""


class Truth(StrEnum):
    """What is known of a control."""

    SAME = "same"
    DIFFERENT = "different"


class Resolution(StrEnum):
    """What a supervisor may do about a disagreement. There is no way to confirm among them."""

    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"
    REJUDGE = "rejudge"


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """How a judgement was proved; enough for anybody with the passkey's public key to check it again.

    Attributes:
        authenticator: the pseudonym of the passkey.
        device_id: SHA-256 of what marks the browser it was given in.
        statement: the text the passkey was put to; see `api.review.statement`.
        assertion: what the authenticator gave for it, as it is kept.
    """

    authenticator: str
    device_id: str
    statement: str
    assertion: dict[str, str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer by one person.

    Attributes:
        account_id: the pseudonym of the person.
        session_id: the login it came through.
        round: 0-based; grows when fresh judges are ordered.
        answer: what she said.
        answered_at: aware, UTC.
        reason: in her words, where she gave one.
        proof: None only in records from before judgements were proved; the database takes no new one without.
    """

    account_id: str
    session_id: str
    round: int
    answer: Answer
    answered_at: datetime
    reason: str | None = None
    proof: Proof | None = None

    @property
    def authenticator(self) -> str | None:
        """The pseudonym of the passkey it was given with."""
        return self.proof.authenticator if self.proof else None

    @property
    def device_id(self) -> str | None:
        """Which browser it was given in."""
        return self.proof.device_id if self.proof else None


@dataclass(frozen=True, slots=True)
class Case:
    """A candidate as the machine sees it: no name, no score, no picture.

    Attributes:
        candidate_id: whose case it is.
        state: where it stands.
        round: the round of judges now at work, 0-based.
        judgements: all answers so far, of all rounds, oldest first.
        expires_at: when nobody's answer makes it *not judged*.
        hold_until: end of the hold; None outside `confirmed_held`.
        truth: what is known of a control; None for a real candidate.
    """

    candidate_id: str
    state: State
    round: int
    judgements: tuple[Judgement, ...]
    expires_at: datetime
    hold_until: datetime | None = None
    truth: Truth | None = None

    @property
    def is_control(self) -> bool:
        """Whether the server made it up to see whether judges look."""
        return self.truth is not None

    @property
    def current(self) -> tuple[Judgement, ...]:
        """The answers of the round now at work."""
        return tuple(item for item in self.judgements if item.round == self.round)


@dataclass(frozen=True, slots=True)
class Judge:
    """Who wants to answer.

    Attributes:
        account_id: the pseudonym of the person.
        session_id: the login she comes through.
        role: what her account is for.
        device_id: the browser she comes with.
        authenticator: the passkey she proves it with; None as long as she has not.
    """

    account_id: str
    session_id: str
    role: Role
    device_id: str | None = None
    authenticator: str | None = None


def shared_means(one: Judge | Judgement, other: Judgement) -> str | None:
    """What two answers have in common that two people do not: `authenticator` or `device`; None where nothing."""
    if one.authenticator is not None and one.authenticator == other.authenticator:
        return "authenticator"
    if one.device_id is not None and one.device_id == other.device_id:
        return "device"
    return None


@dataclass(frozen=True, slots=True)
class Involvement:
    """Who may not judge this candidate, whatever their role.

    Attributes:
        disclosed_to: accounts to which name, list or score of this candidate was shown.
        responsible: accounts that requested or authorised the entry or the deployment.
    """

    disclosed_to: frozenset[str] = frozenset()
    responsible: frozenset[str] = frozenset()
