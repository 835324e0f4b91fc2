"""The step between an answer and its record: the judge puts her passkey to just this answer to just this review."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session
from webauthn.helpers import bytes_to_base64url

from api.accounts import Principal
from api.errors import ConflictError, ForbiddenError
from api.ledger.assertions import Assertion, AssertionRefusedError, challenge_in, verify_assertion
from api.relying_party import RelyingParty
from api.review.cases import Answer, Proof
from api.review.statement import JudgementStatement, presentation_sha256, statement_digest
from api.store.models import Passkey, WebAuthnChallenge
from api.store.passkeys import PasskeyRepository

LIFETIME: Final = timedelta(minutes=5)
JUDGE: Final = "judge"
REGISTER: Final = "register"


@dataclass(frozen=True, slots=True)
class Credential:
    """A passkey as a browser is told to look for it."""

    credential_id: str
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What a judge is asked to put her passkey to.

    Attributes:
        statement: the text; its SHA-256 is the challenge.
        challenge: base64url.
        expires_at: from then on she has to ask again.
        rp_id: the site.
        credentials: her passkeys.
    """

    statement: str
    challenge: str
    expires_at: datetime
    rp_id: str
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True, repr=False)
class JudgementProof:
    """What an answer comes with.

    Attributes:
        assertion: of her passkey over the statement; None: she sent none.
        device_id: the browser it came from; None: one without a mark.
    """

    assertion: Assertion | None
    device_id: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """What was shown, and what is said of it.

    Attributes:
        review_id: the review.
        presentation: as it stands since the first claim; see `presentation_document`.
        answer: what she says.
        reason: in her words.
        reason_code: in a word that can be counted.
    """

    review_id: str
    presentation: dict[str, Any]
    answer: Answer
    reason: str | None
    reason_code: str | None = None


class Prover:
    """Asks for assertions and checks them, in the caller's transaction."""

    def __init__(self, party: RelyingParty) -> None:
        self._party = party

    def ask(self, session: Session, principal: Principal, shown: Shown, now: datetime) -> Asked:
        """A statement to sign, good once, for five minutes, for this login.

        Raises:
            ForbiddenError: she has no passkey.
        """
        passkeys = PasskeyRepository(session)
        mine = passkeys.active(principal.account_id)
        if not mine:
            raise ForbiddenError(
                "passkey_required", "register a passkey first: judgements are signed with one"
            )
        nonce = secrets.token_urlsafe(32)
        statement = self._statement(principal, shown, now, nonce)
        challenge = bytes_to_base64url(statement_digest(statement))
        passkeys.ask(
            open_challenge(principal, challenge, nonce, now, purpose=JUDGE, review_id=shown.review_id)
        )
        credentials = tuple(credential_of(one) for one in mine)
        return Asked(statement, challenge, now + LIFETIME, self._party.rp_id, credentials)

    def prove(
        self, session: Session, principal: Principal, shown: Shown, given: JudgementProof, now: datetime
    ) -> Proof:
        """The proof to keep with her answer, once everything about it holds; it holds once.

        Raises:
            ForbiddenError: no assertion, not by a passkey of hers, over another answer or review, from another page
                or browser than that of her login, without her being recognised, or with a count that went back.
            ConflictError: the statement was never made up for her, is used, or is too old.
        """
        assertion = given.assertion
        if assertion is None:
            raise ForbiddenError("passkey_required", "an answer is taken with the assertion of a passkey")
        if given.device_id is None or given.device_id != principal.device_id:
            raise ForbiddenError("device_changed", "this login began in another browser: log in again here")
        asked = self._asked(session, principal, assertion, now)
        statement = self._statement(principal, shown, asked.issued_at, asked.nonce)
        digest = statement_digest(statement)
        if bytes_to_base64url(digest) != asked.challenge:
            raise ForbiddenError(
                "other_statement", "the passkey was put to another answer, or to another review"
            )
        PasskeyRepository(session).use(asked.challenge, now)  # or undone, with all of it
        passkey = assert_with(session, principal, assertion, digest, self._party)
        return Proof(passkey.passkey_id, given.device_id, statement, assertion.document())

    def _asked(
        self, session: Session, principal: Principal, assertion: Assertion, now: datetime
    ) -> WebAuthnChallenge:
        try:
            challenge = bytes_to_base64url(challenge_in(assertion))
        except AssertionRefusedError as error:
            raise ForbiddenError("assertion_invalid", str(error)) from error
        return take_challenge(session, principal, challenge, JUDGE, now)

    def _statement(self, principal: Principal, shown: Shown, issued_at: datetime, nonce: str) -> str:
        return JudgementStatement(
            review_id=shown.review_id,
            presentation_sha256=presentation_sha256(shown.presentation),
            answer=shown.answer,
            reason=shown.reason,
            judge=principal.account_id,
            rp_id=self._party.rp_id,
            issued_at=issued_at,
            nonce=nonce,
            reason_code=shown.reason_code,
        ).text()


def credential_of(passkey: Passkey) -> Credential:
    """A passkey as a browser is told to look for it."""
    return Credential(passkey.credential_id, tuple(passkey.transports))


def open_challenge(
    principal: Principal,
    challenge: str,
    nonce: str,
    now: datetime,
    *,
    purpose: str,
    review_id: str | None = None,
) -> WebAuthnChallenge:
    """A challenge for this login, good until `LIFETIME` is over."""
    return WebAuthnChallenge(
        challenge=challenge,
        purpose=purpose,
        account_id=principal.account_id,
        session_id=principal.session_id,
        review_id=review_id,
        nonce=nonce,
        issued_at=now,
        expires_at=now + LIFETIME,
    )


def take_challenge(
    session: Session, principal: Principal, challenge: str, purpose: str, now: datetime
) -> WebAuthnChallenge:
    """A challenge that was issued to this login for this purpose and waits for its answer.

    Raises:
        ConflictError: there is none: never issued, used, too old, or another's; all look alike.
    """
    asked = PasskeyRepository(session).asked(challenge)
    if (
        asked is None
        or asked.used_at is not None
        or asked.expires_at <= now
        or (asked.purpose, asked.account_id, asked.session_id)
        != (purpose, principal.account_id, principal.session_id)
    ):
        raise ConflictError("challenge_over", "this was signed too late or already used: ask again")
    return asked


def assert_with(
    session: Session, principal: Principal, assertion: Assertion, challenge: bytes, party: RelyingParty
) -> Passkey:
    """The passkey of this account that made the assertion over `challenge`, its count moved on.

    Raises:
        ForbiddenError: not a passkey of hers, or an assertion that does not hold.
    """
    passkeys = PasskeyRepository(session)
    passkey = passkeys.by_credential(assertion.credential_id)
    if passkey is None or passkey.account_id != principal.account_id or passkey.revoked_at is not None:
        raise ForbiddenError("passkey_unknown", "this passkey is not registered for this account")
    try:
        count = verify_assertion(
            assertion, challenge, passkey.public_key, rp_id=party.rp_id, origins=(party.origin,)
        )
    except AssertionRefusedError as error:
        raise ForbiddenError("assertion_invalid", str(error)) from error
    if max(count, passkey.sign_count) > 0 and count <= passkey.sign_count:
        raise ForbiddenError(
            "sign_count_back", "this passkey has been copied, or its signature was sent twice"
        )
    passkeys.count(passkey.passkey_id, count)
    return passkey
