"""Deployments as people see and end them; what makes one is an approved request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.accounts import Principal
from api.clock import Clock
from api.errors import ConflictError, NotFoundError
from api.ledger.chain import Happening
from api.list_rights import check_deployment_within
from api.principals import check_role
from api.replays import WriteRequest, keep_result, replayed
from api.review.deployments import DeploymentTerms
from api.review.requests import ENDERS, READERS
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import Deployment


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment, and what workers search for it.

    Attributes:
        row: as it was ordered, and as it was ended.
        terms: with its cameras.
        gallery_version: the newest; None where nothing was ever handed out.
        subjects: in that version.
        at: when it was looked at.
    """

    row: Deployment
    terms: DeploymentTerms
    gallery_version: int | None
    subjects: int
    at: datetime

    @property
    def state(self) -> str:
        """`waiting`, `active`, `ended` or `revoked`."""
        if self.row.revoked_at is not None:
            return "revoked"
        if self.at < self.terms.starts_at:
            return "waiting"
        return "active" if self.at < self.terms.ends_at else "ended"


class DeploymentService:
    """Shows deployments and ends them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def deployments(self, principal: Principal, after: str | None, limit: int) -> list[DeploymentView]:
        """Deployments within her rights, those that ended included, in the order of their ids."""
        check_role(principal, READERS)
        with self._database.read() as session:
            rows = ListRepository(session).deployments(principal.scope, after, limit)
            return [self._view(session, row) for row in rows]

    def deployment(self, principal: Principal, deployment_id: str) -> DeploymentView:
        """One deployment.

        Raises:
            NotFoundError: there is none of that id.
        """
        check_role(principal, READERS)
        with self._database.read() as session:
            return self._view(session, _found(session, principal, deployment_id))

    def revoke(
        self, principal: Principal, deployment_id: str, reason: str, request: WriteRequest
    ) -> dict[str, Any]:
        """From the commit on nothing is searched for it; workers lose their galleries within a second or two.

        Returns:
            `{deployment_id, revoked_at}` as JSON values.

        Raises:
            ForbiddenError: neither supervisor nor authoriser.
            NotFoundError: there is no such deployment.
            ConflictError: it is over.
        """
        check_role(principal, ENDERS)
        with self._database.write() as session:
            before = replayed(session, request)
            if before is not None:
                return before
            now, row = self._clock(), _found(session, principal, deployment_id)
            if row.ends_at <= now:
                raise ConflictError("deployment_over", "this deployment is over already")
            detail = {"watchlist_id": row.watchlist_id, "would_have_ended_at": row.ends_at.isoformat()}
            row.ends_at, row.revoked_at = now, now
            row.revoked_by, row.revoked_reason = principal.account_id, reason
            session.flush()
            about = f"deployment:{deployment_id}"
            LedgerRepository(session).append(
                Happening("deployment_revoked", now, principal.account_id, about, detail)
            )
            result = {"deployment_id": deployment_id, "revoked_at": now.isoformat()}
            keep_result(session, request, 200, result, now)
            return result

    def _view(self, session: Session, row: Deployment) -> DeploymentView:
        lists = ListRepository(session)
        newest = lists.newest_gallery(row.deployment_id)
        terms = lists.terms(row)
        version, subjects = (newest.version, newest.subjects) if newest else (None, 0)
        return DeploymentView(row, terms, version, subjects, self._clock())


def _found(session: Session, principal: Principal, deployment_id: str) -> Deployment:
    lists = ListRepository(session)
    row = lists.deployment_row(deployment_id)
    if row is None:
        raise NotFoundError
    check_deployment_within(principal, lists.terms(row))
    return row
