"""How roles and rules of lists become the answers a client gets."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from api.accounts import Principal
from api.errors import ConflictError, ForbiddenError, UnprocessableError
from api.review.cases import Role
from api.review.errors import NotEntitledError, NotOpenError, RecordError


def check_role(principal: Principal, roles: Collection[Role]) -> None:
    """Lets through an account with one of these roles.

    Raises:
        ForbiddenError: another role.
    """
    if principal.role not in roles:
        raise ForbiddenError("role", f"an account with the role {principal.role.value} cannot do this")


@contextmanager
def rules_as_answers() -> Iterator[None]:
    """What a rule refuses becomes the answer a client gets.

    Raises:
        ForbiddenError: not this person.
        ConflictError: not in the state the step needs.
        UnprocessableError: terms that break a rule.
    """
    try:
        yield
    except NotEntitledError as error:
        raise ForbiddenError(error.code, str(error)) from error
    except NotOpenError as error:
        raise ConflictError("not_decidable", str(error)) from error
    except RecordError as error:
        raise UnprocessableError("bad_terms", str(error)) from error
