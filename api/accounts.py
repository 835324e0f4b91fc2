"""Accounts, logins and passwords: everything about who is there."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from api.clock import Clock
from api.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotAuthenticatedError,
    TooManyRequestsError,
    UnprocessableError,
)
from api.ledger.chain import Happening
from api.passwords import (
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    LoginThrottle,
    Passwords,
    new_token,
    one_time_password,
    token_digest,
)
from api.review.cases import Role
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.models import Account, LoginSession
from api.store.passkeys import PasskeyRepository
from api.store.people import PeopleRepository

_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, and through which login.

    Attributes:
        device_id: the browser the login began in; None for a login from before browsers were told apart.
    """

    account_id: str
    username: str
    role: Role
    session_id: str
    must_change_password: bool
    device_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """A fresh login; the only moment its token exists in clear."""

    token: str
    expires_at: datetime
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account as an administrator sees it listed."""

    account_id: str
    username: str
    role: Role
    active: bool
    must_change_password: bool


class AccountService:
    """Logs people in and keeps their accounts."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        session_lifetime: timedelta = timedelta(hours=12),
        passwords: Passwords | None = None,
        throttle: LoginThrottle | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._session_lifetime = session_lifetime
        self._passwords = passwords or Passwords()
        self._throttle = throttle or LoginThrottle()

    def login(self, username: str, password: str, address: str, *, device_id: str | None = None) -> Login:
        """A fresh login.

        Args:
            username: case does not matter.
            password: as typed.
            address: where the request came from, for counting failures only; it is not kept.
            device_id: the browser it came from; a login without one cannot judge.

        Raises:
            NotAuthenticatedError: unknown account, wrong password or account switched off; all look alike.
            TooManyRequestsError: too many failures of this account from this address.
        """
        now, username = self._clock(), username.strip().casefold()
        wait = self._throttle.wait_seconds(username, address, now)
        if wait:
            raise TooManyRequestsError(wait)
        with self._database.read() as session:
            account = PeopleRepository(session).by_username(username)
        right = self._passwords.verify(password, account.password_hash if account else None)
        if account is None or not right or not account.active:
            self._throttle.failed(username, address, now)
            self._note("login_refused", "anyone", account.account_id if account else None)
            raise NotAuthenticatedError("wrong_credentials", "user name or password is wrong")
        self._throttle.succeeded(username, address)
        return self._open_session(account, now, device_id)

    def authenticate(self, token: str) -> Principal:
        """Whose token it is.

        Raises:
            NotAuthenticatedError: unknown, over, revoked, or of an account switched off.
        """
        with self._database.read() as session:
            found = PeopleRepository(session).by_token(token_digest(token))
        if found is None:
            raise NotAuthenticatedError("not_logged_in", "log in first")
        login, account = found
        if login.revoked_at is not None or login.expires_at <= self._clock() or not account.active:
            raise NotAuthenticatedError("login_over", "this login is over; log in again")
        return Principal(
            account.account_id,
            account.username,
            Role(account.role),
            login.session_id,
            account.must_change_password,
            login.device_id,
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
            account = people.by_id(principal.account_id)
            if account is None or not account.must_change_password:
                raise ConflictError("password_already_set", "the one-time password has been replaced already")
            if account.role == Role.OPERATOR.value and not PasskeyRepository(session).active(
                account.account_id
            ):
                raise ConflictError(
                    "passkey_first", "register a passkey first: judgements are signed with it"
                )
            self._check_new_password(password, account)
            account.password_hash = self._passwords.hash(password)
            account.must_change_password = False
            people.revoke_others(account.account_id, principal.session_id, now)
            _append(session, "password_set", now, account.account_id)

    def logout(self, principal: Principal) -> None:
        """Ends this login."""
        now = self._clock()
        with self._database.write() as session:
            PeopleRepository(session).revoke(principal.account_id, now, session_id=principal.session_id)
            _append(session, "logged_out", now, principal.account_id)

    def add(self, username: str, role: Role) -> str:
        """A new account; returns its one-time password, which is kept nowhere.

        Raises:
            ConflictError: the user name is taken.
            UnprocessableError: the user name has other characters than letters, digits, '.', '_', '-'.
        """
        now, username = self._clock(), username.strip().casefold()
        if not _USERNAME.fullmatch(username):
            raise UnprocessableError(
                "bad_username", "a user name is up to 63 letters a-z, digits, '.', '_' and '-'"
            )
        password = one_time_password()
        with self._database.write() as session:
            people = PeopleRepository(session)
            if people.by_username(username) is not None:
                raise ConflictError("username_taken", f"there is an account {username} already")
            account = Account(
                account_id=f"acc_{secrets.token_hex(12)}",
                username=username,
                role=role.value,
                password_hash=self._passwords.hash(password),
                must_change_password=True,
                active=True,
                created_at=now,
            )
            people.add(account)
            _append(session, "account_added", now, "console", account.account_id, {"role": role.value})
        return password

    def reset(self, username: str) -> str:
        """A fresh one-time password for an account whose logins and passkeys all end now.

        Raises:
            ConflictError: no such account.
        """
        now, password = self._clock(), one_time_password()
        with self._database.write() as session:
            people = PeopleRepository(session)
            account = people.by_username(username.strip())
            if account is None:
                raise ConflictError("unknown_account", "there is no such account; see: aiqyn users list")
            account.password_hash = self._passwords.hash(password)
            account.must_change_password = True
            people.revoke(account.account_id, now)
            for passkey_id in PasskeyRepository(session).revoke(account.account_id, now):
                _append(
                    session, "passkey_removed", now, "console", account.account_id, {"passkey": passkey_id}
                )
            _append(session, "password_reset", now, "console", account.account_id)
        return password

    def all(self) -> list[AccountLine]:
        """Every account, by user name."""
        with self._database.read() as session:
            return [
                AccountLine(
                    row.account_id, row.username, Role(row.role), row.active, row.must_change_password
                )
                for row in PeopleRepository(session).all()
            ]

    def note_denial(self, principal: Principal | None, route: str, error: ApiError) -> None:
        """Writes into the ledger that somebody was refused something."""
        actor = principal.account_id if principal else "anyone"
        with self._database.write() as session:
            happening = Happening(
                "denied",
                self._clock(),
                actor,
                None,
                {"route": route, "code": error.code, "status": error.status},
            )
            LedgerRepository(session).append(happening)

    def _open_session(self, account: Account, now: datetime, device_id: str | None) -> Login:
        token = new_token()
        expires_at = now + self._session_lifetime
        with self._database.write() as session:
            PeopleRepository(session).add_session(
                LoginSession(
                    session_id=f"ses_{secrets.token_hex(12)}",
                    account_id=account.account_id,
                    token_sha256=token_digest(token),
                    created_at=now,
                    expires_at=expires_at,
                    device_id=device_id,
                )
            )
            _append(session, "logged_in", now, account.account_id)
        return Login(token, expires_at, account.must_change_password)

    def _check_new_password(self, password: str, account: Account) -> None:
        if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
            raise UnprocessableError(
                "bad_password", f"a password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
            )
        if password.casefold() == account.username:
            raise UnprocessableError("bad_password", "the password is the user name")
        if self._passwords.verify(password, account.password_hash):
            raise UnprocessableError("bad_password", "this is the one-time password; choose your own")

    def _note(self, kind: str, actor: str, account_id: str | None) -> None:
        with self._database.write() as session:
            _append(session, kind, self._clock(), actor, account_id)


def check_may_work(principal: Principal) -> None:
    """Lets through who has replaced the one-time password.

    Raises:
        ForbiddenError: it is still in use; only registering a passkey, `POST /auth/password` and logging out are
            open.
    """
    if principal.must_change_password:
        raise ForbiddenError(
            "password_change_required", "replace the one-time password first: POST /api/v1/auth/password"
        )


def _append(
    session: Session,
    kind: str,
    now: datetime,
    actor: str,
    account_id: str | None = None,
    detail: dict[str, str] | None = None,
) -> None:
    about = f"account:{account_id}" if account_id else None
    LedgerRepository(session).append(Happening(kind, now, actor, about, dict(detail or {})))
