"""How a room of routes is begun: one way to name operations and to run them, whatever application serves them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Coroutine
from enum import Enum
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

_APART: Final = frozenset({"/health", "/ready", "/metrics"})
"""What says how the service fares does not wait for those who wait."""

_SPARE: Final = 2
"""Requests worked on at once, beyond one for each processor, while others wait for database or disk. With many more,
threads take the interpreter from each other, and all are late; those that wait keep their order."""

_AT_ONCE: Final[RunVar[CapacityLimiter]] = RunVar("aiqyn_requests_at_once")
"""One for each event loop: a limiter knows no other."""

_Given = ParamSpec("_Given")
_Got = TypeVar("_Got")


def api_router(prefix: str = "", *, tags: list[str | Enum]) -> APIRouter:
    """A router whose operations are named as their functions are, each run in one thread.

    Args:
        prefix: of every path in it.
        tags: what the contract lists them under.
    """
    return APIRouter(
        prefix=prefix, tags=tags, generate_unique_id_function=_operation_id, route_class=OneThreadRoute
    )


def in_the_same_thread(call: Callable[_Given, _Got]) -> Callable[_Given, Coroutine[Any, Any, _Got]]:
    """A function that may block, as a dependency or an endpoint of a `OneThreadRoute`: run where the route runs."""

    @wraps(call)
    async def called(*args: _Given.args, **kwargs: _Given.kwargs) -> _Got:
        return call(*args, **kwargs)

    return called


class OneThreadRoute(APIRoute):
    """A route all of which, from who asks to what is answered, runs in one worker thread.

    FastAPI gives each dependency that may block, the endpoint and the answer a thread of its own, one after the other:
    under load most of a short request's time goes into handing it over. Here nothing but the body is waited for before
    the thread begins, and what runs in it waits for nothing that only an event loop could bring.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        waits = inspect.iscoroutinefunction(endpoint)
        super().__init__(path, endpoint if waits else in_the_same_thread(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if self.body_field is not None:
                try:
                    await request.body()  # kept in the request, where the route finds it
                except ClientDisconnect as error:
                    raise HTTPException(400, "the body broke off") from error
            at_once = None if self.path in _APART else _at_once()
            return await to_thread.run_sync(_run_through, handle(request), limiter=at_once)

        return answer


def _at_once() -> CapacityLimiter:
    limiter = _AT_ONCE.get(None)
    if limiter is None:
        limiter = CapacityLimiter((os.cpu_count() or 1) + _SPARE)
        _AT_ONCE.set(limiter)
    return limiter


def _run_through(handling: Coroutine[Any, Any, Response]) -> Response:
    """The result of a coroutine that never waits.

    Raises:
        RuntimeError: it waited: a dependency is neither `async` nor wrapped, or awaits something.
    """
    try:
        handling.send(None)
    except StopIteration as done:
        answer: Response = done.value
        return answer
    finally:
        handling.close()
    raise RuntimeError("a route that runs in one thread waited for the event loop")


def _operation_id(route: APIRoute) -> str:
    return route.name
