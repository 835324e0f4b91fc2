"""What controls say about judging."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Query

from api.deps import Overseer, ServicesDep
from api.problems import documented
from api.routing import api_router
from api.schemas_figures import ControlResultsOut, OperatorTallyOut, TallyOut

router = api_router("/api/v1/controls", tags=["oversight"])


@router.get("/results", responses=documented(400, 401, 403))
def get_control_results(
    principal: Overseer,
    services: ServicesDep,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
) -> ControlResultsOut:
    """How operators answered controls, the last 90 days by default; of one that still waits nothing is told."""
    found = services.control_report.results(principal, since, until)
    return ControlResultsOut(
        since=found.since,
        until=found.until,
        all=TallyOut.model_validate(asdict(found.all)),
        operators=[
            OperatorTallyOut(account_id=account_id, controls=TallyOut.model_validate(asdict(one)))
            for account_id, one in found.operators.items()
        ],
        doubtful=list(found.doubtful),
    )
