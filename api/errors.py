"""What goes wrong at the service's edge, and its one form: problem+json (RFC 9457).

ApiError
├── BadRequestError         400  a request that cannot be understood
├── NotAuthenticatedError   401  no login, a wrong one, or one that is over
│   └── RefusedLoginError        a login somebody else vouched for, in vain
├── ForbiddenError          403  not this account, not this candidate, or a one-time password still in use
├── NotFoundError           404  not there, or not for this account: the two look the same
├── ConflictError           409  answered already, closed already, or not in the state the step needs
├── UnprocessableError      422  a key used before for another request
├── AwayError               503  what would be needed for an answer is not there just now
└── TooManyRequestsError    429  too many requests, or too many wrong passwords
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """Base of every error a client is told about. `code` is stable; `detail` is for people."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = headers or {}


class BadRequestError(ApiError):
    """A request that cannot be understood."""

    status = 400
    title = "Bad request"


class NotAuthenticatedError(ApiError):
    """No login, a wrong one, or one that is over."""

    status = 401
    title = "Not logged in"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, {"WWW-Authenticate": "Bearer"})


class RefusedLoginError(NotAuthenticatedError):
    """Somebody else vouched for a login, and it was not enough. All look alike to the client.

    Attributes:
        how: `oidc` or `proxy`.
        why: in a word, for the ledger.
    """

    def __init__(self, how: str, why: str) -> None:
        super().__init__("not_this_account", "this login belongs to no account that is on")
        self.how = how
        self.why = why


class ForbiddenError(ApiError):
    """Not this account, or not this candidate."""

    status = 403
    title = "Not allowed"


class NotFoundError(ApiError):
    """Not there, or not for this account."""

    status = 404
    title = "Not found"

    def __init__(self, detail: str = "there is nothing here for this account") -> None:
        super().__init__("not_found", detail)


class ConflictError(ApiError):
    """Answered already, closed already, or not in the state the step needs."""

    status = 409
    title = "Conflict"


class UnprocessableError(ApiError):
    """Understood, and not possible."""

    status = 422
    title = "Not processable"


class AwayError(ApiError):
    """What would be needed for an answer is not there just now."""

    status = 503
    title = "Not available"


class TooManyRequestsError(ApiError):
    """Too many requests, or too many wrong passwords."""

    status = 429
    title = "Too many requests"

    def __init__(self, code: str, what: str, retry_after_seconds: int) -> None:
        super().__init__(
            code,
            f"{what}; try again in {retry_after_seconds} seconds",
            {"Retry-After": str(retry_after_seconds)},
        )
