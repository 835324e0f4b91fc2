"""The shapes of passkeys on the wire: those of WebAuthn's own JSON where browsers know it, ours elsewhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.schemas import AnswerIn, Wire


def _base64url(max_length: int) -> object:
    return Field(min_length=1, max_length=max_length, pattern=r"^[A-Za-z0-9_-]+$")


CredentialId = Annotated[str, _base64url(1400)]
ClientData = Annotated[str, _base64url(8192)]
AuthenticatorData = Annotated[str, _base64url(8192)]
Transport = Annotated[str, Field(max_length=32, pattern=r"^[a-z-]+$")]


class WebAuthn(Wire):
    """Names as browsers write them. What a browser adds of its own is left alone: the standard grows."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class PublicKeyOut(WebAuthn):
    """A passkey the browser should look for."""

    id: str
    type: Literal["public-key"] = "public-key"
    transports: list[str]


class RequestOptions(WebAuthn):
    """`PublicKeyCredentialRequestOptionsJSON`: for `navigator.credentials.get`."""

    challenge: str
    timeout: int
    rp_id: str
    allow_credentials: list[PublicKeyOut]
    user_verification: Literal["required"] = "required"


class RelyingPartyOut(WebAuthn):
    """The site."""

    id: str
    name: str


class UserOut(WebAuthn):
    """Whose the passkey will be; `id` is the account's pseudonym, base64url."""

    id: str
    name: str
    display_name: str


class Algorithm(WebAuthn):
    """A kind of key that is taken (COSE)."""

    type: Literal["public-key"] = "public-key"
    alg: int


class Selection(WebAuthn):
    """What the authenticator has to be able to do: tell its user from others."""

    resident_key: Literal["preferred"] = "preferred"
    require_resident_key: bool = False
    user_verification: Literal["required"] = "required"


class CreationOptions(WebAuthn):
    """`PublicKeyCredentialCreationOptionsJSON`: for `navigator.credentials.create`."""

    rp: RelyingPartyOut
    user: UserOut
    challenge: str
    pub_key_cred_params: list[Algorithm]
    timeout: int
    exclude_credentials: list[PublicKeyOut]
    authenticator_selection: Selection = Selection()
    attestation: Literal["none"] = "none"


class AssertionResponse(WebAuthn):
    """What the authenticator signed, and the signature."""

    client_data_json: ClientData = Field(alias="clientDataJSON")
    authenticator_data: AuthenticatorData
    signature: Annotated[str, _base64url(8192)]


class AssertionIn(WebAuthn):
    """`AuthenticationResponseJSON`: what `navigator.credentials.get` gives."""

    id: CredentialId
    type: Literal["public-key"]
    response: AssertionResponse


class AttestationResponse(WebAuthn):
    """The new public key, as the authenticator gave it."""

    client_data_json: ClientData = Field(alias="clientDataJSON")
    attestation_object: Annotated[str, _base64url(16384)]
    transports: list[Transport] = Field(default=[], max_length=10)


class CredentialIn(WebAuthn):
    """`RegistrationResponseJSON`: what `navigator.credentials.create` gives."""

    id: CredentialId
    type: Literal["public-key"]
    response: AttestationResponse


class RegistrationOptionsOut(Wire):
    """What a new passkey is made with. `vouching` is null for the first one; later ones need an assertion too."""

    creation: CreationOptions
    vouching: RequestOptions | None
    expires_at: datetime


class PasskeyIn(Wire):
    """A new passkey."""

    label: str = Field(min_length=1, max_length=64, description="in her words, to tell several apart")
    credential: CredentialIn
    vouching: AssertionIn | None = Field(
        default=None,
        description="of a passkey the account has, over the same challenge; not for the first one",
    )


class PasskeyOut(Wire):
    """A passkey that was registered."""

    passkey_id: str
    label: str
    created_at: datetime


class PasskeyList(Wire):
    """Her passkeys, oldest first; there are never more than ten."""

    items: list[PasskeyOut]


class PublicPasskeyOut(Wire):
    """What a judgement signed with it is checked with, now or in years."""

    passkey_id: str
    account_id: str
    public_key: str = Field(description="COSE, base64url")
    rp_id: str
    aaguid: str
    created_at: datetime
    revoked_at: datetime | None


class PublicPasskeyPage(Wire):
    """Everybody's passkeys, oldest first, revoked ones among them."""

    items: list[PublicPasskeyOut]
    next_cursor: str | None


class JudgementIn(AnswerIn):
    """One answer, and the assertion of her passkey over the statement made up for it."""

    assertion: AssertionIn | None = Field(
        default=None, description="without one the answer is refused: `passkey_required`"
    )


class ProofOptionsOut(Wire):
    """What she has to put her passkey to; the challenge is the SHA-256 of `statement`."""

    statement: str
    options: RequestOptions
    expires_at: datetime
