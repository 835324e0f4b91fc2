"""Pictures and clips of reviews, under addresses that exist for one review alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response

from api.deps import Operator, ServicesDep
from api.problems import documented
from api.routing import api_router

router = api_router("/api/v1/evidence", tags=["reviews"])


@router.get(
    "/{evidence_id}",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}, "video/webm": {}}, "description": "A JPEG, or a clip"},
        **documented(401, 403, 404, 503),
    },
)
def get_evidence(
    evidence_id: Annotated[str, Path(max_length=64)], principal: Operator, services: ServicesDep
) -> Response:
    """A picture or clip of a review that is open to this operator, or that she has answered."""
    shown = services.desk.picture(principal, evidence_id)
    return Response(shown.content, media_type=shown.media_type, headers={"Content-Disposition": "inline"})
