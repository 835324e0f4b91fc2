"""Who may come in by the routes about lists; the services behind them ask again."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from api.accounts import Principal
from api.deps import Active
from api.principals import check_role
from api.review.requests import AUTHORISERS, ENDERS, READERS, REQUESTERS


def list_reader(principal: Active) -> Principal:
    """A supervisor, an authoriser or an auditor.

    Raises:
        ForbiddenError: another role.
    """
    check_role(principal, READERS)
    return principal


def requester(principal: Active) -> Principal:
    """A supervisor.

    Raises:
        ForbiddenError: another role.
    """
    check_role(principal, REQUESTERS)
    return principal


def authoriser(principal: Active) -> Principal:
    """An authoriser.

    Raises:
        ForbiddenError: another role.
    """
    check_role(principal, AUTHORISERS)
    return principal


def ender(principal: Active) -> Principal:
    """A supervisor or an authoriser.

    Raises:
        ForbiddenError: another role.
    """
    check_role(principal, ENDERS)
    return principal


ListReader = Annotated[Principal, Depends(list_reader)]
Requester = Annotated[Principal, Depends(requester)]
Authoriser = Annotated[Principal, Depends(authoriser)]
Ender = Annotated[Principal, Depends(ender)]
