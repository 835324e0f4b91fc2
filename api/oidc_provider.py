"""An identity provider as its client sees it: discovery, keys, codes and ID tokens. It asks the issuer alone."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.errors import ApiError

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures with a public key; `none` and shared secrets are not among them."""

LEEWAY_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 10.0
_FOUND_FOR_SECONDS: Final = 600.0
_MAX_BYTES: Final = 256 * 1024
_MAX_SUBJECT: Final = 255


class ProviderAwayError(ApiError):
    """The identity provider does not answer, or not as one."""

    status = 503
    title = "Identity provider away"


class IdTokenError(Exception):
    """An ID token that proves nothing. `code` says why, in a word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, repr=False)
class OidcSettings:
    """How the provider knows us.

    Attributes:
        issuer: exactly as its discovery document says it.
        client_id: ours.
        client_secret: None for a client without one; PKCE protects the code in any case.
        redirect_uri: this service's page.
        button: what the login page calls the provider.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    button: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the discovery document names."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Provider:
    """Asks one issuer."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self._found: tuple[float, Endpoints] | None = None

    def discover(self) -> Endpoints:
        """Where the issuer does what.

        Raises:
            ProviderAwayError: no answer, another issuer's document, or addresses on another host.
        """
        found, now = self._found, time.monotonic()
        if found is not None and now - found[0] < _FOUND_FOR_SECONDS:
            return found[1]
        endpoints = self._discovered()
        self._found = now, endpoints
        return endpoints

    def _discovered(self) -> Endpoints:
        issuer = self.settings.issuer
        document = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise ProviderAwayError("provider_wrong", "the discovery document is another issuer's")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        addresses = [document.get(name) for name in names]
        own = urlsplit(issuer)
        for address in addresses:
            if not isinstance(address, str) or urlsplit(address)[:2] != own[:2]:
                raise ProviderAwayError(
                    "provider_wrong", "the provider names addresses beyond the issuer's own"
                )
        return Endpoints(*(str(address) for address in addresses))

    def subject_of(self, code: str, verifier: str, nonce: str, now: datetime) -> str:
        """Whom a code was given to.

        Args:
            code: as it came back through the browser.
            verifier: PKCE's, of this login.
            nonce: of this login; the ID token must carry it.
            now: aware.

        Raises:
            IdTokenError: a code or token that is not good.
            ProviderAwayError: the provider does not answer, or not as one.
        """
        endpoints = self.discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "client_id": self.settings.client_id,
            "code_verifier": verifier,
        }
        answer = self._ask("POST", endpoints.token_endpoint, form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise IdTokenError("no_id_token")
        keys = self._ask("GET", endpoints.jwks_uri)
        return self._verified(token, keys, nonce, now)

    def _verified(self, token: str, keys: dict[str, Any], nonce: str, now: datetime) -> str:
        moment = int(now.timestamp())
        registry = jwt.JWTClaimsRegistry(
            now=moment,
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.settings.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": self.settings.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = jwt.decode(token, KeySet.import_key_set(keys), list(ALGORITHMS)).claims  # type: ignore[arg-type]  # any JSON; it checks
            registry.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise IdTokenError("bad_id_token") from error
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.settings.client_id:
            raise IdTokenError("not_for_us")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
            raise IdTokenError("bad_subject")
        return subject

    def _ask(self, method: str, address: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        secret = self.settings.client_secret
        auth = (self.settings.client_id, secret) if form is not None and secret is not None else None
        try:
            with (
                httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False, follow_redirects=False) as client,
                client.stream(method, address, data=form, auth=auth) as response,
            ):
                content = _limited(response)
                status = response.status_code
        except httpx.HTTPError as error:
            raise ProviderAwayError("provider_away", "the identity provider does not answer") from error
        if form is not None and 400 <= status < 500:  # the code was no good
            raise IdTokenError("bad_code")
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if status != httpx.codes.OK or not isinstance(document, dict):
            raise ProviderAwayError("provider_wrong", "the identity provider answers something else")
        return document


def _limited(response: httpx.Response) -> bytes:
    content = b""
    for part in response.iter_bytes():
        content += part
        if len(content) > _MAX_BYTES:
            raise ProviderAwayError("provider_wrong", "the identity provider answers too much")
    return content
