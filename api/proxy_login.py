"""Logins a proxy in front vouches for: off unless named, and believed from named addresses with a secret alone."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.errors import ForbiddenError, RefusedLoginError
from api.logins import How, Login, LoginService
from api.store.engine import Database
from api.store.people import PeopleRepository

MAX_NAME_LENGTH: Final = 64


@dataclass(frozen=True, slots=True, repr=False)
class ProxyTrust:
    """Which proxy is believed.

    Attributes:
        networks: where it answers from.
        secret: it shows with every login.
        user_header: carries the user name.
        secret_header: carries the secret.
    """

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    secret: str
    user_header: str = "X-Forwarded-User"
    secret_header: str = "X-Aiqyn-Proxy-Secret"  # noqa: S105  # the header's name

    def believes(self, peer: str | None, headers: Mapping[str, str]) -> bool:
        """Whether a request comes from the proxy itself.

        Args:
            peer: the address at the other end of the connection; None where it is not known.
            headers: of the request; case does not matter.
        """
        given = headers.get(self.secret_header, "")
        return hmac.compare_digest(given.encode(), self.secret.encode()) and self._is_named(peer)

    def _is_named(self, peer: str | None) -> bool:
        try:
            address = ipaddress.ip_address(peer or "")
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)


class ProxyLogins:
    """Turns the proxy's word into a login."""

    def __init__(self, trust: ProxyTrust | None, logins: LoginService, database: Database) -> None:
        """`trust` None: no proxy is believed."""
        self._trust = trust
        self._logins = logins
        self._database = database

    @property
    def is_on(self) -> bool:
        """Whether some proxy is believed."""
        return self._trust is not None

    def login(self, peer: str | None, headers: Mapping[str, str], device_id: str | None = None) -> Login:
        """A fresh login of whom the proxy names, in the browser `device_id`.

        Raises:
            ForbiddenError: no proxy is believed here.
            RefusedLoginError: not from the proxy, or it names no account that is on.
        """
        if self._trust is None:
            raise ForbiddenError("proxy_login_off", "logins by a proxy's header are switched off")
        if not self._trust.believes(peer, headers):
            raise RefusedLoginError(How.PROXY, "not_the_proxy")
        username = headers.get(self._trust.user_header, "").strip()
        if not username or len(username) > MAX_NAME_LENGTH:
            raise RefusedLoginError(How.PROXY, "no_user")
        with self._database.read() as session:
            account = PeopleRepository(session).by_username(username)
        if account is None:
            raise RefusedLoginError(How.PROXY, "unknown_user")
        return self._logins.login_as(account.account_id, How.PROXY, device_id)
