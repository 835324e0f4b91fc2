"""Between passkeys as the service has them and as WebAuthn's JSON has them."""

from __future__ import annotations

from typing import Final

from webauthn.helpers import bytes_to_base64url

from api.ledger.assertions import Assertion
from api.passkeys import ALGORITHMS, NewPasskey, RegistrationAsked
from api.proofs import LIFETIME, Asked, Credential
from api.relying_party import NAME
from api.schemas_passkeys import (
    Algorithm,
    AssertionIn,
    CreationOptions,
    PasskeyIn,
    PasskeyOut,
    ProofOptionsOut,
    PublicKeyOut,
    PublicPasskeyOut,
    RegistrationOptionsOut,
    RelyingPartyOut,
    RequestOptions,
    UserOut,
)
from api.store.models import Passkey

_TIMEOUT_MS: Final = int(LIFETIME.total_seconds() * 1000)


def proof_options_out(asked: Asked) -> ProofOptionsOut:
    """What a judge is asked to sign."""
    options = _request(asked.challenge, asked.rp_id, asked.credentials)
    return ProofOptionsOut(statement=asked.statement, options=options, expires_at=asked.expires_at)


def registration_out(asked: RegistrationAsked) -> RegistrationOptionsOut:
    """What a new passkey is made with."""
    creation = CreationOptions(
        rp=RelyingPartyOut(id=asked.rp_id, name=NAME),
        user=UserOut(
            id=bytes_to_base64url(asked.account_id.encode()),
            name=asked.username,
            display_name=asked.username,
        ),
        challenge=asked.challenge,
        pub_key_cred_params=[Algorithm(alg=int(one)) for one in ALGORITHMS],
        timeout=_TIMEOUT_MS,
        exclude_credentials=_listed(asked.known),
    )
    vouching = _request(asked.challenge, asked.rp_id, asked.known) if asked.known else None
    return RegistrationOptionsOut(creation=creation, vouching=vouching, expires_at=asked.expires_at)


def assertion_of(sent: AssertionIn) -> Assertion:
    """An assertion as it was sent."""
    response = sent.response
    return Assertion(sent.id, response.authenticator_data, response.client_data_json, response.signature)


def new_passkey_of(sent: PasskeyIn) -> NewPasskey:
    """A new passkey as it was sent."""
    response = sent.credential.response
    return NewPasskey(
        credential_id=sent.credential.id,
        client_data_json=response.client_data_json,
        attestation_object=response.attestation_object,
        label=sent.label,
        transports=tuple(response.transports),
        vouched=None if sent.vouching is None else assertion_of(sent.vouching),
    )


def passkey_out(passkey: Passkey) -> PasskeyOut:
    """One of her passkeys."""
    return PasskeyOut(passkey_id=passkey.passkey_id, label=passkey.label, created_at=passkey.created_at)


def public_passkey_out(passkey: Passkey) -> PublicPasskeyOut:
    """What everything signed with a passkey is checked with."""
    return PublicPasskeyOut(
        passkey_id=passkey.passkey_id,
        account_id=passkey.account_id,
        public_key=bytes_to_base64url(passkey.public_key),
        rp_id=passkey.rp_id,
        aaguid=passkey.aaguid,
        created_at=passkey.created_at,
        revoked_at=passkey.revoked_at,
    )


def _request(challenge: str, rp_id: str, credentials: tuple[Credential, ...]) -> RequestOptions:
    return RequestOptions(
        challenge=challenge, timeout=_TIMEOUT_MS, rp_id=rp_id, allow_credentials=_listed(credentials)
    )


def _listed(credentials: tuple[Credential, ...]) -> list[PublicKeyOut]:
    return [PublicKeyOut(id=one.credential_id, transports=list(one.transports)) for one in credentials]
