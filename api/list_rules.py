"""How roles and rules of lists become the answers a client gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from api.errors import ConflictError, ForbiddenError, UnprocessableError
from api.review.errors import NotEntitledError, NotOpenError, RecordError


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
