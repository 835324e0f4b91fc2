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
    AUTHORISER = "authoriser"
    INTEGRATOR = "integrator"
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
    REEXAMINED_SAME = "reexamined_same"
    REEXAMINED_OTHER = "reexamined_other"


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


class ReasonCode(StrEnum):
    """Why somebody answered as she did, in a word that can be counted."""

    FEATURES_AGREE = "features_agree"
    DISTINCTIVE_MARK = "distinctive_mark"
    FEATURES_DIFFER = "features_differ"
    AGE_OR_BUILD = "age_or_build"
    POOR_PICTURE = "poor_picture"
    FACE_COVERED = "face_covered"
    ANGLE = "angle"
    POOR_REFERENCE = "poor_reference"


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
        reason_code: in a word that can be counted, where she gave one.
        withdrawn_at: when she took it back: it stays in the records and counts for nothing; None: it stands.
        proof: None only in records from before judgements were proved; the database takes no new one without.
    """

    account_id: str
    session_id: str
    round: int
    answer: Answer
    answered_at: datetime
    reason: str | None = None
    reason_code: ReasonCode | None = None
    withdrawn_at: datetime | None = None
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
        judgements: all answers so far, of all rounds, those taken back too, oldest first.
        expires_at: when nobody's answer makes it *not judged*.
        hold_until: end of the hold; None outside `confirmed_held`.
        truth: what is known of a control; None for a real candidate.
        is_reexamination: whether it asks again about a candidate that has ended; it confirms nothing.
    """

    candidate_id: str
    state: State
    round: int
    judgements: tuple[Judgement, ...]
    expires_at: datetime
    hold_until: datetime | None = None
    truth: Truth | None = None
    is_reexamination: bool = False

    @property
    def is_control(self) -> bool:
        """Whether the server made it up to see whether judges look."""
        return self.truth is not None

    @property
    def current(self) -> tuple[Judgement, ...]:
        """The answers of the round now at work that stand."""
        return tuple(
            item for item in self.judgements if item.round == self.round and item.withdrawn_at is None
        )


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
        judged_before: of a re-examination: accounts that have answered the same pictures before.
    """

    disclosed_to: frozenset[str] = frozenset()
    responsible: frozenset[str] = frozenset()
    judged_before: frozenset[str] = frozenset()
