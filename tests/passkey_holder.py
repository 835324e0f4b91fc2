"""Somebody with a passkey, for tests that work on the services themselves and not through HTTP."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from aiqyn.demo.authenticator import SoftwareAuthenticator
from api.accounts import Principal
from api.desk import AnswerGiven
from api.ledger.assertions import Assertion
from api.passkeys import NewPasskey
from api.proofs import JudgementProof
from api.replays import WriteRequest
from api.services import Services


@dataclass(slots=True)
class PasskeyHolder:
    """One person's authenticator, beside the services of one installation."""

    services: Services
    authenticator: SoftwareAuthenticator

    @classmethod
    def of(cls, services: Services) -> PasskeyHolder:
        """Somebody whose passkey is still to be registered."""
        return cls(services, SoftwareAuthenticator(services.settings.party.origin))

    def register(self, principal: Principal) -> None:
        """Registers a passkey; the principal is in the login with the one-time password."""
        asked = self.services.passkeys.ask(principal)
        made = self.authenticator.create({"rp": {"id": asked.rp_id}, "challenge": asked.challenge})
        response = made["response"]
        new = NewPasskey(made["id"], response["clientDataJSON"], response["attestationObject"], "key ring")
        request = WriteRequest.of(principal.account_id, str(uuid.uuid4()), "POST /passkeys", {})
        self.services.passkeys.register(principal, new, request)

    def proof(self, principal: Principal, review_id: str, given: AnswerGiven) -> JudgementProof:
        """What `desk.judge` takes with just this answer."""
        asked = self.services.desk.ask_proof(principal, review_id, given)
        credential_id = asked.credentials[0].credential_id
        signed = self.authenticator.sign(credential_id, asked.rp_id, asked.challenge)
        response = signed["response"]
        parts = (response["authenticatorData"], response["clientDataJSON"], response["signature"])
        return JudgementProof(Assertion(credential_id, *parts), principal.device_id)
