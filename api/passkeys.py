"""Passkeys of an account: registering, listing, removing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session
from webauthn import verify_registration_response
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.registration.verify_registration_response import VerifiedRegistration

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, ForbiddenError, NotFoundError
from api.ledger.assertions import Assertion
from api.ledger.chain import Happening
from api.principals import OVERSEERS, check_role
from api.proofs import (
    REGISTER,
    Credential,
    assert_with,
    credential_of,
    open_challenge,
    take_challenge,
)
from api.relying_party import RelyingParty
from api.replays import WriteRequest, keep_result, replayed
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.models import Passkey
from api.store.passkeys import PasskeyPosition, PasskeyRepository

MAX_PASSKEYS: Final = 10
ALGORITHMS: Final = (
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)


@dataclass(frozen=True, slots=True, repr=False)
class RegistrationAsked:
    """What a browser is asked to make a passkey for.

    Attributes:
        challenge: base64url; to be signed by the new passkey, and by one there is already.
        expires_at: from then on she has to ask again.
        rp_id: the site.
        account_id: whose.
        username: what her authenticator shows her.
        known: passkeys she has: the new one is another, and one of these vouches for it.
    """

    challenge: str
    expires_at: datetime
    rp_id: str
    account_id: str
    username: str
    known: tuple[Credential, ...]


@dataclass(frozen=True, slots=True, repr=False)
class NewPasskey:
    """What the authenticator gave, base64url as WebAuthn has it.

    Attributes:
        label: how she calls it.
        transports: how it is reached, as the browser says.
        vouched: assertion of a passkey she has, over the same challenge; None for the first one.
    """

    credential_id: str
    client_data_json: str
    attestation_object: str
    label: str
    transports: tuple[str, ...] = ()
    vouched: Assertion | None = None


class PasskeyService:
    """Keeps the public halves of passkeys."""

    def __init__(self, database: Database, party: RelyingParty, clock: Clock) -> None:
        self._database = database
        self._party = party
        self._clock = clock

    def ask(self, principal: Principal) -> RegistrationAsked:
        """A challenge for a new passkey, good once, for this login.

        Raises:
            ForbiddenError: it is her first, and this login did not begin with a one-time password.
            ConflictError: she has as many as anybody may.
        """
        now, challenge = self._clock(), bytes_to_base64url(secrets.token_bytes(32))
        with self._database.write() as session:
            passkeys = PasskeyRepository(session)
            known = passkeys.active(principal.account_id)
            _check_may_register(principal, len(known))
            asked = open_challenge(principal, challenge, challenge, now, purpose=REGISTER)
            passkeys.ask(asked)
        return RegistrationAsked(
            challenge,
            asked.expires_at,
            self._party.rp_id,
            principal.account_id,
            principal.username,
            tuple(credential_of(one) for one in known),
        )

    def register(self, principal: Principal, new: NewPasskey, request: WriteRequest) -> dict[str, Any]:
        """Keeps a passkey; the same request again gives the same result.

        Returns:
            `{passkey_id, label, created_at}` as JSON values.

        Raises:
            ForbiddenError: see `ask`; or nothing vouches for a further one, or what the authenticator gave does
                not hold.
            ConflictError: the challenge is used or too old, or the passkey is known, to whomever it belongs.
        """
        now = self._clock()
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            passkeys = PasskeyRepository(session)
            passkeys.hold(principal.account_id)
            known = len(passkeys.active(principal.account_id))
            _check_may_register(principal, known)
            challenge = self._taken(session, principal, new, now)
            if known:
                self._check_vouched(session, principal, new, challenge)
            made = _registered(new, challenge, self._party)
            if passkeys.by_credential(bytes_to_base64url(made.credential_id)) is not None:
                raise ConflictError("passkey_known", "this passkey is or was registered; make another one")
            passkey = self._row(principal, new, made, now)
            passkeys.add(passkey)
            _note(session, "passkey_registered", now, principal, _public(passkey))
            result = {
                "passkey_id": passkey.passkey_id,
                "label": passkey.label,
                "created_at": now.isoformat(),
            }
            keep_result(session, request, 201, result, now)
            return result

    def mine(self, principal: Principal) -> list[Passkey]:
        """Her passkeys that are good, oldest first."""
        with self._database.read() as session:
            return list(PasskeyRepository(session).active(principal.account_id))

    def public(self, principal: Principal, after: PasskeyPosition | None, limit: int) -> list[Passkey]:
        """Everybody's passkeys, oldest first, with the public keys that old judgements are checked with.

        Raises:
            ForbiddenError: neither supervisor nor auditor.
        """
        check_role(principal, OVERSEERS, "cannot see this")
        with self._database.read() as session:
            return list(PasskeyRepository(session).page(after, limit))

    def remove(self, principal: Principal, passkey_id: str) -> None:
        """Ends one of her passkeys; what was signed with it stays as good as it was.

        Raises:
            NotFoundError: she has none of that id.
        """
        now = self._clock()
        with self._database.write() as session:
            if not PasskeyRepository(session).revoke(principal.account_id, now, passkey_id=passkey_id):
                raise NotFoundError
            _note(session, "passkey_removed", now, principal, {"passkey": passkey_id})

    def _taken(self, session: Session, principal: Principal, new: NewPasskey, now: datetime) -> bytes:
        try:
            challenge = parse_client_data_json(base64url_to_bytes(new.client_data_json)).challenge
        except (WebAuthnException, ValueError, TypeError, RecursionError) as error:
            raise _refused() from error
        asked = take_challenge(session, principal, bytes_to_base64url(challenge), REGISTER, now)
        PasskeyRepository(session).use(asked.challenge, now)
        return challenge

    def _check_vouched(
        self, session: Session, principal: Principal, new: NewPasskey, challenge: bytes
    ) -> None:
        if new.vouched is None:
            raise ForbiddenError("passkey_required", "a further passkey needs the assertion of one there is")
        assert_with(session, principal, new.vouched, challenge, self._party)

    def _row(
        self, principal: Principal, new: NewPasskey, made: VerifiedRegistration, now: datetime
    ) -> Passkey:
        return Passkey(
            passkey_id=f"pky_{secrets.token_hex(12)}",
            account_id=principal.account_id,
            credential_id=bytes_to_base64url(made.credential_id),
            public_key=made.credential_public_key,
            rp_id=self._party.rp_id,
            sign_count=made.sign_count,
            aaguid=made.aaguid,
            transports=list(new.transports),
            label=new.label,
            created_at=now,
        )


def _check_may_register(principal: Principal, known: int) -> None:
    if not known and not principal.must_change_password:
        raise ForbiddenError(
            "one_time_login_needed",
            "a first passkey is registered in the login with a one-time password: ask an administrator for one",
        )
    if known >= MAX_PASSKEYS:
        raise ConflictError(
            "too_many_passkeys", f"an account has {MAX_PASSKEYS} passkeys at most; remove one"
        )


def _registered(new: NewPasskey, challenge: bytes, party: RelyingParty) -> VerifiedRegistration:
    """The new passkey, once what the authenticator gave holds.

    Attestation is not asked for: nothing here depends on who built the authenticator, and `aaguid` is only what it
    says of itself.
    """
    credential = {
        "id": new.credential_id,
        "rawId": new.credential_id,
        "type": "public-key",
        "response": {"clientDataJSON": new.client_data_json, "attestationObject": new.attestation_object},
    }
    try:
        return verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
    except (WebAuthnException, ValueError, TypeError, LookupError, EOFError, RecursionError) as error:
        raise _refused() from error


def _refused() -> ForbiddenError:
    return ForbiddenError("assertion_invalid", "what the authenticator gave does not hold")


def _public(passkey: Passkey) -> dict[str, str]:
    """What the ledger says of a passkey: all that checking a judgement later needs."""
    return {
        "passkey": passkey.passkey_id,
        "public_key": bytes_to_base64url(passkey.public_key),
        "rp_id": passkey.rp_id,
    }


def _note(session: Session, kind: str, now: datetime, principal: Principal, detail: dict[str, Any]) -> None:
    about = f"account:{principal.account_id}"
    LedgerRepository(session).append(Happening(kind, now, principal.account_id, about, detail))
