"""Figures on use and error."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fastapi import Query, Response

from api.deps import Overseer, ServicesDep
from api.errors import ConflictError
from api.problems import documented
from api.routing import api_router
from api.schemas_figures import StatisticsOut
from api.statistics import Statistics
from api.statistics_files import as_csv, as_document, as_svg
from api.store.statistics import By
from pipelines.evaluate.errors import MissingExtraError

router = api_router("/api/v1/statistics", tags=["oversight"])


class Format(StrEnum):
    """How figures are written."""

    JSON = "json"
    CSV = "csv"
    SVG = "svg"


@router.get(
    "",
    responses={
        **documented(400, 401, 403, 409),
        200: {"content": {"text/csv": {}, "image/svg+xml": {}}, "model": StatisticsOut},
    },
)
def get_statistics(
    principal: Overseer,
    services: ServicesDep,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    by: Annotated[By, Query(description="`operator` is for supervisors, and never published")] = By.NOTHING,
    file_format: Annotated[Format, Query(alias="format")] = Format.JSON,
) -> Response:
    """Counts and shares of a stretch of time, the last 90 days by default; counts below five are hidden."""
    found = services.statistics.figures(principal, since, until, by)
    if file_format is Format.CSV:
        return Response(as_csv(found), media_type="text/csv; charset=utf-8")
    if file_format is Format.SVG:
        return Response(_plot(found), media_type="image/svg+xml")
    document = StatisticsOut.model_validate(as_document(found))
    return Response(document.model_dump_json(by_alias=True), media_type="application/json")


def _plot(found: Statistics) -> str:
    try:
        return as_svg(found)
    except MissingExtraError as error:
        raise ConflictError("no_plots", str(error)) from error
