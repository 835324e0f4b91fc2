"""Lists, their entries, requests and deployments by the rights of whoever asks: what lies beyond them is not there."""

from __future__ import annotations

from api.errors import ForbiddenError, NotFoundError
from api.principals import Principal
from api.review.deployments import DeploymentTerms
from api.review.requests import RequestKind
from api.review.scopes import Scope
from api.store.models import ListRequest


def check_list(principal: Principal, watchlist_id: str) -> None:
    """Lets through who has rights to the list, on whatever camera.

    Raises:
        NotFoundError: she has none.
    """
    if not principal.scope.allows_list(watchlist_id):
        raise NotFoundError


def check_new_list(principal: Principal, watchlist_id: str) -> None:
    """Lets through who has rights to a list nobody could have named before.

    Raises:
        ForbiddenError: her rights name lists.
    """
    if not principal.scope.allows_list(watchlist_id):
        raise ForbiddenError("scope", "new lists are made by accounts with rights to every list")


def check_deployment_within(principal: Principal, terms: DeploymentTerms) -> None:
    """Lets through who has rights to the list on all cameras of a deployment.

    Raises:
        NotFoundError: not on all of them.
    """
    if not principal.scope.allows_deployment(terms.watchlist_id, terms.camera_ids):
        raise NotFoundError


def is_within(scope: Scope, row: ListRequest) -> bool:
    """Whether a request lies within these rights: its list, and where it asks for a deployment all its cameras."""
    if row.kind == RequestKind.DEPLOYMENT:
        return scope.allows_deployment(row.watchlist_id, row.cameras or ())
    return scope.allows_list(row.watchlist_id)


def request_within(principal: Principal, row: ListRequest | None) -> ListRequest:
    """The request, where there is one she has rights to.

    Raises:
        NotFoundError: there is none; whether one exists beyond her rights is not told.
    """
    if row is None or not is_within(principal.scope, row):
        raise NotFoundError
    return row
