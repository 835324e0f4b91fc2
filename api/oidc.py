"""Logins an identity provider vouches for: OpenID Connect, authorisation code with PKCE.

The provider says who somebody is and nothing else: an account with that subject must exist and be on, and its
role is ours. Nothing is asked of any address but the issuer's own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from api.clock import Clock
from api.errors import ForbiddenError, RefusedLoginError
from api.logins import How, Login, LoginService
from api.oidc_provider import IdTokenError, Provider
from api.passwords import new_token, token_digest
from api.store.engine import Database
from api.store.logins import LoginRepository
from api.store.models import OidcFlow
from api.store.people import PeopleRepository

FLOW_LIFETIME: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, repr=False)
class BegunLogin:
    """A login that goes on at the provider.

    Attributes:
        authorization_url: where the person goes.
        binding: the client keeps it and shows it at the end, so that nobody finishes what another began.
    """

    authorization_url: str
    binding: str


class OidcLogins:
    """Begins logins at the provider and ends them here."""

    def __init__(
        self, provider: Provider | None, logins: LoginService, database: Database, clock: Clock
    ) -> None:
        """`provider` None: there is none, and every login is refused."""
        self._provider = provider
        self._logins = logins
        self._database = database
        self._clock = clock

    @property
    def button(self) -> str | None:
        """What the login page calls the provider; None where there is none."""
        return None if self._provider is None else self._provider.settings.button

    def begin(self) -> BegunLogin:
        """Where the person shows who she is.

        Raises:
            ForbiddenError: there is no provider.
            ProviderAwayError: it does not answer, or not as one.
        """
        provider = self._required()
        endpoint = provider.discover().authorization_endpoint
        state, binding, verifier, nonce = new_token(), new_token(), new_token(), secrets.token_urlsafe(24)
        now = self._clock()
        flow = OidcFlow(
            state_sha256=token_digest(state),
            binding_sha256=token_digest(binding),
            nonce=nonce,
            verifier=verifier,
            began_at=now,
        )
        with self._database.write() as session:
            LoginRepository(session).begin_flow(flow, now - FLOW_LIFETIME)
        query = {
            "response_type": "code",
            "scope": "openid",
            "client_id": provider.settings.client_id,
            "redirect_uri": provider.settings.redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in endpoint else "?"
        return BegunLogin(f"{endpoint}{joint}{urlencode(query)}", binding)

    def finish(self, code: str, state: str, binding: str, device_id: str | None = None) -> Login:
        """A fresh login of the account the provider's subject belongs to, in the browser `device_id`.

        Raises:
            ForbiddenError: there is no provider.
            RefusedLoginError: not begun here, too late, a bad ID token, or no account that is on.
            ProviderAwayError: the provider does not answer, or not as one.
        """
        provider = self._required()
        with self._database.write() as session:
            flow = LoginRepository(session).take_flow(token_digest(state))
        if flow is None or flow.began_at + FLOW_LIFETIME <= self._clock():
            raise RefusedLoginError(How.OIDC, "not_begun")
        if not hmac.compare_digest(flow.binding_sha256, token_digest(binding)):
            raise RefusedLoginError(How.OIDC, "begun_elsewhere")
        try:
            subject = provider.subject_of(code, flow.verifier, flow.nonce, self._clock())
        except IdTokenError as error:
            raise RefusedLoginError(How.OIDC, error.code) from error
        with self._database.read() as session:
            account = PeopleRepository(session).by_oidc_subject(subject)
        if account is None:
            raise RefusedLoginError(How.OIDC, "unknown_subject")
        return self._logins.login_as(account.account_id, How.OIDC, device_id)

    def _required(self) -> Provider:
        if self._provider is None:
            raise ForbiddenError("oidc_off", "no identity provider is configured")
        return self._provider


def _challenge(verifier: str) -> str:
    """PKCE's S256 (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
