"""How errors leave the service: problem+json, each denial in the ledger, nothing of the inside."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from starlette.exceptions import HTTPException

from api.deps import client_address, services_of
from api.errors import ApiError, RefusedLoginError
from api.principals import Principal
from api.schemas import Problem, ProblemField
from pipelines.errors import EvidenceAwayError, EvidenceMissingError, PipelineError

MEDIA_TYPE: Final = "application/problem+json"
_log = structlog.get_logger(__name__)

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": HTTPStatus(status).phrase, "model": Problem}
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}
"""Errors a route may document: pick what it can give."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route for OpenAPI; every route can also say 422 and 429."""
    return {status: RESPONSES[status] for status in sorted({*statuses, 422, 429})}


OF_BODIES: Final = ("400", "413")
"""What every route with a body can say: it is no text, or too long. That is found before the route is."""


def label_problems(document: dict[str, Any]) -> None:
    """Gives the errors of an OpenAPI document their media type; FastAPI knows one for all responses."""
    for methods in document["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                operation["responses"] = _with_errors_of_bodies(operation["responses"])
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                schema = content.get("application/json", {}).get("schema", {})
                # Not all that is no 2xx is a problem: health says what it says with 503, too.
                if status[0] in "45" and str(schema.get("$ref", "")).endswith("/Problem"):
                    content[MEDIA_TYPE] = content.pop("application/json")


def _with_errors_of_bodies(responses: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    added = {
        status: {
            "description": HTTPStatus(int(status)).phrase,
            "content": {"application/json": {"schema": schema}},
        }
        for status in OF_BODIES
    }
    return dict(sorted((added | responses).items()))


def install_error_handlers(app: FastAPI) -> None:
    """Gives every error its one form."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(IntegrityError, _collision)
    app.add_exception_handler(DataError, _unfit_value)
    app.add_exception_handler(OperationalError, _database_away)
    app.add_exception_handler(EvidenceAwayError, _evidence_away)
    app.add_exception_handler(EvidenceMissingError, _evidence_away)
    app.add_exception_handler(PipelineError, _inner_error)
    app.add_exception_handler(Exception, _inner_error)


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    title: str | None = None,
    headers: dict[str, str] | None = None,
    errors: list[ProblemField] | None = None,
) -> JSONResponse:
    """An error as problem+json."""
    problem = Problem(
        type=f"urn:aiqyn:problem:{code}",
        title=title or HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=errors,
    )
    body = problem.model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def _api_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ApiError):
        raise error
    principal: Principal | None = getattr(request.state, "principal", None)
    if _is_noted(request, principal, error):
        services_of(request).accounts.note_denial(principal, _route(request), error)
    return problem_response(error.status, error.code, error.detail, title=error.title, headers=error.headers)


def _is_noted(request: Request, principal: Principal | None, error: ApiError) -> bool:
    """Whether a denial becomes an entry: without a login only refused logins do (wrong passwords by the login itself).

    Else anybody who can reach the port could fill the ledger; so too many requests of the same sender, and logins
    somebody vouched for in vain, are written down once a minute.
    """
    rates, is_flood = services_of(request).rates, error.status == HTTPStatus.TOO_MANY_REQUESTS
    if principal is not None:
        return not is_flood or rates.is_news("account", principal.account_id)
    if isinstance(error, RefusedLoginError):
        return rates.is_news("login", client_address(request))
    return is_flood and rates.is_news("address", client_address(request))


def _route(request: Request) -> str:
    """The route's pattern, so that no id of a client's choosing gets into the ledger."""
    route = request.scope.get("route")
    return f"{request.method} {getattr(route, 'path', 'unknown')}"


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    fields = [
        ProblemField(location=".".join(str(part) for part in item["loc"]), message=item["msg"])
        for item in error.errors()
    ]
    return problem_response(422, "invalid_request", "the request does not fit", errors=fields[:20])


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return problem_response(error.status_code, code, phrase, headers=dict(error.headers or {}))


def _collision(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(409, "conflict", "somebody else was faster; look again")


def _unfit_value(_request: Request, _error: Exception) -> JSONResponse:
    # PostgreSQL takes no NUL in text, in whatever field or address a client put it.
    return problem_response(422, "invalid_request", "the request holds a character the records cannot take")


def _database_away(_request: Request, error: Exception) -> JSONResponse:
    _log.error("database_away", error=type(error).__name__)
    return problem_response(503, "database_away", "the database does not answer; try again")


def _evidence_away(request: Request, error: Exception) -> JSONResponse:
    _log.error("evidence_away", route=_route(request), reason=str(error)[:200])
    return problem_response(
        503,
        "evidence_away",
        "this evidence cannot be had now: not delivered yet, deleted, or its store is away",
    )


def _inner_error(request: Request, error: Exception) -> JSONResponse:
    # Messages of inner errors may name paths or ids: they go into the log, not to the client.
    _log.error("inner_error", route=_route(request), error=type(error).__name__, reason=str(error)[:200])
    return problem_response(500, "internal_error", "this could not be done; the log says why")
