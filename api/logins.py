"""Logins: getting in, staying in by refreshing, and getting out; passwords of one's own."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import (
    ConflictError,
    NotAuthenticatedError,
    NotFoundError,
    RefusedLoginError,
    UnprocessableError,
)
from api.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, Passwords, new_token, token_digest
from api.principals import ADMINISTRATORS, Principal, append, check_role
from api.review.cases import Role
from api.store.bearers import Bearer, bearer_of
from api.store.engine import Database
from api.store.logins import LoginRepository
from api.store.models import Account, LoginSession
from api.store.passkeys import PasskeyRepository
from api.store.people import PeopleRepository
from api.store.rights import RightsRepository
from api.throttle import Attempt, LoginThrottle

ACCESS_LIFETIME: Final = timedelta(minutes=15)
"""So long a stolen access token is good for; the login itself is refreshed."""

_KEPT_AFTER_THE_END: Final = timedelta(days=1)


class How(StrEnum):
    """How somebody showed who she is."""

    PASSWORD = "password"  # noqa: S105  # the name of a way, not a password
    OIDC = "oidc"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """A login that was begun or refreshed; the only moment its tokens exist in clear.

    Attributes:
        token: for the header of every request.
        refresh_token: gives the next pair, once.
        expires_at: of `token`.
        ends_at: of the login, however often it is refreshed.
    """

    token: str
    refresh_token: str
    expires_at: datetime
    ends_at: datetime
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class OpenLogin:
    """One login of an account that is not over."""

    session_id: str
    how: How
    began_at: datetime
    ends_at: datetime
    current: bool


class LoginService:
    """Logs people in, keeps them in, and lets them out."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        session_lifetime: timedelta = timedelta(hours=12),
        passwords: Passwords | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._session_lifetime = session_lifetime
        self._passwords = passwords or Passwords()
        self._throttle = LoginThrottle(database, clock)

    def login(self, username: str, password: str, address: str, *, device_id: str | None = None) -> Login:
        """A fresh login.

        Args:
            username: case does not matter.
            password: as typed.
            address: where the request came from, for counting failures only; kept as a salted hash.
            device_id: the browser it came from; a login without one cannot judge.

        Raises:
            NotAuthenticatedError: unknown account, wrong password, or account not on; all look alike.
            TooManyRequestsError: too many failures of this account or from this address.
        """
        account, attempt = self._checked(username, password, address)
        with self._database.write() as session:
            self._throttle.succeeded(session, attempt)
            return self._open(session, account, How.PASSWORD, device_id)

    def login_as(self, account_id: str, how: How, device_id: str | None = None) -> Login:
        """A fresh login of an account whose person somebody else vouches for, in the browser `device_id`.

        Raises:
            RefusedLoginError: the account is not on.
        """
        with self._database.write() as session:
            account = PeopleRepository(session).by_id(account_id)
            if account is not None and account.active:
                return self._open(session, account, how, device_id)
        raise RefusedLoginError(how, "account_off")

    def shown(self, username: str, password: str, address: str) -> Principal:
        """Who a password belongs to, without a login; for the command line.

        Raises:
            NotAuthenticatedError, TooManyRequestsError: as `login`.
        """
        account, attempt = self._checked(username, password, address)
        with self._database.write() as session:
            self._throttle.succeeded(session, attempt)
            scope = RightsRepository(session).scope_of(account.account_id)
        return Principal(
            account.account_id, account.username, Role(account.role), "", account.must_change_password, scope
        )

    def refresh(self, refresh_token: str) -> Login:
        """The next pair of tokens of a login, which stays that of its browser; the earlier pair is good no more.

        A refresh token that comes a second time was copied: whoever is second, the login ends for both.

        Raises:
            NotAuthenticatedError: unknown or used before, or the login is over.
        """
        now = self._clock()
        with self._database.write() as session:
            found = LoginRepository(session).refreshable(token_digest(refresh_token))
            if found is None:
                raise NotAuthenticatedError("not_logged_in", "log in first")
            token, login = found
            account = PeopleRepository(session).by_id(login.account_id)
            if token.used_at is None and account is not None and _is_open(login, account, now):
                token.used_at = now
                return self._renewed(session, login, account, now)
            if token.used_at is not None and login.revoked_at is None:
                login.revoked_at = now
                detail = {"session": login.session_id}
                append(session, "refresh_token_reused", now, "anyone", login.account_id, detail)
        raise NotAuthenticatedError("login_over", "this login is over; log in again")

    def authenticate(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            NotAuthenticatedError: unknown, over, revoked, or of an account that is not on.
        """
        now = self._clock()
        with self._database.look() as session:
            found = bearer_of(session, token_digest(token))
        if found is None:
            raise NotAuthenticatedError("not_logged_in", "log in first")
        if not _is_open(found, found, now) or found.expires_at <= now:
            raise NotAuthenticatedError("login_over", "this login is over; refresh it or log in again")
        return Principal(
            found.account_id,
            found.username,
            Role(found.role),
            found.session_id,
            found.must_change_password and found.how == How.PASSWORD,
            found.scope,
            found.device_id,
        )

    def set_password(self, principal: Principal, password: str) -> None:
        """Replaces a one-time password by one's own; ends the account's other logins.

        Raises:
            ConflictError: it has been replaced already; a lost one is reset by an administrator. Or she is an
                operator without a passkey: nobody could register one for her later without a reset.
            UnprocessableError: too short, too long, the one-time password again, or the user name.
        """
        now = self._clock()
        with self._database.write() as session:
            people = PeopleRepository(session)
            account = people.by_id(principal.account_id, lock=True)
            if account is None or not account.must_change_password:
                raise ConflictError("password_already_set", "the one-time password has been replaced already")
            _check_can_sign(session, account)
            self._check_new_password(password, account)
            account.password_hash = self._passwords.hash(password)
            account.must_change_password = False
            people.revoke_others(account.account_id, principal.session_id, now)
            append(session, "password_set", now, account.account_id)

    def logout(self, principal: Principal) -> None:
        """Ends this login."""
        now = self._clock()
        with self._database.write() as session:
            PeopleRepository(session).revoke(principal.account_id, now, session_id=principal.session_id)
            append(session, "logged_out", now, principal.account_id)

    def sessions(self, principal: Principal) -> list[OpenLogin]:
        """One's own logins that are not over, newest first."""
        with self._database.read() as session:
            return [
                OpenLogin(
                    login.session_id,
                    How(login.how),
                    login.created_at,
                    login.ends_at,
                    login.session_id == principal.session_id,
                )
                for login in LoginRepository(session).open_of(principal.account_id, self._clock())
            ]

    def end_session(self, principal: Principal, session_id: str) -> None:
        """Ends one of one's own logins.

        Raises:
            NotFoundError: it is none of hers, or over.
        """
        now = self._clock()
        with self._database.write() as session:
            if not PeopleRepository(session).revoke(principal.account_id, now, session_id=session_id):
                raise NotFoundError
            append(session, "login_ended", now, principal.account_id, None, {"session": session_id})

    def end_all_of(self, principal: Principal, account_id: str) -> None:
        """Ends every login of an account.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: no such account.
        """
        check_role(principal, ADMINISTRATORS)
        now = self._clock()
        with self._database.write() as session:
            people = PeopleRepository(session)
            if people.by_id(account_id) is None:
                raise NotFoundError
            detail = {"ended": people.revoke(account_id, now)}
            append(session, "logins_ended", now, principal.account_id, account_id, detail)

    def lift_waits(self, principal: Principal, account_id: str) -> None:
        """Ends every wait that failed logins put on an account.

        Raises:
            ForbiddenError: not an administrator.
            NotFoundError: no such account.
        """
        check_role(principal, ADMINISTRATORS)
        with self._database.write() as session:
            account = PeopleRepository(session).by_id(account_id)
            if account is None:
                raise NotFoundError
            self._throttle.lift(session, account.username)
            append(session, "login_waits_lifted", self._clock(), principal.account_id, account_id)

    def _checked(self, username: str, password: str, address: str) -> tuple[Account, Attempt]:
        username = username.strip().casefold()
        attempt = self._throttle.begin(username, address)
        with self._database.read() as session:
            account = PeopleRepository(session).by_username(username)
        right = self._passwords.verify(password, account.password_hash if account else None)
        if account is None or not right or not account.active:
            with self._database.write() as session:
                about = account.account_id if account else None
                append(session, "login_refused", self._clock(), "anyone", about)
            raise NotAuthenticatedError("wrong_credentials", "user name or password is wrong")
        return account, attempt

    def _open(self, session: Session, account: Account, how: How, device_id: str | None) -> Login:
        now = self._clock()
        LoginRepository(session).forget_refresh_tokens(now - _KEPT_AFTER_THE_END)
        login = LoginSession(
            session_id=f"ses_{secrets.token_hex(12)}",
            account_id=account.account_id,
            token_sha256=token_digest(new_token()),
            created_at=now,
            expires_at=now,
            ends_at=now + self._session_lifetime,
            how=how.value,
            device_id=device_id,
        )
        PeopleRepository(session).add_session(login)
        append(session, "logged_in", now, account.account_id, None, {"how": how.value})
        return self._with_tokens(session, login, account, now)

    def _renewed(self, session: Session, login: LoginSession, account: Account, now: datetime) -> Login:
        append(session, "login_refreshed", now, account.account_id, None, {"session": login.session_id})
        return self._with_tokens(session, login, account, now)

    def _with_tokens(self, session: Session, login: LoginSession, account: Account, now: datetime) -> Login:
        token, refresh_token = new_token(), new_token()
        login.token_sha256 = token_digest(token)
        login.expires_at = min(now + ACCESS_LIFETIME, login.ends_at)
        LoginRepository(session).add_refresh(token_digest(refresh_token), login.session_id, now)
        must_change = account.must_change_password and login.how == How.PASSWORD
        return Login(token, refresh_token, login.expires_at, login.ends_at, must_change)

    def _check_new_password(self, password: str, account: Account) -> None:
        if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
            raise UnprocessableError(
                "bad_password", f"a password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
            )
        if password.casefold() == account.username:
            raise UnprocessableError("bad_password", "the password is the user name")
        if self._passwords.verify(password, account.password_hash):
            raise UnprocessableError("bad_password", "this is the one-time password; choose your own")


def _check_can_sign(session: Session, account: Account) -> None:
    passkeys = PasskeyRepository(session)
    if account.role == Role.OPERATOR.value and not passkeys.active(account.account_id):
        raise ConflictError("passkey_first", "register a passkey first: judgements are signed with it")


def _is_open(login: LoginSession | Bearer, account: Account | Bearer, now: datetime) -> bool:
    return login.revoked_at is None and login.ends_at > now and account.active
