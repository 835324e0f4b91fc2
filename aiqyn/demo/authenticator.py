"""A passkey in software, for scripted operators: what a person has in her key ring, they have in memory.

It says that it recognised its user although there is nobody, so it is no way for people to judge. Nothing of the
service is imported: it knows WebAuthn (level 3) and no more.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers.encode_cbor import encode_cbor

USER_PRESENT: Final = 0x01
USER_VERIFIED: Final = 0x04
_CREDENTIAL_INCLUDED: Final = 0x40
_AAGUID: Final = bytes(16)
_COORDINATE_BYTES: Final = 32


@dataclass(slots=True, repr=False)
class SoftwareAuthenticator:
    """Makes passkeys (ES256) for one page and signs with them.

    Attributes:
        origin: the page's address, as a browser would say it.
        flags: what it says of its user.
        count: of its signatures so far.
        counting: whether it says how many; passkeys that several devices share do not.
    """

    origin: str
    flags: int = USER_PRESENT | USER_VERIFIED
    count: int = 0
    counting: bool = True
    _keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """A new passkey, as `navigator.credentials.create` gives it.

        Args:
            options: `PublicKeyCredentialCreationOptionsJSON`.
        """
        key, credential_id = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(32)
        numbers = key.public_key().public_numbers()
        x, y = (value.to_bytes(_COORDINATE_BYTES, "big") for value in (numbers.x, numbers.y))
        public = encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        made = _AAGUID + struct.pack(">H", len(credential_id)) + credential_id + public
        data = self._data(options["rp"]["id"], _CREDENTIAL_INCLUDED) + made
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        self._keys[_text(credential_id)] = key
        response = {
            "clientDataJSON": _text(self._client_data("webauthn.create", options["challenge"])),
            "attestationObject": _text(attestation),
            "transports": ["internal"],
        }
        return {"id": _text(credential_id), "type": "public-key", "response": response}

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """An assertion, as `navigator.credentials.get` gives it.

        Args:
            options: `PublicKeyCredentialRequestOptionsJSON`.

        Raises:
            LookupError: it has none of the passkeys that are asked for.
        """
        allowed = [item["id"] for item in options["allowCredentials"]]
        credential_id = next((one for one in allowed if one in self._keys), None)
        if credential_id is None:
            raise LookupError("none of the passkeys asked for is here")
        return self.sign(credential_id, options["rpId"], options["challenge"])

    def sign(self, credential_id: str, rp_id: str, challenge: str) -> dict[str, Any]:
        """An assertion of one passkey over a challenge (base64url)."""
        self.count += self.counting
        data, client = self._data(rp_id), self._client_data("webauthn.get", challenge)
        signed = data + hashlib.sha256(client).digest()
        signature = self._keys[credential_id].sign(signed, ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": _text(client),
            "authenticatorData": _text(data),
            "signature": _text(signature),
        }
        return {"id": credential_id, "type": "public-key", "response": response}

    def _data(self, rp_id: str, more_flags: int = 0) -> bytes:
        site = hashlib.sha256(rp_id.encode()).digest()
        return site + struct.pack(">BI", self.flags | more_flags, self.count)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said, separators=(",", ":")).encode()


def page_origin(address: str) -> str:
    """The origin a browser would say for the service at an address of this machine: passkeys need a name."""
    parts = urlsplit(address)
    host = "localhost" if parts.hostname in ("127.0.0.1", "::1") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def challenge_of(statement: str) -> str:
    """The challenge that stands for a statement, base64url; a careful client computes it herself."""
    return _text(hashlib.sha256(statement.encode()).digest())


def signed_answer(
    given: dict[str, Any], asked: dict[str, Any], authenticator: SoftwareAuthenticator
) -> dict[str, Any]:
    """An answer with the assertion that goes with it; how every client in software signs.

    Args:
        given: `answer`, and `reason` and `reason_code` where there are any.
        asked: what the service says she has to sign for it.
        authenticator: holds her passkey.

    Raises:
        ValueError: the challenge is not that of the statement.
        LookupError: none of the passkeys asked for is here.
    """
    if asked["options"]["challenge"] != challenge_of(asked["statement"]):
        raise ValueError("asked to sign something else than the statement")
    return given | {"assertion": authenticator.get(asked["options"])}


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
