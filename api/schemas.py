"""The shapes on the wire: what clients send and get, and nothing more."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.review.cases import Answer, ReasonCode, Resolution, Role, State


class Wire(BaseModel):
    """Refuses what it does not know and keeps what was sent out of its errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Problem(Wire):
    """An error (RFC 9457). `code` is stable; `detail` is for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemField] | None = None


class ProblemField(Wire):
    """What is wrong with one part of a request."""

    location: str
    message: str


class LoginIn(Wire):
    """User name and password."""

    username: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256, repr=False)


class LoginOut(Wire):
    """A bearer token, what gives the next one, and until when each is good."""

    access_token: str = Field(repr=False)
    token_type: str = "bearer"  # noqa: S105  # the name of the scheme (RFC 6750)
    expires_at: datetime = Field(description="of the access token")
    refresh_token: str = Field(repr=False, description="for POST /auth/refresh, once")
    ends_at: datetime = Field(description="of the login, however often it is refreshed")
    must_change_password: bool


class PasswordIn(Wire):
    """A password of one's own, in place of the one-time one."""

    password: str = Field(min_length=1, max_length=256, repr=False, description="12 to 256 characters")


class Me(Wire):
    """The account behind the token."""

    account_id: str
    username: str
    role: Role


class FrameOut(Wire):
    """The frame, everything but the face pixelated."""

    evidence_id: str
    width: int
    height: int
    face_xyxy: tuple[float, float, float, float] = Field(description="pixels of this frame")


class ProbeOut(Wire):
    """The face that was seen."""

    evidence_id: str
    width: int
    height: int
    face_size_px: float = Field(description="of the original, before it was enlarged or reduced")


class ReferenceOut(Wire):
    """A reference portrait, at the probe's scale."""

    evidence_id: str
    width: int
    height: int


class ClipOut(Wire):
    """The seconds around the sighting, everything but the face pixelated; WebM."""

    evidence_id: str
    width: int
    height: int
    began_pts_seconds: float
    duration_seconds: float


class FrameAccountingOut(Wire):
    """What became of the frames the source gave until then."""

    read: int
    decoded: int
    undecodable: int
    not_sampled: int
    gated: int
    inferred: int
    dropped: dict[str, int]


class ReviewOut(Wire):
    """One review: the same for every judge."""

    review_id: str
    camera_id: str
    observed_at: datetime | None
    pts_seconds: float
    queued_at: datetime
    frame: FrameOut
    probe: ProbeOut
    references: list[ReferenceOut]
    clip: ClipOut | None = Field(description="null where none was there at the first claim, or none is yet")
    frame_accounting: FrameAccountingOut


class ReviewPage(Wire):
    """Open reviews, oldest first."""

    items: list[ReviewOut]
    next_cursor: str | None


class AnswerIn(Wire):
    """One answer."""

    answer: Answer
    reason: str | None = Field(default=None, max_length=500)
    reason_code: ReasonCode | None = None


class JudgementOut(Wire):
    """That the answer was taken, and nothing about what follows from it."""

    review_id: str
    answer: Answer
    answered_at: datetime


EndState = Literal[
    State.CONFIRMED_HELD,
    State.CONFIRMED,
    State.DISAGREEMENT,
    State.REJECTED,
    State.INCONCLUSIVE,
    State.EXPIRED,
    State.WITHDRAWN,
    State.REEXAMINED_SAME,
    State.REEXAMINED_OTHER,
]
"""States in which no answer is awaited, of real candidates and of those looked at once more."""


class RevealOut(Wire):
    """What a judge is told once she has answered. `outcome` is null while another answer is awaited.

    Of a control it says that it was one, so that nobody acts on it; how it was answered is told at the end of the shift.
    """

    review_id: str
    name: str
    watchlist: str
    similarity: float
    threshold: float
    outcome: EndState | Literal["control"] | None


class JudgementView(Wire):
    """An answer as supervisors and auditors see it."""

    account_id: str
    round: int
    answer: Answer
    reason: str | None
    reason_code: ReasonCode | None
    answered_at: datetime
    withdrawn_at: datetime | None = Field(description="taken back then; it counts for nothing")


class CandidateOut(Wire):
    """A candidate with everything a supervisor or auditor may know."""

    candidate_id: str
    state: State
    round: int
    camera_id: str
    deployment_id: str
    watchlist_id: str
    subject_id: str
    name: str
    similarity: float
    threshold: float
    observed_at: datetime | None
    created_at: datetime
    judgements: list[JudgementView] = Field(description="empty while an answer is awaited")
    is_control: bool | None = Field(description="null while an answer is awaited")
    event: dict[str, Any] | None = Field(description="as signed by the worker; null for a control")
    retracted_at: datetime | None = Field(description="not to be acted on since then")


class CandidatePage(Wire):
    """Candidates, newest first."""

    items: list[CandidateOut]
    next_cursor: str | None


class ResolutionIn(Wire):
    """What is done about a disagreement, and why."""

    action: Resolution
    reason: str = Field(min_length=1, max_length=500)


class ResolutionOut(Wire):
    """What was done."""

    candidate_id: str
    action: Resolution
    state: State
    resolved_at: datetime


class ReceiptOut(Wire):
    """A receipt; `receipt` is the compact JWS, and all there is to trust."""

    receipt_id: str
    candidate_id: str
    issued_at: datetime
    act_before: datetime
    receipt: str


class LedgerEntryOut(Wire):
    """One ledger entry; `document` is the exact text its hash covers."""

    sequence: int
    kind: str
    document: str
    previous_sha256: str
    entry_sha256: str


class LedgerPage(Wire):
    """Ledger entries, oldest first."""

    items: list[LedgerEntryOut]
    next_cursor: str | None


class Jwk(BaseModel):
    """A public key (RFC 8037) with its dates in seconds since 1970."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str
    nbf: int | None = None
    exp: int | None = None


class Jwks(Wire):
    """The public keys of receipts (RFC 7517)."""

    keys: list[Jwk]


class Health(Wire):
    """Whether the process does its work; `parts` names each background thread.

    `notices`: what stops no work of this process and has to be mended elsewhere; the status does not depend on it.
    """

    status: str
    parts: dict[str, str]
    notices: list[str] = []


Problem.model_rebuild()
