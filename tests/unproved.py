"""Builds that lack one step of the proof behind a judgement: to show that the tests of that step can fail."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from api import proofs
from api.accounts import Principal
from api.ledger.assertions import Assertion, verify_assertion
from api.proofs import JudgementProof, Prover, Shown
from api.review import guards, machine
from api.review.cases import Answer, Proof
from api.review.statement import JudgementStatement
from api.store.models import Passkey, WebAuthnChallenge
from api.store.passkeys import PasskeyRepository

_counts = itertools.count(1)


def nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is enough."""
    real = Prover.prove

    def prove(
        self: Prover,
        session: Session,
        principal: Principal,
        shown: Shown,
        given: JudgementProof,
        now: datetime,
    ) -> Proof:
        if given.assertion is not None:
            return real(self, session, principal, shown, given, now)
        return Proof(
            f"nobody's-{principal.account_id}", str(given.device_id), f"nothing {now} {next(_counts)}", {}
        )

    monkeypatch.setattr(Prover, "prove", prove)


def anybodys_passkey_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose passkey it is is not looked at; nor that it is used twice."""

    def owned_by_whoever_asks(self: PasskeyRepository, credential_id: str) -> Passkey | None:
        kept = real(self, credential_id)
        if kept is None:
            return None
        fields = {
            "passkey_id": f"{kept.passkey_id}-{next(_counts)}",
            "account_id": _Anybody(),
            "public_key": kept.public_key,
            "sign_count": 0,
        }
        return Passkey(**fields)

    real = PasskeyRepository.by_credential
    monkeypatch.setattr(PasskeyRepository, "by_credential", owned_by_whoever_asks)


class _Anybody(str):
    """Equal to every account."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def signed_any_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """An assertion may come again, in whatever login and however late, with whatever count."""

    def taken(
        session: Session, _principal: Principal, challenge: str, _purpose: str, _now: datetime
    ) -> WebAuthnChallenge:
        asked = PasskeyRepository(session).asked(challenge)
        assert asked is not None
        return asked

    monkeypatch.setattr("api.proofs.take_challenge", taken)
    any_count_will_do(monkeypatch)


def any_count_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the authenticator's count grows is not looked at."""
    real = verify_assertion

    def verified(assertion: Assertion, challenge: bytes, public_key: bytes, **site: Any) -> int:
        return real(assertion, challenge, public_key, **site) + 1_000_000 * next(_counts)

    monkeypatch.setattr(proofs, "verify_assertion", verified)


def any_statement_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was signed is not compared with what is answered: one statement stands for all answers and reviews."""
    real = JudgementStatement.text

    def text(self: JudgementStatement) -> str:
        same = replace(self, review_id="", presentation_sha256="", answer=Answer.DIFFERENT, reason=None)
        return real(same)

    monkeypatch.setattr(JudgementStatement, "text", text)


def one_browser_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing looks at which browser or passkey an answer comes from; the queue hides nothing by it."""
    monkeypatch.setattr(guards, "check_apart", lambda _case, _judge: None)
    monkeypatch.setattr(guards, "shared_means", lambda _one, _other: None)
    monkeypatch.setattr(machine, "shared_means", lambda _one, _other: None)


def any_browser_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """That an answer comes from the browser of its login is not looked at."""
    real = Prover.prove

    def prove(
        self: Prover,
        session: Session,
        principal: Principal,
        shown: Shown,
        given: JudgementProof,
        now: datetime,
    ) -> Proof:
        return real(self, session, principal, shown, replace(given, device_id=principal.device_id), now)

    monkeypatch.setattr(Prover, "prove", prove)


def any_page_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Page, site, user and signature are not looked at."""
    monkeypatch.setattr(proofs, "verify_assertion", lambda *_, **__: next(_counts) + 1_000_000)
